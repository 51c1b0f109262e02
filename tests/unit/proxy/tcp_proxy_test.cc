// Connections without HTTP, from both of their ends, in the simulated world.
#include "proxy/tcp_proxy.h"

#include "proxy/client_connection.h"

#include "client_hello.h"
#include "connection.h"
#include "dialogue.h"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using sim::Dialogue;
using sim::Speaker;
using namespace std::chrono_literals;

const SocketAddress tcp_listener = *SocketAddress::parse("192.0.2.100:5432");
const SocketAddress tls_listener = *SocketAddress::parse("192.0.2.100:443");
const SocketAddress deaf_endpoint = *SocketAddress::parse("192.0.2.9:1");  // nobody listens there

void add_route(snapshot::RouteTable& table, std::vector<std::string> server_names, uint32_t cluster) {
  snapshot::TcpRoute& route = table.tcp_routes.emplace_back();
  route.server_names = std::move(server_names);
  route.destinations.push_back({.cluster = cluster});
  route.total_weight = 1;
}

void add_server(snapshot::Listener& listener, const std::string& host, snapshot::ServerKind kind, uint32_t table) {
  listener.server_names.add(host, static_cast<uint32_t>(listener.tls_servers.size()));
  snapshot::TlsServer& server = listener.tls_servers.emplace_back();
  server.kind = kind;
  server.route_table = table;
  static const std::shared_ptr<tls::ServerContext> context = test::make_context(test::five_suites());
  if (kind != snapshot::ServerKind::passthrough) server.context = context;
}

// Beside the HTTP listener of every dialogue a plain TCP listener, and one with TLS that has a server of each kind;
// everything leads to the one endpoint.
std::unique_ptr<snapshot::Snapshot> tcp_snapshot() {
  auto made = sim::one_upstream_snapshot();
  made->clusters[0].host = "one.test";
  add_route(made->route_tables.emplace_back(), {}, 0);
  add_route(made->route_tables.emplace_back(), {"*.pass.test"}, 0);

  snapshot::Listener& tcp = made->listeners.emplace_back();
  tcp.address = tcp_listener;
  tcp.is_tcp = true;
  tcp.route_table = 1;

  snapshot::Listener& tls = made->listeners.emplace_back();
  tls.address = tls_listener;
  tls.is_tls = true;
  add_server(tls, "http.test", snapshot::ServerKind::http, 0);
  add_server(tls, "tcp.test", snapshot::ServerKind::tcp, 1);
  add_server(tls, "*.pass.test", snapshot::ServerKind::passthrough, 2);
  add_server(tls, "noroute.test", snapshot::ServerKind::passthrough, 2);
  return made;
}

class TcpDialogue : public Dialogue {
 public:
  explicit TcpDialogue(std::unique_ptr<snapshot::Snapshot> snapshot = tcp_snapshot(), uint64_t seed = 1,
                       const sim::Weather& weather = sim::fine_weather())
      : Dialogue(seed, weather, {}, std::move(snapshot)) {
    gateway().services().observer.access_log.set_enabled(true);
  }

  Speaker& connect_tcp() { return connect(tcp_listener); }
  // A client of the plain listener whose connection to the destination is there.
  Speaker& connect_through() {
    Speaker& client = connect_tcp();
    EXPECT_TRUE(until([&] { return upstream_count() == 1; }));
    settle(5ms);
    return client;
  }
  // The lines that were logged since the last call.
  std::string log() {
    std::string lines;
    gateway().services().observer.access_log.drain(lines);
    return lines;
  }
  uint64_t tcp_total(Counter observe::TcpMetrics::Series::* counter) {
    uint64_t sum = 0;
    gateway().services().observer.tcp.for_each([&](const auto& series) { sum += (series.*counter).value(); });
    return sum;
  }
};

// A client that speaks TLS over a connection of the dialogue.
class TlsSpeaker {
 public:
  TlsSpeaker(Dialogue& dialogue, const std::string& server_name)
      : dialogue_(dialogue), tls_({.server_name = server_name}), wire(dialogue.connect(tls_listener)) {}

