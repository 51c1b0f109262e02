#include "dns/nameserver.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string_view>

namespace sluice::dns {
namespace {

using namespace std::chrono_literals;

TEST(Nameserver, IsReadWithAndWithoutAPort) {
  struct Case {
    std::string_view text;
    std::string_view host;
    uint16_t port;
  };
  for (const auto& [text, host, port] : {Case{"ns.example.com", "ns.example.com", 53},
                                         {"ns.example.com:5353", "ns.example.com", 5353},
                                         {"192.0.2.1", "192.0.2.1", 53},
                                         {"192.0.2.1:5353", "192.0.2.1", 5353},
                                         {"2001:db8::1", "2001:db8::1", 53},
                                         {"[2001:db8::1]", "2001:db8::1", 53},
                                         {"[2001:db8::1]:5353", "2001:db8::1", 5353}}) {
    const Result<Nameserver> server = read_nameserver(text);
    ASSERT_TRUE(server) << text << ": " << server.error().message;
    EXPECT_EQ(server->host, host) << text;
    EXPECT_EQ(server->port, port) << text;
    const Result<Nameserver> again = read_nameserver(to_text(*server));
    ASSERT_TRUE(again) << to_text(*server);
    EXPECT_EQ(again->host, host) << to_text(*server);
    EXPECT_EQ(again->port, port) << to_text(*server);
  }
}

TEST(Nameserver, IsRefusedWithTheReasonWhenItIsNone) {
  for (const std::string_view text : {"", ":53", "ns:", "ns:0", "ns:65536", "ns:x", "ns:53 ", "[::1", "[::1]53",
                                      "[::1]:", "[192.0.2.1]:53", "[ns]:53", "a b", "ns..example", "1:2:3"}) {
    const Result<Nameserver> server = read_nameserver(text);
    ASSERT_FALSE(server) << text;
    EXPECT_FALSE(server.error().message.empty());
  }
}

TEST(Nameserver, HasTheAddressesOfItsNameAtItsPort) {
  const auto found = addresses_of({.host = "localhost", .port = 5353}, 5s, {});
  ASSERT_TRUE(found) << found.error().message;
  for (const SocketAddress& address : *found) EXPECT_EQ(address.port, 5353);
  EXPECT_FALSE(found->empty());
}

}  // namespace
}  // namespace sluice::dns
