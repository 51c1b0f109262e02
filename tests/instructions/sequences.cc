#include "instructions/sequences.h"

#include "instructions/scene.h"
#include "route_tables.h"
#include "sim_io/instruction_count.h"
#include "test_pairs.h"

#include "tls/server_context.h"
#include "tls/ticket_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace sluice::instructions {

namespace {

using sim::InstructionCount;

constexpr size_t kSmall = 13;
constexpr size_t k10KiB = 10 * 1024;
constexpr size_t k64KiB = 64 * 1024;
constexpr size_t k1MiB = 1024 * 1024;

constexpr unsigned kClients = 8;
constexpr unsigned kStreams = 10;

constexpr unsigned kWarmUpRounds = 10;
constexpr unsigned kRounds = 25;

template <typename Round>
void measure(unsigned rounds, Round round) {
  for (unsigned i = 0; i < kWarmUpRounds; ++i) round();
  InstructionCount::set_wanted(true);
  for (unsigned i = 0; i < rounds; ++i) round();
  InstructionCount::set_wanted(false);
}

std::string get_request(std::string_view host = "httpbin.example.com", std::string_view path = "/get",
                        std::string_view more_fields = {}) {
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n"
      "{}\r\n",
      path, host, more_fields);
}

// --- snapshots -------------------------------------------------------------------------------------

// With a listener for TLS beside the plain one; RSA-2048, tickets.
std::unique_ptr<snapshot::Snapshot> tls_snapshot() {
  auto made = sim::one_upstream_snapshot();
  snapshot::Listener& listener = made->listeners.emplace_back();
  listener.address = tls_listener;
  listener.is_tls = true;
  listener.server_names.add("*", 0);
  CHECK(tls::initialize().has_value());
  const test::Pem& pair = test::rsa_2048();
  const auto context = tls::ServerContext::create(
      test::server({.cipher_suites = {"ECDHE-RSA-AES128-GCM-SHA256"}}, pair.certificate, pair.key),
      *tls::TicketKeyring::create(std::chrono::system_clock::now()));
  listener.tls_servers.emplace_back().context = *context;
  return made;
}

snapshot::Format literal(std::string_view text) {
  return {.source = std::string(text),
          .parts = {{.op = snapshot::Operator::literal, .text = std::string(text)}},
          .needs = {}};
}

snapshot::Format request_field(std::string_view name) {
  return {
      .source = {},
      .parts = {{.op = snapshot::Operator::request_field,
                 .field = {.kind = snapshot::FieldReference::Kind::field, .name = std::string(name)}}},
      .needs = {},
  };
}

constexpr unsigned kHosts = 1000;

std::string host_name(unsigned index) { return fmt::format("host-{}.example.com", index); }

// Many hosts, each with some routes of its own that set, add and remove fields both ways.
std::unique_ptr<snapshot::Snapshot> many_hosts_snapshot() {
  auto made = sim::one_upstream_snapshot();
  snapshot::HeaderOperations& operations = made->header_operations.emplace_back();
  operations.request.remove = {"cookie"};
  operations.request.set = {{"x-gateway", literal("sluice")}, {"x-agent", request_field("user-agent")}};
  operations.request.add = {{"x-team", literal("checkout")}};
  operations.response.remove = {"server"};
  operations.response.set = {{"strict-transport-security", literal("max-age=31536000")}};

  snapshot::RouteTable& table = made->route_tables.emplace_back();
  for (unsigned i = 0; i < kHosts; ++i) {
    std::vector<test::TestRoute> routes;
    for (const char* path : {"/api/v1/orders", "/api/v1/customers", "/api/v1", "/static", "/"}) {
      routes.push_back({{.destinations = {{.cluster = 0}}, .header_operations = 0}, {test::prefix(path)}});
    }
    snapshot::VirtualHost host;
    host.pattern = host_name(i);
    host.route_list = test::add_route_list(*made, std::move(routes));
    table.hosts.add(host.pattern, i);
    table.virtual_hosts.push_back(std::move(host));
  }
  made->listeners[0].route_table = 1;
  return made;
}