  void begin_handshake() {
    tls_.handshake();
    exchange();
  }
  bool shakes_hands() {
    return dialogue_.until([&] {
      const bool is_done = tls_.handshake();
      exchange();
      return is_done || wire.has_ended();
    }) && tls_.handshake();
  }
  void say(std::string_view text) {
    tls_.write(text);
    exchange();
  }
  void finish() {
    tls_.send_close_notify();
    exchange();
    wire.finish();
  }
  const std::string& heard() {
    exchange();
    heard_ += tls_.read();
    return heard_;
  }
  bool was_notified_of_the_end() {
    static_cast<void>(heard());
    return tls_.got_close_notify();
  }

 private:
  void exchange() {
    tls_.feed(as_bytes(wire.take_heard()));
    wire.say(tls_.take_output());
  }

  Dialogue& dialogue_;
  test::OpensslClient tls_;
  std::string heard_;

 public:
  Speaker& wire;
};

// --- the three kinds -------------------------------------------------------------------------------

TEST(TcpProxy, CarriesThePlainBytesOfATcpListener) {
  TcpDialogue dialogue;
  Speaker& client = dialogue.connect_through();
  dialogue.upstream().say("220 who speaks first\r\n");
  dialogue.settle();
  EXPECT_EQ(client.heard(), "220 who speaks first\r\n");
  client.say("GET / HTTP/1.1\r\n\r\n");
  dialogue.settle();
  EXPECT_EQ(dialogue.upstream().heard(), "GET / HTTP/1.1\r\n\r\n") << "it is not looked at";
  EXPECT_EQ(dialogue.gateway().counters().tunnels_active.value(), 1U);
  EXPECT_EQ(dialogue.gateway().counters().requests_active.value(), 0U);
}

TEST(TcpProxy, CarriesThePlaintextOfATerminatedServer) {
  TcpDialogue dialogue;
  TlsSpeaker client(dialogue, "tcp.test");
  ASSERT_TRUE(client.shakes_hands());
  client.say("ping");
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1 && dialogue.upstream().heard() == "ping"; }));
  dialogue.upstream().say("pong");
  ASSERT_TRUE(dialogue.until([&] { return client.heard() == "pong"; }));
  client.finish();
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream().has_ended_in_order(); }));
  dialogue.upstream().finish();
  ASSERT_TRUE(dialogue.until([&] { return client.wire.has_ended(); }));
  EXPECT_TRUE(client.was_notified_of_the_end());
}

TEST(TcpProxy, PassesTlsThroughFromTheFirstByteOfTheClientHelloOn) {
  TcpDialogue dialogue;
  const std::string hello = sim::client_hello("db.pass.test");
  for (const size_t piece : {hello.size(), size_t{7}}) {
    Speaker& client = dialogue.connect(tls_listener);
    for (size_t at = 0; at < hello.size(); at += piece) {
      client.say(std::string_view(hello).substr(at, piece));
      dialogue.settle(3ms);
    }
    const size_t index = piece == hello.size() ? 0 : 1;
    ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == index + 1; }));
    dialogue.settle();
    EXPECT_TRUE(dialogue.upstream(index).heard() == hello);
    dialogue.upstream(index).say("\x16\x03\x03 what a server says");
    client.say("and more");
    dialogue.settle();
    EXPECT_EQ(client.heard(), "\x16\x03\x03 what a server says");
    EXPECT_TRUE(dialogue.upstream(index).heard() == hello + "and more");
  }
  EXPECT_EQ(dialogue.gateway().counters().tls_handshakes.value(), 0U);
  EXPECT_EQ(dialogue.gateway().counters().tls_handshakes_active.value(), 0U);
  EXPECT_EQ(dialogue.gateway().counters().tls_handshake_failures.value(), 0U);
}

TEST(TcpProxy, LeavesHttpBesideItAlone) {
  TcpDialogue dialogue;
  TlsSpeaker secure(dialogue, "http.test");
  ASSERT_TRUE(secure.shakes_hands());
  secure.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  Speaker& plain = dialogue.connect();
  plain.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 2; }));
  dialogue.settle();
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(dialogue.upstream(i).heard().contains("x-forwarded-proto: ")) << dialogue.upstream(i).heard();
    dialogue.upstream(i).say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }
  ASSERT_TRUE(dialogue.until([&] { return plain.heard().ends_with("ok") && secure.heard().ends_with("ok"); }));
}

