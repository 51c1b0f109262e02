#include "transport/proxy_header.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::transport {
namespace {

using snapshot::ProxyProtocol;
using Status = ProxyHeader::Status;

const std::string signature{"\r\n\r\n\0\r\nQUIT\n", 12};
const std::string ipv4_block{"\xc0\x00\x02\x01\xc6\x33\x64\x02\x1f\x90\x01\xbb",
                             12};  // 192.0.2.1:8080, 198.51.100.2:443
const ProxiedAddresses ipv4_addresses{*SocketAddress::parse("192.0.2.1:8080"),
                                      *SocketAddress::parse("198.51.100.2:443")};
const ProxiedAddresses ipv6_addresses{*SocketAddress::parse("[2001:db8::1]:65535"), *SocketAddress::parse("[::1]:0")};
constexpr char ipv4_stream = 0x11;
constexpr char ipv6_stream = 0x21;
constexpr char local = 0x20;
constexpr char proxy = 0x21;

std::string v2(char version_and_command, char kind, const std::string& block) {
  std::string text = signature + version_and_command + kind;
  text += static_cast<char>(block.size() >> 8);
  text += static_cast<char>(block.size() & 0xff);
  return text + block;
}

ProxyHeader read(const std::string& bytes) { return read_proxy_header(as_bytes(bytes)); }

struct Good {
  std::string bytes;
  std::optional<ProxiedAddresses> addresses;
};

// Longest first: what version 1 can be at most.
const std::vector<Good>& good_headers() {
  static const std::vector<Good> all = {
      {"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535" + std::string(48, 'x') + "\r\n", std::nullopt},
      {"PROXY UNKNOWN\r\n", std::nullopt},
      {"PROXY UNKNOWN \r\n", std::nullopt},
      {"PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\r\n", ipv4_addresses},
      {"PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", ipv6_addresses},
      {"PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 0:0:0:0:0:0:0:1 65535 0\r\n", ipv6_addresses},
      {v2(proxy, ipv4_stream, ipv4_block), ipv4_addresses},
      {v2(proxy, 0x12, ipv4_block), ipv4_addresses},  // datagrams
      {v2(proxy, ipv6_stream, write_proxy_header(ProxyProtocol::v2, ipv6_addresses).substr(16)), ipv6_addresses},
      {v2(local, 0x00, ""), std::nullopt},
      {v2(local, ipv4_stream, ipv4_block), std::nullopt},
      {v2(local, 0x7f, "what follows is not looked at"), std::nullopt},
  };
  return all;
}

TEST(ProxyHeader, IsReadAndEverySmallerPartIsAwaited) {
  for (const Good& good : good_headers()) {
    SCOPED_TRACE(good.bytes);
    for (const std::string& more : {std::string(), std::string("GET / HTTP/1.1\r\n"), std::string("\0\x16", 2)}) {
      const ProxyHeader header = read(good.bytes + more);
      ASSERT_EQ(header.status, Status::complete) << header.fault;
      EXPECT_EQ(header.size, good.bytes.size());
      EXPECT_EQ(header.addresses, good.addresses);
    }
    for (size_t size = 0; size < good.bytes.size(); ++size) {
      const ProxyHeader part = read(good.bytes.substr(0, size));
      // What follows LOCAL is not looked at, so it need not be there; the size says that it is to come.
      if (part.status != Status::complete) {
        EXPECT_EQ(part.status, Status::need_more) << size << part.fault;
      } else {
        EXPECT_EQ(good.addresses, std::nullopt);
        EXPECT_EQ(part.size, good.bytes.size());
      }
    }
  }
}

TEST(ProxyHeader, MayHaveTlvsOfABoundedLength) {
  const size_t room = limits::proxy_header_bytes_max - signature.size() - 4 - ipv4_block.size();
  const std::string longest = v2(proxy, ipv4_stream, ipv4_block + std::string(room, '\x04'));
  ASSERT_EQ(longest.size(), limits::proxy_header_bytes_max);
  const ProxyHeader header = read(longest.substr(0, proxy_header_first_bytes));
  EXPECT_EQ(header.status, Status::complete);
  EXPECT_EQ(header.size, longest.size());
  EXPECT_EQ(header.addresses, ipv4_addresses);

  for (const char command : {local, proxy}) {
    const ProxyHeader longer = read(v2(command, ipv4_stream, ipv4_block + std::string(room + 1, '\x04')).substr(0, 16));
    EXPECT_EQ(longer.status, Status::malformed);
    EXPECT_EQ(longer.fault, "the PROXY header is too long");
  }
}

struct Bad {
  std::string bytes;
  std::string_view fault;
};

TEST(ProxyHeader, IsRefusedAsSoonAsItCannotBeOne) {
  constexpr std::string_view none = "there is no PROXY header";
  constexpr std::string_view bad = "the PROXY header is malformed";
  constexpr std::string_view unknown = "the PROXY header is of an unknown kind";
  constexpr std::string_view no_host = "an address of the PROXY header is none of a host";
  const std::string other_ipv4 = ipv4_block.substr(4);
  for (const Bad& each : std::vector<Bad>{
           {"G", none},
           {"GET / HTTP/1.1\r\n", none},
           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", none},
           {"\x16\x03\x01", none},
           {"PROXY\t", none},
           {"proxy ", none},
           {"\r\nG", none},
           {signature.substr(0, 11) + "\r", none},
           {"PROXY \r\n", unknown},
           {"PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n", unknown},
           {"PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n", unknown},
           {"PROXY UNKNOWNS\r\n", unknown},
           {"PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n", unknown},
           {"PROXY TCP4\r\n", bad},
           {"PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n", bad},
           {"PROXY TCP4 192.0.2.1  198.51.100.2 1 2\r\n", bad},
           {"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n", bad},
           {"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n", bad},
           {"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n\r\n", bad},
           {"PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n", bad},
           {"PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n", bad},
           {"PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n", bad},
           {"PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n", bad},
           {"PROXY TCP4 192.0.2.1 198.51.100.2 0x1 2\r\n", bad},
           {"PROXY TCP4 192.0.2 198.51.100.2 1 2\r\n", bad},
           {"PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n", bad},
           {"PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n", bad},
           {"PROXY TCP4 localhost 198.51.100.2 1 2\r\n", bad},
           {"PROXY TCP4 2001:db8::1 ::1 1 2\r\n", bad},
           {"PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n", bad},
           {"PROXY TCP6 2001:db8::1 192.0.2.1 1 2\r\n", bad},
           {"PROXY TCP6 [2001:db8::1] ::1 1 2\r\n", bad},
           {"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", bad},
           {std::string("PROXY TCP4 192.0.2.1\0 198.51.100.2 1 2\r\n", 40), bad},
           {"PROXY TCP4 0.0.0.0 198.51.100.2 1 2\r\n", no_host},
           {"PROXY TCP4 192.0.2.1 0.0.0.0 1 2\r\n", no_host},
           {"PROXY TCP4 255.255.255.255 198.51.100.2 1 2\r\n", no_host},
           {"PROXY TCP4 224.0.0.1 198.51.100.2 1 2\r\n", no_host},
           {"PROXY TCP6 :: ::1 1 2\r\n", no_host},
           {"PROXY TCP6 ff02::1 ::1 1 2\r\n", no_host},
           {"PROXY TCP4 " + std::string(96, '1'), "the PROXY header is too long"},
           {"PROXY UNKNOWN" + std::string(93, ' ') + "\r\n", "the PROXY header is too long"},
           {v2(0x11, ipv4_stream, ipv4_block), "the PROXY header has an unknown version or command"},
           {v2(0x31, ipv4_stream, ipv4_block), "the PROXY header has an unknown version or command"},
           {v2(0x22, ipv4_stream, ipv4_block), "the PROXY header has an unknown version or command"},
           {v2(proxy, 0x00, ""), unknown},
           {v2(proxy, 0x10, ipv4_block), unknown},
           {v2(proxy, 0x13, ipv4_block), unknown},
           {v2(proxy, 0x01, ipv4_block), unknown},
           {v2(proxy, 0x31, std::string(216, '/')), unknown},  // a Unix socket
           {v2(proxy, ipv4_stream, ""), "the PROXY header is too short for its addresses"},
           {v2(proxy, ipv4_stream, ipv4_block.substr(1)), "the PROXY header is too short for its addresses"},
           {v2(proxy, ipv6_stream, ipv4_block), "the PROXY header is too short for its addresses"},
           {v2(proxy, ipv4_stream, std::string(4, '\0') + other_ipv4), no_host},
           {v2(proxy, ipv4_stream, std::string(4, '\xff') + other_ipv4), no_host},
           {v2(proxy, ipv6_stream, std::string(36, '\0')), no_host},
       }) {
    SCOPED_TRACE(each.bytes);
    const ProxyHeader header = read(each.bytes);
    EXPECT_EQ(header.status, Status::malformed);
    EXPECT_EQ(header.fault, each.fault);
    EXPECT_EQ(header.addresses, std::nullopt);
    EXPECT_EQ(read(each.bytes + "\r\n" + std::string(200, 'x')).fault, each.fault);
  }
}

TEST(ProxyHeader, IsWrittenAsItIsRead) {
  EXPECT_EQ(write_proxy_header(ProxyProtocol::v1, ipv4_addresses), "PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\r\n");
  EXPECT_EQ(write_proxy_header(ProxyProtocol::v1, ipv6_addresses), "PROXY TCP6 2001:db8::1 ::1 65535 0\r\n");
  EXPECT_EQ(write_proxy_header(ProxyProtocol::v2, ipv4_addresses), v2(proxy, ipv4_stream, ipv4_block));
  const std::string ipv6_block{
      "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
      "\xff\xff\0\0",
      36};
  EXPECT_EQ(write_proxy_header(ProxyProtocol::v2, ipv6_addresses), v2(proxy, ipv6_stream, ipv6_block));

  const SocketAddress long_address = *SocketAddress::parse("[fedc:ba98:7654:3210:fedc:ba98:7654:3210]:65535");
  for (const ProxiedAddresses& addresses : {ipv4_addresses, ipv6_addresses, {long_address, long_address}}) {
    for (const ProxyProtocol version : {ProxyProtocol::v1, ProxyProtocol::v2}) {
      const std::string bytes = write_proxy_header(version, addresses);
      EXPECT_LE(bytes.size(), proxy_header_first_bytes);
      const ProxyHeader header = read(bytes);
      EXPECT_EQ(header.status, Status::complete);
      EXPECT_EQ(header.size, bytes.size());
      EXPECT_EQ(header.addresses, addresses);
    }
  }
}

TEST(ProxyHeader, SaysNothingOfAddressesOfTwoFamiliesAndOfUnixSockets) {
  const SocketAddress unix_socket = *SocketAddress::from_unix("unix:///run/x");
  for (const ProxiedAddresses& addresses :
       {ProxiedAddresses{ipv4_addresses.source, ipv6_addresses.destination},
        ProxiedAddresses{{.family = SocketAddress::Family::unix_socket}, unix_socket},
        ProxiedAddresses{ipv4_addresses.source, unix_socket}}) {
    EXPECT_EQ(write_proxy_header(ProxyProtocol::v1, addresses), "PROXY UNKNOWN\r\n");
    EXPECT_EQ(write_proxy_header(ProxyProtocol::v2, addresses), v2(local, 0x00, ""));
  }
}

}  // namespace
}  // namespace sluice::transport
