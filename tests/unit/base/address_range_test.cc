#include "base/address_range.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace sluice {
namespace {

SocketAddress ip(std::string_view text, uint16_t port = 0) { return SocketAddress::from_ip(text, port).value(); }
AddressRange range(std::string_view text) { return AddressRange::parse(text).value(); }

TEST(AddressRange, IsReadFromItsText) {
  for (const char* text :
       {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32", "2001:db8::/32", "::/0", "::1/128", "128.0.0.0/1"})
    EXPECT_EQ(range(text).to_string(), text);
  EXPECT_EQ(range("192.0.2.1").to_string(), "192.0.2.1/32") << "an address alone";
  EXPECT_EQ(range("2001:db8::1").to_string(), "2001:db8::1/128");
}

TEST(AddressRange, IsNothingElse) {
  for (const std::string_view text : {"",
                                      "/",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "::/129",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/+8",
                                      "10.0.0.0/08",
                                      "10.0.0.0/8 ",
                                      " 10.0.0.0/8",
                                      "10.0.0.0/8/8",
                                      "10.0.0.1/8",
                                      "2001:db8::1/64",
                                      "10/8",
                                      "10.0.0/8",
                                      "[::1]/128",
                                      "a/8",
                                      "10.0.0.0/4294967304",
                                      "10.0.0.0/8x"})
    EXPECT_FALSE(AddressRange::parse(text)) << text;
}

TEST(AddressRange, ContainsWhatBeginsAsItDoes) {
  EXPECT_TRUE(range("10.0.0.0/8").contains(ip("10.255.255.255", 80)));
  EXPECT_FALSE(range("10.0.0.0/8").contains(ip("11.0.0.0")));
  EXPECT_TRUE(range("192.0.2.128/25").contains(ip("192.0.2.200")));
  EXPECT_FALSE(range("192.0.2.128/25").contains(ip("192.0.2.127")));
  EXPECT_TRUE(range("192.0.2.1/32").contains(ip("192.0.2.1")));
  EXPECT_FALSE(range("192.0.2.1/32").contains(ip("192.0.2.0")));
  EXPECT_TRUE(range("2001:db8:8000::/33").contains(ip("2001:db8:ffff::1")));
  EXPECT_FALSE(range("2001:db8:8000::/33").contains(ip("2001:db8:7fff::1")));
}

TEST(AddressRange, OfEverythingContainsEveryAddressOfItsFamily) {
  EXPECT_TRUE(range("0.0.0.0/0").contains(ip("255.255.255.255")));
  EXPECT_TRUE(range("::/0").contains(ip("ffff::")));
  EXPECT_FALSE(range("0.0.0.0/0").contains(ip("::1")));
  EXPECT_FALSE(range("::/0").contains(ip("127.0.0.1")));
}

TEST(AddressRange, TakesAnIPv4AddressInIPv6sClothesForWhatItIs) {
  EXPECT_TRUE(range("10.0.0.0/8").contains(ip("::ffff:10.1.2.3")));
  EXPECT_TRUE(range("0.0.0.0/0").contains(ip("::ffff:10.1.2.3")));
  EXPECT_FALSE(range("10.0.0.0/8").contains(ip("64:ff9b::10.1.2.3"))) << "that one goes through a translator";
}

TEST(AddressRange, ContainsNoUnixSocket) {
  EXPECT_FALSE(range("0.0.0.0/0").contains(*SocketAddress::from_unix("unix:///run/a")));
  EXPECT_FALSE(range("::/0").contains(*SocketAddress::from_unix("unix:///run/a")));
}

TEST(ScopeOf, KnowsTheSpecialBlocksAtBothOfTheirEnds) {
  for (const std::string_view address : {"0.0.0.0",
                                         "0.255.255.255",
                                         "127.0.0.0",
                                         "127.0.0.1",
                                         "127.255.255.255",
                                         "169.254.0.0",
                                         "169.254.169.254",
                                         "169.254.255.255",
                                         "224.0.0.0",
                                         "239.255.255.255",
                                         "240.0.0.0",
                                         "255.255.255.255",
                                         "100.100.100.200",
                                         "168.63.129.16",
                                         "192.0.0.192",
                                         "fd20:ce::254",
                                         "::",
                                         "::1",
                                         "::7f00:1",
                                         "::ffff:ffff",
                                         "fe80::",
                                         "febf:ffff::1",
                                         "ff00::",
                                         "ff02::1",
                                         "ffff::",
                                         "fd00:ec2::254",
                                         "100::",
                                         "100::ffff"})
    EXPECT_EQ(scope_of(ip(address)), AddressScope::host) << address;
  for (const std::string_view address : {"10.0.0.0",       "10.255.255.255",
                                         "172.16.0.0",     "172.31.255.255",
                                         "192.168.0.0",    "192.168.255.255",
                                         "100.64.0.0",     "100.127.255.255",
                                         "192.0.0.0",      "192.0.0.255",
                                         "192.0.2.0",      "198.51.100.255",
                                         "203.0.113.1",    "198.18.0.0",
                                         "198.19.255.255", "fec0::",
                                         "feff:ffff::1",   "fc00::",
                                         "fdff:ffff::1",   "fd00:ec2::253",
                                         "64:ff9b:1::",    "64:ff9b:1:ffff::1",
                                         "2001:db8::",     "2001:db8:ffff::1",
                                         "3fff::",         "3fff:fff::1",
                                         "5f00::"})
    EXPECT_EQ(scope_of(ip(address)), AddressScope::site) << address;
  for (const std::string_view address : {"1.0.0.0",
                                         "8.8.8.8",
                                         "9.255.255.255",
                                         "11.0.0.0",
                                         "100.63.255.255",
                                         "100.128.0.0",
                                         "126.255.255.255",
                                         "128.0.0.0",
                                         "169.253.255.255",
                                         "169.255.0.0",
                                         "172.15.255.255",
                                         "172.32.0.0",
                                         "192.0.1.0",
                                         "192.167.255.255",
                                         "192.169.0.0",
                                         "198.17.255.255",
                                         "198.20.0.0",
                                         "223.255.255.255",
                                         "2000::",
                                         "2606:4700::1111",
                                         "2001:db7::1",
                                         "2001:db9::",
                                         "4000::",
                                         "fbff::1",
                                         "64:ff9a::1",
                                         "1::",
                                         "101::"})
    EXPECT_EQ(scope_of(ip(address)), AddressScope::global) << address;
}

TEST(ScopeOf, OfAnAddressThatCarriesAnIPv4AddressIsThatOnes) {
  for (const auto& [address, scope] : {
           std::pair{"::ffff:127.0.0.1", AddressScope::host},
           {"::ffff:10.0.0.1", AddressScope::site},
           {"::ffff:8.8.8.8", AddressScope::global},
           {"64:ff9b::127.0.0.1", AddressScope::host},
           {"64:ff9b::a9fe:a9fe", AddressScope::host},
           {"64:ff9b::192.168.0.1", AddressScope::site},
           {"64:ff9b::8.8.8.8", AddressScope::global},
           {"2002:7f00:1::", AddressScope::host},
           {"2002:a00:1::1", AddressScope::site},
           {"2002:808:808::1", AddressScope::global},
           {"2001:0:4136:e378:8000:63bf:80ff:fffe", AddressScope::host},    // Teredo: 127.0.0.1, inverted
           {"2001:0:4136:e378:8000:63bf:f5ff:fffe", AddressScope::site},    // 10.0.0.1
           {"2001:0:4136:e378:8000:63bf:f7f7:f7f7", AddressScope::global},  // 8.8.8.8
       })
    EXPECT_EQ(scope_of(ip(address)), scope) << address;
}

TEST(ScopeOf, OfAUnixSocketIsTheHost) {
  EXPECT_EQ(scope_of(*SocketAddress::from_unix("unix:///run/a")), AddressScope::host);
}

}  // namespace
}  // namespace sluice