// What the destination hears must all be this client's.
TEST(TcpProxy, NeverTakesAConnectionThatARequestHasUsed) {
  TcpDialogue dialogue;
  Speaker& http = dialogue.connect();
  http.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  dialogue.settle();
  dialogue.upstream().say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  ASSERT_TRUE(dialogue.until([&] { return http.heard().ends_with("ok"); }));
  dialogue.settle();
  ASSERT_EQ(dialogue.gateway().services().upstreams.connection_count(), 1U) << "it rests in the pool";
  Speaker& client = dialogue.connect_tcp();
  client.say("hello");
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 2 && !dialogue.upstream(1).heard().empty(); }));
  EXPECT_EQ(dialogue.upstream(1).heard(), "hello");
}

// --- the end ---------------------------------------------------------------------------------------

TEST(TcpProxy, PassesOnTheEndOfEachDirectionOnItsOwn) {
  for (const bool is_client_first : {true, false}) {
    TcpDialogue dialogue;
    Speaker& client = dialogue.connect_through();
    Speaker& first = is_client_first ? client : dialogue.upstream();
    Speaker& second = is_client_first ? dialogue.upstream() : client;
    first.say("last words");
    first.finish();
    ASSERT_TRUE(dialogue.until([&] { return second.has_ended_in_order(); }));
    EXPECT_EQ(second.heard(), "last words");
    dialogue.settle();
    EXPECT_FALSE(first.has_ended());
    second.say("still here");
    second.finish();
    ASSERT_TRUE(dialogue.until([&] { return first.has_ended_in_order(); }));
    EXPECT_EQ(first.heard(), "still here");
  }
}

// "echo hello | nc": everything, and the end, is there before the destination is.
TEST(TcpProxy, CarriesWhatAClientSaidThatHadFinishedBeforeTheDestinationWasThere) {
  TcpDialogue dialogue;
  dialogue.connect_delay = 500ms;
  Speaker& client = dialogue.connect_tcp();
  client.say("hello");
  client.finish();
  ASSERT_TRUE(
      dialogue.until([&] { return dialogue.upstream_count() == 1 && dialogue.upstream().has_ended_in_order(); }));
  EXPECT_EQ(dialogue.upstream().heard(), "hello");
  dialogue.upstream().say("world");
  dialogue.upstream().finish();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended_in_order(); }));
  EXPECT_EQ(client.heard(), "world");
}

TEST(TcpProxy, LogsAndCountsWhatItHasCarried) {
  TcpDialogue dialogue;
  Speaker& client = dialogue.connect_through();
  client.say("12345");
  dialogue.upstream().say("1234567");
  dialogue.settle();
  EXPECT_EQ(dialogue.tcp_total(&observe::TcpMetrics::Series::opened), 1U);
  EXPECT_EQ(dialogue.tcp_total(&observe::TcpMetrics::Series::closed), 0U);
  EXPECT_EQ(dialogue.tcp_total(&observe::TcpMetrics::Series::received_bytes), 5U) << "while it lasts";
  EXPECT_EQ(dialogue.tcp_total(&observe::TcpMetrics::Series::sent_bytes), 7U);
  EXPECT_EQ(dialogue.log(), "");
  client.finish();
  dialogue.upstream().finish();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
  EXPECT_EQ(dialogue.tcp_total(&observe::TcpMetrics::Series::closed), 1U);
  const std::string line = dialogue.log();
  EXPECT_TRUE(line.contains(" \"- - -\" 0 - - - \"-\" 5 7 ")) << line;
  EXPECT_TRUE(line.contains(" \"192.0.2.1:8000\" outbound|8000||one ")) << line;
  EXPECT_TRUE(line.contains(" 192.0.2.100:5432 ")) << line;
  EXPECT_EQ(dialogue.gateway().services().upstreams.connection_count(), 0U) << "never into the pool";
}

TEST(TcpProxy, LogsTheServerName) {
  TcpDialogue dialogue;
  Speaker& client = dialogue.connect(tls_listener);
  client.say(sim::client_hello("db.pass.test"));
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1; }));
  dialogue.settle();
  client.finish();
  dialogue.upstream().finish();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended_in_order(); }));
  dialogue.settle();  // the other direction may end last
  const std::string line = dialogue.log();
  EXPECT_TRUE(line.ends_with(" db.pass.test -\n")) << line;
}

