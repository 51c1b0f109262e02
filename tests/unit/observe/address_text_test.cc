#include "observe/address_text.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::observe {
namespace {

std::string address_text(const SocketAddress& address) {
  char room[address_text_max];
  return {room, write_address(address, room)};
}

std::string ip_text(const SocketAddress& address) {
  char room[address_text_max];
  return {room, write_ip(address, room)};
}

TEST(AddressText, HasBracketsOnlyAroundIpv6WithAPort) {
  EXPECT_EQ(address_text(*SocketAddress::parse("10.0.0.255:8080")), "10.0.0.255:8080");
  EXPECT_EQ(address_text(*SocketAddress::parse("[2001:db8::1]:443")), "[2001:db8::1]:443");
  EXPECT_EQ(ip_text(*SocketAddress::parse("[2001:db8::1]:443")), "2001:db8::1");
}

TEST(AddressText, IsTheLongestTextThatFits) {
  const auto address = *SocketAddress::parse("[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
  EXPECT_EQ(address_text(address), "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
  const std::string longest = "unix:///" + std::string(106, 'x');
  EXPECT_EQ(longest.size(), address_text_max);
  EXPECT_EQ(address_text(*SocketAddress::from_unix(longest)), longest);
}

TEST(AddressText, IsTheNameOfAUnixSocket) {
  EXPECT_EQ(address_text(*SocketAddress::from_unix("unix://@name")), "unix://@name");
  EXPECT_EQ(ip_text(*SocketAddress::from_unix("unix:///run/x")), "unix:///run/x");
  EXPECT_EQ(address_text({.family = SocketAddress::Family::unix_socket}), "unix://");
}

TEST(AddressText, ShortensZerosAsRfc5952Says) {
  for (const char* text : {"::", "::1", "1::", "1::2", "0:0:1::", "1:0:0:2::3", "1:0:2:0:3:0:4:5", "::ffff:1.2.3.4",
                           "::1.2.3.4", "::ffff:0:1.2.3.4", "fe80::1:0:0:1", "64:ff9b::c000:201"}) {
    const auto address = *SocketAddress::from_ip(text, 1);
    EXPECT_EQ(ip_text(address), address.ip_text()) << text;
  }
}

TEST(AddressText, EqualsWhatTheCLibraryWrites) {
  Random random(20261125);
  for (int i = 0; i < 100'000; ++i) {
    SocketAddress address;
    address.family = random.below(4) == 0 ? SocketAddress::Family::ipv4 : SocketAddress::Family::ipv6;
    address.port = static_cast<uint16_t>(random.next());
    for (auto& byte : address.ip) byte = random.below(3) != 0 ? 0 : static_cast<uint8_t>(random.next());
    ASSERT_EQ(address_text(address), address.to_string());
  }
}

}  // namespace
}  // namespace sluice::observe
