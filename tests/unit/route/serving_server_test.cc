#include "route/serving_server.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace sluice::route {
namespace {

struct Server {
  std::string_view pattern;
  std::string_view identity;
};

snapshot::Listener listener_of(const std::vector<Server>& servers) {
  snapshot::Listener listener;
  for (const Server& server : servers) {
    snapshot::TlsServer& made = listener.tls_servers.emplace_back();
    made.name = server.pattern;
    made.identity = server.identity;
    EXPECT_TRUE(listener.server_names.add(server.pattern, static_cast<uint32_t>(listener.tls_servers.size() - 1)));
  }
  return listener;
}

// The pattern of the server that serves; empty: 421.
std::string_view serving(const snapshot::Listener& listener, std::string_view server_name, std::string_view host) {
  const auto connected = listener.server_names.find(server_name);
  EXPECT_TRUE(connected);
  const snapshot::TlsServer* server = serving_server(listener, listener.tls_servers[*connected], host);
  return server == nullptr ? std::string_view() : std::string_view(server->name);
}

// As the conformance tests of the Gateway API have it for misdirected requests.
TEST(ServingServer, OwnsTheHost) {
  const snapshot::Listener listener = listener_of(
      {{"*", "1"}, {"second-example.org", "2"}, {"*.wildcard.org", "3"}, {"fourth-example.wildcard.org", "4"}});
  const auto expect = [&listener](std::string_view server_name, std::string_view host, std::string_view pattern) {
    EXPECT_EQ(serving(listener, server_name, host), pattern) << server_name << ' ' << host;
  };
  expect("example.org", "example.org", "*");
  expect("example.org", "second-example.org", "");
  expect("example.org", "unknown-example.org", "*");
  expect("second-example.org", "second-example.org", "second-example.org");
  expect("second-example.org", "example.org", "");
  expect("second-example.org", "unknown-example.org", "");
  expect("third-example.wildcard.org", "third-example.wildcard.org", "*.wildcard.org");
  expect("third-example.wildcard.org", "fifth-example.wildcard.org", "*.wildcard.org");
  expect("third-example.wildcard.org", "fourth-example.wildcard.org", "");
  expect("third-example.wildcard.org", "second-example.org", "");
  expect("third-example.wildcard.org", "unknown-example.org", "");
  expect("fourth-example.wildcard.org", "fourth-example.wildcard.org", "fourth-example.wildcard.org");
  expect("fourth-example.wildcard.org", "fifth-example.wildcard.org", "");
  expect("unknown-example.org", "example.org", "*");
  expect("unknown-example.org", "unknown-example.org", "*");
  expect("", "example.org", "*");
}

TEST(ServingServer, MayBeAnotherOneThatIsTheSameToClients) {
  const snapshot::Listener listener = listener_of({{"a.test", "1"}, {"b.test", "1"}, {"c.test", "2"}});
  EXPECT_EQ(serving(listener, "a.test", "b.test"), "b.test");
  EXPECT_EQ(serving(listener, "b.test", "a.test"), "a.test");
  EXPECT_EQ(serving(listener, "a.test", "c.test"), "");
}

TEST(ServingServer, IsTheConnectionsForHostsThatNobodyOwns) {
  const snapshot::Listener listener = listener_of({{"a.test", "1"}, {"b.test", "2"}});
  EXPECT_EQ(serving(listener, "a.test", "nobody.test"), "a.test");
  EXPECT_EQ(serving(listener, "a.test", ""), "a.test");
}

}  // namespace
}  // namespace sluice::route