TEST(TcpProxy, ResetsTheClientWhenTheUpstreamResets) {
  TcpDialogue dialogue;
  Speaker& client = dialogue.connect_through();
  dialogue.upstream().say("half a mess");
  dialogue.settle();
  dialogue.upstream().reset();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
  EXPECT_TRUE(client.was_reset());
  EXPECT_EQ(client.heard(), "half a mess");
  EXPECT_TRUE(dialogue.log().contains("\"- - -\" 0 UR upstream_remote_reset "));
}

TEST(TcpProxy, ResetsTheUpstreamWhenTheClientResets) {
  TcpDialogue dialogue;
  Speaker& client = dialogue.connect_through();
  client.say("half a mess");
  dialogue.settle();
  client.reset();
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream().has_ended(); }));
  EXPECT_TRUE(dialogue.upstream().was_reset());
  EXPECT_TRUE(dialogue.log().contains("\"- - -\" 0 DC downstream_remote_disconnect "));
}

// RFC 8446 6.1: what ends without close_notify may have been cut.
TEST(TcpProxy, ResetsTheUpstreamWhenTlsEndsWithoutCloseNotify) {
  TcpDialogue dialogue;
  TlsSpeaker client(dialogue, "tcp.test");
  ASSERT_TRUE(client.shakes_hands());
  client.say("half a mess");
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  client.wire.finish();
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream().has_ended(); }));
  EXPECT_TRUE(dialogue.upstream().was_reset());
}

// --- nobody to talk to -----------------------------------------------------------------------------

TEST(TcpProxy, TriesAnotherEndpointWhenOneRefuses) {
  auto snapshot = tcp_snapshot();
  snapshot->clusters[0].endpoints.insert(snapshot->clusters[0].endpoints.begin(), {.address = deaf_endpoint});
  snapshot->clusters[0].load_balancing = snapshot::LoadBalancing::round_robin;
  TcpDialogue dialogue(std::move(snapshot));
  Speaker& client = dialogue.connect_tcp();
  client.say("hello");
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1 && dialogue.upstream().heard() == "hello"; }));
  EXPECT_FALSE(client.has_ended());
  EXPECT_EQ(dialogue.gateway().services().upstreams.connect_failure_count, 1U);
  EXPECT_EQ(dialogue.gateway().counters().upstream_retries.value(), 1U);
}

TEST(TcpProxy, ResetsTheClientWhenEveryEndpointRefuses) {
  TcpDialogue dialogue;
  dialogue.connect_error = ECONNREFUSED;
  Speaker& client = dialogue.connect_tcp();
  client.say("hello");
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
  EXPECT_TRUE(client.was_reset());
  EXPECT_EQ(dialogue.gateway().services().upstreams.connect_failure_count, limits::connect_attempts_max);
  const std::string line = dialogue.log();
  EXPECT_TRUE(line.contains("\"- - -\" 0 UF,URX upstream_connection_failure - \"connection_failure\" 0 0 ")) << line;
  EXPECT_EQ(dialogue.tcp_total(&observe::TcpMetrics::Series::opened), 1U);
  EXPECT_EQ(dialogue.tcp_total(&observe::TcpMetrics::Series::closed), 1U);
}

TEST(TcpProxy, GivesUpAnUpstreamThatNeverAnswersTheConnect) {
  TcpDialogue dialogue;
  dialogue.connect_delay = -1s;
  const Instant begin = dialogue.world().now();
  const Speaker& client = dialogue.connect_tcp();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
  EXPECT_LE(dialogue.world().now() - begin, 3s * (limits::connect_attempts_max + 1)) << "the cluster's connect timeout";
  EXPECT_TRUE(dialogue.log().contains(" \"connection_timeout\" "));
}

// Whose TLS we speak is told in its terms.
TEST(TcpProxy, EndsATerminatedConnectionInOrderWhenEveryEndpointRefuses) {
  TcpDialogue dialogue;
  dialogue.connect_error = ECONNREFUSED;
  TlsSpeaker client(dialogue, "tcp.test");
  ASSERT_TRUE(client.shakes_hands());
  ASSERT_TRUE(dialogue.until([&] { return client.wire.has_ended(); }));
  EXPECT_TRUE(client.wire.has_ended_in_order());
  EXPECT_TRUE(client.was_notified_of_the_end());
}

