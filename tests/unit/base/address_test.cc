#include "base/address.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <unordered_set>

namespace sluice {
namespace {

std::string round_trip(std::string_view text) {
  const auto address = SocketAddress::parse(text);
  return address ? address->to_string() : "refused";
}

TEST(SocketAddress, ReadsAndWritesAnIpv4AddressWithPort) {
  const auto address = SocketAddress::parse("192.0.2.7:8080");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->family, SocketAddress::Family::ipv4);
  EXPECT_EQ(address->port, 8080);
  EXPECT_EQ(address->ip[0], 192);
  EXPECT_EQ(address->ip[3], 7);
  EXPECT_EQ(address->ip_text(), "192.0.2.7");
  EXPECT_EQ(address->to_string(), "192.0.2.7:8080");
}

TEST(SocketAddress, ReadsAndWritesAnIpv6AddressInBrackets) {
  const auto address = SocketAddress::parse("[2001:db8::1]:443");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->family, SocketAddress::Family::ipv6);
  EXPECT_EQ(address->ip_text(), "2001:db8::1");
  EXPECT_EQ(address->to_string(), "[2001:db8::1]:443");
}

TEST(SocketAddress, ReadsAndWritesTheNameOfAUnixSocket) {
  for (const std::string& text :
       {std::string("unix:///run/sluice/http.sock"), std::string("unix://@name"), "unix:///" + std::string(106, 'x')}) {
    const auto address = SocketAddress::from_unix(text);
    ASSERT_TRUE(address) << text;
    EXPECT_FALSE(address->is_ip());
    EXPECT_FALSE(address->is_any());
    EXPECT_TRUE(address->is_known());
    EXPECT_EQ(address->unix_name(), text.substr(7));
    EXPECT_EQ(address->to_string(), text);
    EXPECT_EQ(SocketAddress::from_unix(text), address);
    EXPECT_EQ(SocketAddressHash()(*SocketAddress::from_unix(text)), SocketAddressHash()(*address));
  }
  EXPECT_NE(SocketAddress::from_unix("unix:///a"), SocketAddress::from_unix("unix://@a"));
  const SocketAddress without_name{.family = SocketAddress::Family::unix_socket};
  EXPECT_EQ(without_name.unix_name(), "");
  EXPECT_EQ(without_name.to_string(), "unix://");
  EXPECT_TRUE(without_name.is_known());
  EXPECT_FALSE(SocketAddress{}.is_known());
}

TEST(SocketAddress, RefusesWhatIsNoNameOfAUnixSocket) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {"", "unix:", "unix://", "unix:///", "unix://@", "unix:/run/x", "unix://run/x", "/run/x", "http:///x",
        "unix:///a b", "unix:///a\nb", "unix:///a\"b", "unix:///a\\b", "unix:///\xc3\xa4"})
    EXPECT_FALSE(SocketAddress::from_unix(text)) << text;
  EXPECT_FALSE(SocketAddress::from_unix("unix:///a\0b"sv));
  EXPECT_FALSE(SocketAddress::from_unix("unix:///" + std::string(107, 'x')));
}

TEST(SocketAddress, WritesTheCanonicalFormOfAnIpv6Address) {
  EXPECT_EQ(round_trip("[2001:DB8:0:0:0:0:0:1]:1"), "[2001:db8::1]:1");
  EXPECT_EQ(round_trip("[::ffff:192.0.2.1]:1"), "[::ffff:192.0.2.1]:1");
}

TEST(SocketAddress, LeavesTheBytesAfterAnIpv4AddressZero) {
  const auto address = SocketAddress::from_ip("255.255.255.255", 1);
  ASSERT_TRUE(address);
  for (size_t i = 4; i < address->ip.size(); ++i) EXPECT_EQ(address->ip[i], 0) << "byte " << i;
}

TEST(SocketAddress, AcceptsTheWholeRangeOfPortsAndNothingBeyond) {
  EXPECT_EQ(round_trip("127.0.0.1:0"), "127.0.0.1:0");
  EXPECT_EQ(round_trip("127.0.0.1:65535"), "127.0.0.1:65535");
  EXPECT_EQ(round_trip("127.0.0.1:65536"), "refused");
  EXPECT_EQ(round_trip("127.0.0.1:99999999999999999999"), "refused");
}