// An explicit proxy that reaches what is registered: everything.
std::unique_ptr<snapshot::Snapshot> proxy_snapshot() {
  auto made = sim::one_upstream_snapshot();
  snapshot::TcpRoute& route = made->route_tables.emplace_back().tcp_routes.emplace_back();
  route.destinations.push_back({.cluster = 0});
  route.total_weight = 1;
  made->outbound.emplace().other_ports_table = 1;
  snapshot::Listener& listener = made->listeners.emplace_back();
  listener.address = proxy_listener;
  listener.role = snapshot::ListenerRole::proxy;
  return made;
}

// --- HTTP/1.1 --------------------------------------------------------------------------------------

// Each client asks, until all of them are answered.
template <typename MakeRequest>
void ask_all(Scene& scene, std::vector<Http1Client>& clients, MakeRequest make_request, size_t content_bytes) {
  for (Http1Client& client : clients) client.ask(make_request(), content_bytes);
  scene.run_until([&] {
    // Not all_of(): every one of them takes what has come.
    return static_cast<size_t>(std::ranges::count_if(clients, &Http1Client::is_answered)) == clients.size();
  });
}

unsigned keep_alive(Scene& scene, std::vector<Http1Client>& clients, const std::string& request, size_t content_bytes,
                    unsigned rounds = kRounds, size_t request_content_bytes = 0) {
  scene.answer_with(response_of(content_bytes), request_content_bytes);
  measure(rounds, [&] { ask_all(scene, clients, [&] { return request; }, content_bytes); });
  return rounds * static_cast<unsigned>(clients.size());
}

std::vector<Http1Client> plain_clients(Scene& scene, unsigned count = kClients) {
  std::vector<Http1Client> clients;
  for (unsigned i = 0; i < count; ++i) clients.emplace_back(Wire(scene, plain_listener));
  return clients;
}

std::vector<Http1Client> tls_clients(Scene& scene) {
  std::vector<Http1Client> clients;
  for (unsigned i = 0; i < kClients; ++i) clients.emplace_back(Wire(scene, "http/1.1"));
  return clients;
}

unsigned http1_keep_alive(size_t content_bytes) {
  Scene scene;
  std::vector<Http1Client> clients = plain_clients(scene);
  return keep_alive(scene, clients, get_request(), content_bytes);
}

unsigned http1_keep_alive_small() { return http1_keep_alive(kSmall); }
unsigned http1_keep_alive_10k() { return http1_keep_alive(k10KiB); }

// Large enough to be spliced.
unsigned http1_keep_alive_1m() {
  Scene scene;
  std::vector<Http1Client> clients = plain_clients(scene, 2);
  const unsigned requests = keep_alive(scene, clients, get_request(), k1MiB, 5);
  CHECK(scene.gateway().counters().spliced_bytes.value() > 0);
  return requests;
}

unsigned http1_upload_64k() {
  Scene scene;
  std::vector<Http1Client> clients = plain_clients(scene);
  const std::string request = fmt::format(
      "POST /post HTTP/1.1\r\nHost: httpbin.example.com\r\nContent-Type: text/plain\r\n"
      "Content-Length: {}\r\n\r\n{}",
      k64KiB, std::string(k64KiB, 'u'));
  return keep_alive(scene, clients, request, kSmall, kRounds, k64KiB);
}

unsigned http1_access_log() {
  Scene scene;
  scene.gateway().services().observer.access_log.set_enabled(true);
  std::vector<Http1Client> clients = plain_clients(scene);
  const unsigned requests = keep_alive(scene, clients, get_request(), kSmall);
  CHECK(scene.gateway().services().observer.access_log.dropped_count() == 0);
  return requests;
}

unsigned http1_many_hosts() {
  Scene scene(many_hosts_snapshot());
  std::vector<Http1Client> clients = plain_clients(scene);
  scene.answer_with(response_of(kSmall));
  unsigned index = 0;
  measure(kRounds, [&] {
    ask_all(
        scene, clients,
        [&] {
          index = (index + 7) % kHosts;
          return get_request(host_name(index), "/api/v1/orders/4711?expand=items", "Cookie: session=4f2a9c0e1b7d\r\n");
        },
        kSmall);
  });
  return kRounds * kClients;
}