TEST(TcpProxy, ResetsTheClientWhenTheClusterHasNoEndpoint) {
  auto snapshot = tcp_snapshot();
  snapshot->clusters[0].endpoints.clear();
  TcpDialogue dialogue(std::move(snapshot));
  const Speaker& client = dialogue.connect_tcp();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
  EXPECT_TRUE(client.was_reset());
  const std::string line = dialogue.log();
  EXPECT_TRUE(line.contains("\"- - -\" 0 UH no_healthy_upstream - \"-\" ")) << line;
  EXPECT_TRUE(line.contains(" \"-\" outbound|8000||one ")) << line;
}

TEST(TcpProxy, ResetsTheClientWhenNoRouteHasItsServerName) {
  TcpDialogue dialogue;
  Speaker& client = dialogue.connect(tls_listener);
  client.say(sim::client_hello("noroute.test"));
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
  EXPECT_TRUE(client.was_reset());
  const std::string line = dialogue.log();
  EXPECT_TRUE(line.contains("\"- - -\" 0 NR route_not_found ")) << line;
  EXPECT_TRUE(line.ends_with(" noroute.test -\n")) << line;
}

TEST(TcpProxy, ResetsTheClientWhenTheRouteHasNoKnownDestination) {
  auto snapshot = tcp_snapshot();
  snapshot->route_tables[1].tcp_routes[0].destinations.clear();
  TcpDialogue dialogue(std::move(snapshot));
  const Speaker& client = dialogue.connect_tcp();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
  EXPECT_TRUE(client.was_reset());
  EXPECT_TRUE(dialogue.log().contains("\"- - -\" 0 NC cluster_not_found "));
}

TEST(TcpProxy, ResetsAClientWhoseServerNameNoServerHas) {
  TcpDialogue dialogue;
  for (const char* name : {"pass.test", "unknown.test", ""}) {
    Speaker& client = dialogue.connect(tls_listener);
    client.say(sim::client_hello(name));
    ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
    EXPECT_TRUE(client.was_reset());
    const std::string line = dialogue.log();
    EXPECT_TRUE(line.contains("\"- - -\" 0 NR filter_chain_not_found ")) << line;
    EXPECT_TRUE(line.ends_with(fmt::format(" {} -\n", *name == 0 ? "-" : name))) << line;
  }
}

// In plaintext it must not be spoken to.
TEST(TcpProxy, NeverSpeaksInPlaintextToAClusterThatWantsTls) {
  auto snapshot = tcp_snapshot();
  snapshot->clusters[0].tls.emplace();
  TcpDialogue dialogue(std::move(snapshot));
  const Speaker& client = dialogue.connect_tcp();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
  EXPECT_EQ(dialogue.upstream_count(), 0U);
  const std::string line = dialogue.log();
  EXPECT_TRUE(line.contains("\"- - -\" 0 UH no_healthy_upstream - \"TLS_error: no usable certificate\" ")) << line;
}

// --- a client that leaves, that does not read, that does nothing -----------------------------------

TEST(TcpProxy, GivesUpConnectingWhenTheClientLeaves) {
  TcpDialogue dialogue;
  dialogue.connect_delay = 2s;
  Speaker& client = dialogue.connect_tcp();
  client.say("hello");
  dialogue.settle();
  EXPECT_EQ(dialogue.gateway().services().upstreams.connection_count(), 1U);
  client.reset();
  dialogue.settle();
  EXPECT_EQ(dialogue.gateway().services().upstreams.connection_count(), 0U);
  EXPECT_EQ(dialogue.gateway().services().client_connections.count(), 0U);
  EXPECT_TRUE(dialogue.log().contains("\"- - -\" 0 DC downstream_remote_disconnect "));
}

TEST(TcpProxy, TakesFromAClientNoMoreThanItsStreamHoldsUntilTheDestinationIsThere) {
  TcpDialogue dialogue;
  dialogue.connect_delay = 2s;
  Speaker& client = dialogue.connect_tcp();
  const std::string much(4'000'000, 'e');
  client.say(much);
  dialogue.settle(1s);
  EXPECT_TRUE(client.is_interrupted());
  EXPECT_LE(dialogue.gateway().loop().receive_buffers().held_count() * limits::receive_buffer_bytes,
            4 * limits::read_high_bytes);
  ASSERT_TRUE(dialogue.until(
      [&] { return dialogue.upstream_count() == 1 && dialogue.upstream().heard().size() == much.size(); }));
}

