// Requests to clusters whose destination the client names, in the simulated world: looked up, guarded, connected,
// pooled, recorded.
#include "proxy/borrowed_upstream.h"

#include "dialogue.h"
#include "sim_names.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice::proxy {
namespace {

using sim::Dialogue;
using sim::Speaker;
using snapshot::Resolution;
using namespace std::chrono_literals;

const snapshot::AddressGuard only_global{
    .named = AddressScope::global, .original = AddressScope::global, .registered = {}};

const SocketAddress tcp_listener = *SocketAddress::parse("192.0.2.100:5432");

std::unique_ptr<snapshot::Snapshot> snapshot_with(Resolution resolution,
                                                  const snapshot::AddressGuard& guard = only_global) {
  auto made = sim::one_upstream_snapshot();
  snapshot::Cluster& cluster = made->clusters[0];
  cluster.endpoints.clear();
  cluster.resolution = resolution;
  cluster.requested_port = 8000;
  cluster.guard = guard;
  cluster.connection_terms.idle_timeout = 1h;
  if (resolution == Resolution::by_name) cluster.dns_names.push_back({.name = "a.test", .port = 8000});
  return made;
}

class RequestedUpstream : public Dialogue {
 public:
  explicit RequestedUpstream(Resolution resolution = Resolution::by_request)
      : RequestedUpstream(snapshot_with(resolution)) {}
  explicit RequestedUpstream(std::unique_ptr<snapshot::Snapshot> snapshot)
      : Dialogue(1, sim::fine_weather(), {}, std::move(snapshot)) {
    gateway().services().upstreams.names.ask(names, std::make_shared<NameAnswers>([](void*) {}, nullptr));
    gateway().services().observer.access_log.set_enabled(true);
  }

  ~RequestedUpstream() { gateway().end(); }  // while there is still somebody to ask

  // A web server that answers every request with its own address.
  void serve(const std::string& ip, sim::Network::Answer answer = {}) {
    world().network().serve(*SocketAddress::from_ip(ip, 8000), {.answer = [answer] { return answer; },
                                                                .on_connection =
                                                                    [this, ip](sim::Endpoint& peer) {
                                                                      ++connections[ip];
                                                                      servers.emplace_back(ip, Speaker(peer));
                                                                    }});
  }
  // The whole response to a request for `host`.
  std::string ask(const std::string& host) {
    Speaker& client = connect();
    client.say("GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(until([&] {
      for (auto& [ip, server] : servers) {
        server.listen();
        if (server.take_heard().ends_with("\r\n\r\n"))
          server.say("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(ip.size()) + "\r\n\r\n" + ip);
      }
      return client.has_ended();
    }));
    return client.heard();
  }
  std::string take_log() {
    std::string lines;
    gateway().services().observer.access_log.drain(lines);
    return lines;
  }

  sim::SimNames names{world()};
  std::map<std::string, unsigned> connections;
  std::deque<std::pair<std::string, Speaker>> servers;
};

TEST(RequestedUpstreamTest, IsWhatTheRequestNames) {
  RequestedUpstream dialogue;
  dialogue.names.set("a.test", {"8.8.8.1"});
  dialogue.names.set("b.test", {"8.8.8.2"});
  dialogue.serve("8.8.8.1");
  dialogue.serve("8.8.8.2");
  EXPECT_TRUE(dialogue.ask("a.test").ends_with("\r\n\r\n8.8.8.1"));
  EXPECT_TRUE(dialogue.ask("b.test").ends_with("\r\n\r\n8.8.8.2"));
  EXPECT_TRUE(dialogue.ask("a.test").ends_with("\r\n\r\n8.8.8.1"));
  EXPECT_EQ(dialogue.connections["8.8.8.1"], 1U) << "the connection is used again";
  EXPECT_EQ(dialogue.gateway().services().upstreams.reuse_count, 1U);
  const std::string log = dialogue.take_log();
  EXPECT_TRUE(log.contains("\"8.8.8.1:8000\"")) << log;
  EXPECT_TRUE(log.contains("\"8.8.8.2:8000\"")) << log;
}