unsigned http1_new_connection() {
  Scene scene;
  scene.answer_with(response_of(kSmall));
  const std::string request = get_request("httpbin.example.com", "/get", "Connection: close\r\n");
  measure(kRounds, [&] {
    std::vector<Http1Client> clients = plain_clients(scene);
    ask_all(scene, clients, [&] { return request; }, kSmall);
    scene.run_until(
        [&] { return std::ranges::all_of(clients, [](auto& each) { return each.wire().speaker().has_ended(); }); });
    for (Http1Client& client : clients) client.wire().close();
    scene.run_until([&] { return scene.gateway().services().client_connections.count() == 0; });
  });
  return kRounds * kClients;
}

// --- TLS -------------------------------------------------------------------------------------------

unsigned tls_keep_alive(size_t content_bytes) {
  Scene scene(tls_snapshot());
  std::vector<Http1Client> clients = tls_clients(scene);
  return keep_alive(scene, clients, get_request(), content_bytes);
}

unsigned tls_keep_alive_small() { return tls_keep_alive(kSmall); }
unsigned tls_keep_alive_10k() { return tls_keep_alive(k10KiB); }

// OpenSSL uses a session of TLS 1.3 once.
test::OpensslSession copy_of(const test::OpensslSession& session) {
  return session == nullptr ? nullptr : test::OpensslSession(SSL_SESSION_dup(session.get()), SSL_SESSION_free);
}

// Handshakes, one after the other, and the end of each connection. `session`: to be resumed.
unsigned handshakes(Scene& scene, const test::OpensslSession& session) {
  measure(kRounds, [&] {
    Wire wire(scene, "http/1.1", copy_of(session));
    CHECK(wire.is_resumed() == (session != nullptr));
    wire.close();
    scene.run_until([&] { return scene.gateway().services().client_connections.count() == 0; });
  });
  return kRounds;
}

unsigned tls_handshake() {
  Scene scene(tls_snapshot());
  return handshakes(scene, nullptr);
}

unsigned tls_resumption() {
  Scene scene(tls_snapshot());
  test::OpensslSession session;
  {
    Http1Client client(Wire(scene, "http/1.1"));
    scene.answer_with(response_of(kSmall));
    client.ask(get_request(), kSmall);
    scene.run_until([&] { return client.is_answered(); });
    session = client.wire().session();
    client.wire().close();
  }
  return handshakes(scene, session);
}

// --- HTTP/2 ----------------------------------------------------------------------------------------

constexpr unsigned kHttp2Clients = 2;

unsigned streams(Scene& scene, std::vector<Http2Client>& clients, size_t content_bytes) {
  scene.answer_with(response_of(content_bytes));
  measure(kRounds, [&] {
    for (Http2Client& client : clients) client.ask(kStreams);
    scene.run_until([&] {
      return std::ranges::count_if(clients, [content_bytes](Http2Client& client) {
               return client.is_answered(content_bytes);
             }) == kHttp2Clients;
    });
  });
  return kRounds * kHttp2Clients * kStreams;
}

unsigned http2_plain(size_t content_bytes) {
  Scene scene;
  std::vector<Http2Client> clients;
  for (unsigned i = 0; i < kHttp2Clients; ++i) clients.emplace_back(Wire(scene, plain_listener));
  return streams(scene, clients, content_bytes);
}

unsigned http2_small() { return http2_plain(kSmall); }
unsigned http2_10k() { return http2_plain(k10KiB); }

unsigned http2_tls_small() {
  Scene scene(tls_snapshot());
  std::vector<Http2Client> clients;
  for (unsigned i = 0; i < kHttp2Clients; ++i) clients.emplace_back(Wire(scene, "h2"));
  return streams(scene, clients, kSmall);
}