TEST(TcpProxy, TakesFromOneSideNoMoreThanTheOtherTakes) {
  for (const bool is_client_slow : {true, false}) {
    TcpDialogue dialogue;
    Speaker& client = dialogue.connect_through();
    Speaker& slow = is_client_slow ? client : dialogue.upstream();
    Speaker& quick = is_client_slow ? dialogue.upstream() : client;
    slow.stop_listening();
    const std::string much(8'000'000, 'm');
    quick.say(much);
    dialogue.settle(10s);
    EXPECT_TRUE(quick.is_interrupted());
    EXPECT_LE(dialogue.gateway().loop().chunks().taken_count() * limits::chunk_bytes, 2 * limits::write_high_bytes);
    slow.resume_listening();
    ASSERT_TRUE(dialogue.until([&] { return slow.heard().size() == much.size(); }));
  }
}

TEST(TcpProxy, EndsWhenNothingMovesForLong) {
  TcpDialogue dialogue;
  Speaker& client = dialogue.connect_through();
  const Instant begin = dialogue.world().now();
  while (!client.has_ended() && dialogue.world().now() - begin < 3 * limits::tunnel_idle_timeout) dialogue.settle(60s);
  EXPECT_TRUE(client.was_reset());
  EXPECT_TRUE(dialogue.upstream().was_reset());
  EXPECT_GE(dialogue.world().now() - begin, limits::tunnel_idle_timeout - 2min);
  EXPECT_TRUE(dialogue.log().contains("\"- - -\" 0 SI tcp_session_idle_timeout "));
}

// The bytes for it wait, which must not hide that it says something.
TEST(TcpProxy, GoesOnForAsLongAsOneDirectionMoves) {
  TcpDialogue dialogue;
  Speaker& client = dialogue.connect_through();
  client.stop_listening();
  dialogue.upstream().say(std::string(2'000'000, 'm'));
  for (int i = 0; i < 10; ++i) {
    dialogue.settle(limits::tunnel_idle_timeout / 2);
    client.say("still here\n");
    dialogue.settle();
    ASSERT_FALSE(client.was_reset()) << i;
  }
}

// --- drain, reload, stop ---------------------------------------------------------------------------

TEST(TcpProxy, GoesOnWhileTheShardDrains) {
  TcpDialogue dialogue;
  Speaker& client = dialogue.connect_through();
  dialogue.gateway().drain();
  dialogue.settle(1s);
  client.say("ping");
  dialogue.upstream().say("pong");
  dialogue.settle();
  EXPECT_EQ(dialogue.upstream().heard(), "ping");
  EXPECT_EQ(client.heard(), "pong");
  client.finish();
  dialogue.upstream().finish();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended_in_order(); }));
}

TEST(TcpProxy, IsResetOnBothSidesWhenTheShardStops) {
  TcpDialogue dialogue;
  Speaker& client = dialogue.connect_through();
  dialogue.connect_delay = 2s;
  const Speaker& connecting = dialogue.connect_tcp();
  dialogue.settle();
  dialogue.gateway().services().open_connections.for_each([](ClientConnection& each) { each.terminate(); });
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended() && connecting.has_ended(); }));
  EXPECT_TRUE(client.was_reset());
  EXPECT_TRUE(dialogue.upstream().was_reset());
  EXPECT_TRUE(connecting.was_reset());
  EXPECT_TRUE(dialogue.log().contains("\"- - -\" 0 LR shutdown "));
}