TEST(SocketAddress, RefusesWhatIsNotAnAddressWithPort) {
  for (const std::string_view text : {"",
                                      ":",
                                      ":80",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:+80",
                                      "127.0.0.1:-1",
                                      "127.0.0.1: 80",
                                      "127.0.0.1:80 ",
                                      "127.0.0.1:8o",
                                      "127.0.0.1:0x50",
                                      "localhost:80",
                                      "1.2.3:80",
                                      "1.2.3.4.5:80",
                                      "1.2.3.256:80",
                                      " 1.2.3.4:80",
                                      "[]:80",
                                      "[:80",
                                      "]:80",
                                      "[::1]",
                                      "[::1]80",
                                      "[::1:80",
                                      "::1]:80",
                                      "[[::1]]:80",
                                      "[::g]:80",
                                      "[1::2::3]:80",
                                      "[fe80::1%lo]:80"}) {
    EXPECT_EQ(round_trip(text), "refused") << "\"" << text << "\"";
  }
}

TEST(SocketAddress, RequiresBracketsAroundIpv6AndRefusesThemAroundIpv4) {
  EXPECT_EQ(round_trip("::1:80"), "refused");
  EXPECT_EQ(round_trip("[127.0.0.1]:80"), "refused");
}

TEST(SocketAddress, RefusesTextThatIsLongerThanAnyAddress) {
  EXPECT_FALSE(SocketAddress::from_ip(std::string(10'000, '1'), 80));
  EXPECT_FALSE(SocketAddress::from_ip(std::string(10'000, ':'), 80));
}

// inet_pton(3) takes a C string: what follows a NUL would be ignored instead of refused.
TEST(SocketAddress, RefusesANulByteInsideTheText) {
  using namespace std::string_view_literals;
  EXPECT_FALSE(SocketAddress::from_ip("127.0.0.1\0"sv, 80));
  EXPECT_FALSE(SocketAddress::from_ip("127.0.0.1\0evil"sv, 80));
  EXPECT_FALSE(SocketAddress::from_ip("::1\0evil"sv, 80));
  EXPECT_EQ(round_trip("127.0.0.1\0:80"sv), "refused");
}

TEST(SocketAddress, KnowsTheWildcardAddressOfBothFamilies) {
  EXPECT_TRUE(SocketAddress::parse("0.0.0.0:80")->is_any());
  EXPECT_TRUE(SocketAddress::parse("[::]:80")->is_any());
  EXPECT_FALSE(SocketAddress::parse("127.0.0.1:80")->is_any());
  EXPECT_FALSE(SocketAddress::parse("[::1]:80")->is_any());
}

TEST(SocketAddress, DistinguishesAddressPortAndFamily) {
  const auto one = *SocketAddress::parse("127.0.0.1:80");
  EXPECT_EQ(one, *SocketAddress::parse("127.0.0.1:80"));
  EXPECT_NE(one, *SocketAddress::parse("127.0.0.1:81"));
  EXPECT_NE(one, *SocketAddress::parse("127.0.0.2:80"));
  EXPECT_NE(*SocketAddress::parse("0.0.0.0:80"), *SocketAddress::parse("[::]:80"));
  EXPECT_LT(*SocketAddress::parse("127.0.0.1:80"), *SocketAddress::parse("127.0.0.2:80"));
}

TEST(SocketAddressHash, SpreadsNeighbouringAddressesAndPorts) {
  std::unordered_set<size_t> hashes;
  for (int last = 0; last < 64; ++last) {
    for (uint16_t port = 0; port < 64; ++port) {
      hashes.insert(SocketAddressHash{}(
          *SocketAddress::from_ip("10.0.0." + std::to_string(last), static_cast<uint16_t>(8000 + port))));
    }
  }
  EXPECT_EQ(hashes.size(), 64U * 64U);
}

TEST(SocketAddressHash, IsEqualForEqualAddresses) {
  EXPECT_EQ(SocketAddressHash{}(*SocketAddress::parse("[::1]:80")),
            SocketAddressHash{}(*SocketAddress::parse("[0::0:1]:80")));
}

}  // namespace
}  // namespace sluice