// The clients of HTTP/1.1 share connections of HTTP/2 to the upstream.
unsigned http2_upstream_small() {
  auto snapshot = sim::one_upstream_snapshot();
  snapshot->clusters[0].http = snapshot::UpstreamHttp::http2;
  Scene scene(std::move(snapshot));
  scene.answer_by_http2(kSmall);
  std::vector<Http1Client> clients = plain_clients(scene);
  measure(kRounds, [&] { ask_all(scene, clients, [] { return get_request(); }, kSmall); });
  return kRounds * kClients;
}

// --- CONNECT ---------------------------------------------------------------------------------------

constexpr std::string_view kConnect = "CONNECT db.example.com:5432 HTTP/1.1\r\nHost: db.example.com:5432\r\n\r\n";

// Takes what has come until it is so much.
bool has_heard(sim::Speaker& speaker, size_t bytes) { return speaker.heard().size() >= bytes; }

// Its upstream is the one that was connected to last.
sim::Speaker& open_tunnel(Scene& scene) {
  const size_t index = scene.upstream_count();
  sim::Speaker& client = scene.connect(proxy_listener);
  client.say(kConnect);
  scene.run_until([&] { return client.heard().ends_with("\r\n\r\n") && scene.upstream_count() == index + 1; });
  CHECK(client.take_heard().starts_with("HTTP/1.1 200"));
  return client;
}

// A tunnel, a message each way, and its end.
unsigned tunnel_connect() {
  Scene scene(proxy_snapshot());
  measure(kRounds, [&] {
    sim::Speaker& client = open_tunnel(scene);
    sim::Speaker& upstream = scene.upstream(scene.upstream_count() - 1);
    client.say("ping");
    scene.run_until([&] { return has_heard(upstream, 4); });
    upstream.say("pong");
    scene.run_until([&] { return has_heard(client, 4); });
    client.finish();
    scene.run_until([&] { return upstream.has_ended(); });
    upstream.finish();
    scene.run_until([&] { return client.has_ended(); });
    scene.run_until([&] { return scene.gateway().services().client_connections.count() == 0; });
  });
  return kRounds;
}

// A KiB there and back.
unsigned tunnel_messages() {
  Scene scene(proxy_snapshot());
  std::vector<sim::Speaker*> clients;
  for (unsigned i = 0; i < kClients; ++i) clients.push_back(&open_tunnel(scene));
  const std::string message(1024, 'm');
  measure(kRounds, [&] {
    for (sim::Speaker* client : clients) client->say(message);
    scene.run_until([&] {
      for (unsigned i = 0; i < kClients; ++i) {
        sim::Speaker& upstream = scene.upstream(i);
        if (has_heard(upstream, message.size())) upstream.say(upstream.take_heard());
      }
      return std::ranges::all_of(clients, [&](sim::Speaker* client) { return has_heard(*client, message.size()); });
    });
    for (sim::Speaker* client : clients) static_cast<void>(client->take_heard());
  });
  return kRounds * kClients;
}

constexpr Sequence kSequences[] = {
    {"http1/keep-alive-small", http1_keep_alive_small},
    {"http1/keep-alive-10k", http1_keep_alive_10k},
    {"http1/keep-alive-1m", http1_keep_alive_1m},
    {"http1/upload-64k", http1_upload_64k},
    {"http1/new-connection", http1_new_connection},
    {"http1/access-log", http1_access_log},
    {"http1/many-hosts", http1_many_hosts},
    {"tls/keep-alive-small", tls_keep_alive_small},
    {"tls/keep-alive-10k", tls_keep_alive_10k},
    {"tls/handshake", tls_handshake},
    {"tls/resumption", tls_resumption},
    {"http2/streams-small", http2_small},
    {"http2/streams-10k", http2_10k},
    {"http2/streams-tls-small", http2_tls_small},
    {"http2/upstream-small", http2_upstream_small},
    {"tunnel/connect", tunnel_connect},
    {"tunnel/messages-1k", tunnel_messages},
};

}  // namespace

std::span<const Sequence> all_sequences() { return kSequences; }

}  // namespace sluice::instructions