// The snapshot that it began with is freed long before it ends, and with it the endpoint that it talks to.
TEST(TcpProxy, OutlivesItsSnapshot) {
  TcpDialogue dialogue;
  Speaker& client = dialogue.connect_through();
  auto next = tcp_snapshot();
  next->clusters[0].name = "outbound|8000||other";
  next->clusters[0].endpoints[0].address = deaf_endpoint;
  dialogue.reload(std::move(next));
  EXPECT_EQ(dialogue.gateway().services().snapshots.oldest_version(), 2U) << "nothing is pinned";

  client.say("ping");
  dialogue.settle();
  EXPECT_EQ(dialogue.upstream().heard(), "ping");
  client.finish();
  dialogue.upstream().finish();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended_in_order(); }));
  const std::string line = dialogue.log();
  EXPECT_TRUE(line.contains(" \"192.0.2.1:8000\" outbound|8000||one ")) << line;
}

TEST(TcpProxy, KeepsItsSnapshotUntilItIsConnected) {
  TcpDialogue dialogue;
  dialogue.connect_delay = 500ms;
  Speaker& client = dialogue.connect_tcp();
  dialogue.settle();
  auto next = tcp_snapshot();
  next->clusters[0].endpoints[0].address = deaf_endpoint;
  dialogue.reload(std::move(next));
  EXPECT_EQ(dialogue.gateway().services().snapshots.oldest_version(), 1U);
  client.say("ping");
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1 && dialogue.upstream().heard() == "ping"; }));
  dialogue.collect();
  EXPECT_EQ(dialogue.gateway().services().snapshots.oldest_version(), 2U);
}

// The next connection of a listener that has become another kind is of that kind.
TEST(TcpProxy, FollowsAListenerThatBecomesHttp) {
  TcpDialogue dialogue;
  Speaker& before = dialogue.connect_through();
  auto next = tcp_snapshot();
  next->listeners[1].is_tcp = false;
  next->listeners[1].route_table = 0;
  dialogue.reload(std::move(next));
  Speaker& after = dialogue.connect_tcp();
  after.say("no HTTP\r\n\r\n");
  ASSERT_TRUE(dialogue.until([&] { return after.has_ended(); }));
  EXPECT_TRUE(after.heard().starts_with("HTTP/1.1 501 ")) << after.heard();
  before.say("no HTTP\r\n\r\n");
  dialogue.settle();
  EXPECT_EQ(dialogue.upstream().heard(), "no HTTP\r\n\r\n");
}

// What was begun as bytes does not become HTTP, and for bytes the server has no routes any more.
TEST(TcpProxy, EndsAConnectionWhoseServerBecameHttpDuringTheHandshake) {
  TcpDialogue dialogue;
  TlsSpeaker client(dialogue, "tcp.test");
  client.begin_handshake();
  dialogue.settle();
  auto next = tcp_snapshot();
  next->listeners[2].tls_servers[1].kind = snapshot::ServerKind::http;
  next->listeners[2].tls_servers[1].route_table = 0;
  dialogue.reload(std::move(next));
  ASSERT_TRUE(client.shakes_hands());
  ASSERT_TRUE(dialogue.until([&] { return client.wire.has_ended(); }));
  EXPECT_TRUE(client.was_notified_of_the_end());
  EXPECT_EQ(dialogue.upstream_count(), 0U);
  EXPECT_TRUE(dialogue.log().contains("\"- - -\" 0 NR route_not_found "));
}

// --- rough weather ---------------------------------------------------------------------------------

TEST(TcpProxy, CarriesMuchBothWaysAndEndsInOrderInRoughWeather) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    sim::Weather weather = sim::rough_weather();
    weather.socket_buffer_max = seed % 2 == 0 ? 3000 : 64 * 1024;
    TcpDialogue dialogue(tcp_snapshot(), seed, weather);
    Speaker& client = dialogue.connect_tcp();
    const std::string up(20'000 * (seed % 8), 'u');
    const std::string down(30'000 * (seed % 5), 'd');
    client.say(up);
    client.finish();
    ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1; })) << "seed " << seed;
    dialogue.upstream().say(down);
    dialogue.upstream().finish();
    ASSERT_TRUE(dialogue.until([&] { return client.has_ended() && dialogue.upstream().has_ended(); }))
        << "seed " << seed;
    EXPECT_TRUE(client.has_ended_in_order()) << "seed " << seed;
    EXPECT_TRUE(dialogue.upstream().has_ended_in_order()) << "seed " << seed;
    EXPECT_EQ(client.heard().size(), down.size()) << "seed " << seed;
    EXPECT_EQ(dialogue.upstream().heard().size(), up.size()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sluice::proxy