TEST(RequestedUpstreamTest, OfAnAddressNeedsNoLookup) {
  RequestedUpstream dialogue;
  dialogue.serve("8.8.8.1");
  EXPECT_TRUE(dialogue.ask("8.8.8.1").ends_with("\r\n\r\n8.8.8.1"));
  EXPECT_TRUE(dialogue.names.questions.empty());
}

TEST(RequestedUpstreamTest, OfANameWithoutAddressIsAnswered503AndNotTriedAgain) {
  RequestedUpstream dialogue;
  EXPECT_TRUE(dialogue.ask("missing.test").starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(dialogue.names.questions.size(), 1U);
  const std::string log = dialogue.take_log();
  EXPECT_TRUE(log.contains(" 503 DF ")) << log;
  EXPECT_TRUE(log.contains("dns_resolution_failure")) << log;
  EXPECT_EQ(dialogue.gateway().counters().upstream_retries.value(), 0U);
}

TEST(RequestedUpstreamTest, OfWhatLooksLikeAnAddressAndIsNoneIsAnswered503WithoutALookup) {
  RequestedUpstream dialogue;
  for (const char* host : {"127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1"})
    EXPECT_TRUE(dialogue.ask(host).starts_with("HTTP/1.1 503 ")) << host;
  EXPECT_TRUE(dialogue.names.questions.empty());
}

TEST(RequestedUpstreamTest, IsNeverWithin) {
  RequestedUpstream dialogue;
  const std::vector<std::string> within = {"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"};
  for (const std::string& ip : within) dialogue.serve(ip);
  dialogue.names.set("rebound.test", within);
  dialogue.names.set("localhost", {"127.0.0.1", "::1"});
  for (const char* host : {"127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "rebound.test",
                           "localhost", "localhost.", "127.0.0.1."})
    EXPECT_TRUE(dialogue.ask(host).starts_with("HTTP/1.1 403 ")) << host;
  EXPECT_TRUE(dialogue.connections.empty());
  EXPECT_TRUE(dialogue.take_log().contains("private_address"));
}

TEST(RequestedUpstreamTest, IsTriedAtEveryAddressOfItsName) {
  RequestedUpstream dialogue;
  dialogue.names.set("a.test", {"8.8.8.1", "2606::1", "10.0.0.1"});
  dialogue.serve("2606::1", {.delay = -1s});
  dialogue.serve("8.8.8.1");
  dialogue.serve("10.0.0.1");
  EXPECT_TRUE(dialogue.ask("a.test").ends_with("\r\n\r\n8.8.8.1"));
}

TEST(RequestedUpstreamTest, IsTheSameWithTheDotOfTheRoot) {
  RequestedUpstream dialogue;
  dialogue.names.set("a.test", {"8.8.8.1"});
  dialogue.serve("8.8.8.1");
  EXPECT_TRUE(dialogue.ask("a.test.").ends_with("\r\n\r\n8.8.8.1"));
  EXPECT_TRUE(dialogue.ask("a.test").ends_with("\r\n\r\n8.8.8.1"));
  EXPECT_EQ(dialogue.connections["8.8.8.1"], 1U);
}

TEST(RequestedUpstreamTest, IsTriedAgainWhenItRefuses) {
  RequestedUpstream dialogue;
  dialogue.names.set("a.test", {"8.8.8.1"});
  dialogue.serve("8.8.8.1", {.error = ECONNREFUSED});
  EXPECT_TRUE(dialogue.ask("a.test").starts_with("HTTP/1.1 503 "));
  const std::string log = dialogue.take_log();
  EXPECT_TRUE(log.contains("UF,URX")) << log;
  EXPECT_TRUE(log.contains("8.8.8.1:8000")) << log;
}

TEST(RequestedUpstreamTest, StaysOverAReload) {
  RequestedUpstream dialogue;
  dialogue.names.set("a.test", {"8.8.8.1"});
  dialogue.serve("8.8.8.1");
  EXPECT_TRUE(dialogue.ask("a.test").ends_with("8.8.8.1"));
  auto next = snapshot_with(Resolution::by_request);
  next->clusters[0].connection_terms.requests_max = 5;
  dialogue.reload(std::move(next));
  EXPECT_TRUE(dialogue.ask("a.test").ends_with("8.8.8.1"));
  EXPECT_EQ(dialogue.connections["8.8.8.1"], 1U);
}

// What could be reached before the reload, and must not be any more.
TEST(RequestedUpstreamTest, HasNoConnectionsOfBeforeWhenItsGuardHasChanged) {
  RequestedUpstream dialogue;
  snapshot::AddressGuard guard = only_global;
  guard.registered.push_back(*AddressRange::parse("10.0.0.0/8"));
  dialogue.reload(snapshot_with(Resolution::by_request, guard));
  dialogue.names.set("a.test", {"10.0.0.1"});
  dialogue.serve("10.0.0.1");
  EXPECT_TRUE(dialogue.ask("a.test").ends_with("10.0.0.1"));
  EXPECT_TRUE(dialogue.ask("10.0.0.1").ends_with("10.0.0.1"));
  dialogue.reload(snapshot_with(Resolution::by_request));
  EXPECT_TRUE(dialogue.ask("a.test").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(dialogue.ask("10.0.0.1").starts_with("HTTP/1.1 403 "));
}

TEST(RequestedUpstreamTest, IsForgottenWhenNobodyUsesIt) {
  RequestedUpstream dialogue;
  for (int i = 0; i < 20; ++i) static_cast<void>(dialogue.ask("missing" + std::to_string(i) + ".test"));
  const auto count = [&] { return dialogue.gateway().services().snapshots.current()->clusters.requested_count(); };
  EXPECT_EQ(count(), 20U);
  for (int i = 0; i < 400; ++i) dialogue.gateway().turn(1s);
  EXPECT_EQ(count(), 0U);
}

TEST(RequestedUpstreamTest, EndsWithItsClientWhileItsNameIsLookedUp) {
  RequestedUpstream dialogue;
  dialogue.names.is_silent = true;
  Speaker& client = dialogue.connect();
  client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  dialogue.settle();
  EXPECT_EQ(dialogue.names.questions.size(), 1U);
  client.reset();
  EXPECT_TRUE(dialogue.until([&] { return dialogue.gateway().services().upstreams.connection_count() == 0; }));
}

TEST(RequestedUpstreamTest, WithoutAnybodyToLookItUpHasNoAddress) {
  Dialogue dialogue(1, sim::fine_weather(), {}, snapshot_with(Resolution::by_request));
  Speaker& client = dialogue.connect();
  client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  dialogue.settle();
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 503 ")) << client.heard();
}

TEST(RequestedUpstreamTest, OfHttp2IsLookedUpAndGuardedAlike) {
  for (const bool is_missing : {true, false}) {
    auto made = snapshot_with(Resolution::by_request);
    made->clusters[0].http = snapshot::UpstreamHttp::http2;
    RequestedUpstream dialogue(std::move(made));
    if (!is_missing) dialogue.names.set("a.test", {"127.0.0.1"});
    dialogue.serve("127.0.0.1");
    for (int i = 0; i < 2; ++i) {
      const std::string answer = dialogue.ask("a.test");
      EXPECT_TRUE(answer.starts_with(is_missing ? "HTTP/1.1 503 " : "HTTP/1.1 403 ")) << answer;
    }
    EXPECT_TRUE(dialogue.connections.empty());
    EXPECT_EQ(dialogue.names.questions.size(), 1U);
  }
}

TEST(RequestedUpstreamTest, OfHttp2IsConnectedToAtWhicheverAddressAnswers) {
  auto made = snapshot_with(Resolution::by_request);
  made->clusters[0].http = snapshot::UpstreamHttp::http2;
  RequestedUpstream dialogue(std::move(made));
  dialogue.names.set("a.test", {"2606::1", "8.8.8.1"});
  dialogue.serve("8.8.8.1");
  Speaker& client = dialogue.connect();
  client.say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  EXPECT_TRUE(dialogue.until([&] { return !dialogue.servers.empty(); }));
  dialogue.settle();
  Speaker& server = dialogue.servers.front().second;
  server.listen();
  EXPECT_TRUE(server.heard().starts_with("PRI * HTTP/2.0\r\n\r\n"));
}

// --- by the name that the documents give (DNS_ROUND_ROBIN) -----------------------------------------

TEST(RequestedUpstreamTest, OfOneNameUsesItsNewestAddressForNewConnectionsAndKeepsTheOthers) {
  RequestedUpstream dialogue(Resolution::by_name);
  dialogue.names.set("a.test", {"8.8.8.1"});
  dialogue.names.lifetime = 5s;
  dialogue.serve("8.8.8.1");
  dialogue.serve("8.8.8.2");
  EXPECT_TRUE(dialogue.ask("whatever.test").ends_with("\r\n\r\n8.8.8.1"));
  dialogue.names.set("a.test", {"8.8.8.2"});
  for (int i = 0; i < 60; ++i) dialogue.gateway().turn(1s);
  EXPECT_TRUE(dialogue.ask("whatever.test").ends_with("\r\n\r\n8.8.8.1")) << "it is still open";
  for (auto& [ip, server] : dialogue.servers) server.close();
  dialogue.settle();
  EXPECT_TRUE(dialogue.ask("whatever.test").ends_with("\r\n\r\n8.8.8.2"));
  EXPECT_EQ(dialogue.names.questions.size(), 2U);
}

TEST(RequestedUpstreamTest, OfOneNameStaysOverAReload) {
  RequestedUpstream dialogue(Resolution::by_name);
  dialogue.names.set("a.test", {"8.8.8.1"});
  dialogue.names.set("b.test", {"8.8.8.2"});
  dialogue.serve("8.8.8.1");
  dialogue.serve("8.8.8.2");
  EXPECT_TRUE(dialogue.ask("x").ends_with("8.8.8.1"));
  auto next = snapshot_with(Resolution::by_name);
  next->clusters[0].connection_terms.requests_max = 5;
  dialogue.reload(std::move(next));
  EXPECT_TRUE(dialogue.ask("x").ends_with("8.8.8.1"));
  EXPECT_EQ(dialogue.connections["8.8.8.1"], 1U);
  auto other = snapshot_with(Resolution::by_name);
  other->clusters[0].dns_names[0].name = "b.test";
  dialogue.reload(std::move(other));
  EXPECT_TRUE(dialogue.ask("x").ends_with("8.8.8.2"));
}

// The snapshot goes, the endpoint stays as long as its connection.
TEST(RequestedUpstreamTest, OfBytesOutlivesItsSnapshot) {
  for (const Resolution resolution : {Resolution::by_name, Resolution::by_request}) {
    auto made = snapshot_with(resolution);
    made->clusters[0].host = "a.test";
    made->route_tables.emplace_back().tcp_routes.push_back({.destinations = {{.cluster = 0}}, .total_weight = 1});
    snapshot::Listener& listener = made->listeners.emplace_back();
    listener.address = tcp_listener;
    listener.is_tcp = true;
    listener.route_table = 1;
    RequestedUpstream dialogue(std::move(made));
    dialogue.names.set("a.test", {"8.8.8.1"});
    dialogue.serve("8.8.8.1");
    Speaker& client = dialogue.connect(tcp_listener);
    client.say("hello");
    ASSERT_TRUE(dialogue.until([&] { return !dialogue.servers.empty(); }));
    dialogue.settle();
    dialogue.reload(sim::one_upstream_snapshot());
    dialogue.settle();
    Speaker& server = dialogue.servers.front().second;
    server.listen();
    EXPECT_EQ(server.heard(), "hello");
    server.say("world");
    dialogue.settle();
    EXPECT_EQ(client.heard(), "world");
    client.finish();
    server.close();
    dialogue.settle();
    EXPECT_TRUE(dialogue.take_log().contains("8.8.8.1:8000"));
  }
}

}  // namespace
}  // namespace sluice::proxy
