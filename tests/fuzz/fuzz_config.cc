// Any text at all as a file of documents. Besides not crashing: a snapshot exactly when nothing is an
// error, tables whose indices hold, messages that are safe to print, and the same answer every time. Requests made of
// what the tables have in them find routes that are there.
#include "base/arena.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/random.h"
#include "config/load.h"
#include "http/authority.h"
#include "http/chars.h"
#include "http/known_field.h"
#include "route/choose_route.h"
#include "route/choose_tcp_route.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice;

namespace {

bool is_control_character(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

// A head that a field cannot break out of, whatever the documents say.
void check_operations(const snapshot::FieldOperations& operations) {
  for (const auto* fields : {&operations.set, &operations.add}) {
    CHECK(fields->size() <= size_t{2} * limits::header_operations_max);  // of a route and its only destination
    for (const snapshot::FieldOperation& field : *fields) {
      CHECK(http::is_token(field.name) && !http::is_hop_by_hop(http::known_field(field.name)) && field.name != "host");
      CHECK(http::consists_of(field.value.source, http::char_class::value));
    }
  }
}

void check_operations(const snapshot::Snapshot& snapshot, std::optional<uint32_t> index) {
  if (!index) return;
  CHECK(*index < snapshot.header_operations.size());
  const snapshot::HeaderOperations& operations = snapshot.header_operations[*index];
  check_operations(operations.request);
  check_operations(operations.response);
  CHECK(operations.authority.empty() == operations.host.empty());
  CHECK(http::parse_authority(operations.authority).has_value());
}

template <typename Route>
void check_destinations(const snapshot::Snapshot& snapshot, const Route& route) {
  const auto add = [](uint64_t sum, const snapshot::WeightedDestination& to) { return sum + to.weight; };
  CHECK(route.total_weight == std::accumulate(route.destinations.begin(), route.destinations.end(), uint64_t{0}, add));
  for (const snapshot::WeightedDestination& to : route.destinations) {
    CHECK(to.cluster < snapshot.clusters.size());
    CHECK(to.weight > 0);
    check_operations(snapshot, to.header_operations);
  }
}

// Every match is found by its own path, unless one before it takes that path.
void check_route_list(const snapshot::Snapshot& snapshot, const snapshot::RouteList& list) {
  for (const snapshot::RequestMatch& match : list.matches()) {
    CHECK(match.route < snapshot.routes.size());
    CHECK((match.path.kind == snapshot::TextMatch::Kind::regex) == (match.path.regex != nullptr));
    if (match.path.kind == snapshot::TextMatch::Kind::regex) continue;
    const snapshot::RequestMatch* found = list.find(match.path.text, [](const auto&) { return true; });
    CHECK(found != nullptr && found <= &match);
  }
}

void check_table(const snapshot::Snapshot& snapshot, const snapshot::RouteTable& table) {
  for (const snapshot::VirtualHost& host : table.virtual_hosts) {
    CHECK(table.hosts.find_pattern(host.pattern).has_value());
    if (host.route_list) check_route_list(snapshot, snapshot.route_lists.at(*host.route_list));
  }
  for (const snapshot::TcpRoute& route : table.tcp_routes) check_destinations(snapshot, route);
  // Those of outbound traffic have both, and "*" at least.
  CHECK(table.virtual_hosts.empty() || table.tcp_routes.empty() || snapshot.outbound.has_value());
}

void check_outbound(const snapshot::Snapshot& snapshot, const snapshot::Outbound& outbound) {
  CHECK(std::ranges::is_sorted(outbound.ports, std::less_equal<>(), &snapshot::Outbound::Port::number));
  const auto check = [&](uint32_t table) {
    CHECK(table < snapshot.route_tables.size() && snapshot.route_tables[table].hosts.find_pattern("*").has_value());
  };
  for (const snapshot::Outbound::Port& port : outbound.ports) check(port.route_table);
  check(outbound.other_ports_table);
}

// A name of the documents is never that of the request, and only that one may lead to wherever it likes.
void check_cluster(const snapshot::Cluster& cluster) {
  if (cluster.resolution == snapshot::Resolution::configured) return;
  CHECK(cluster.endpoints.empty() && cluster.dns_names.size() <= 1);
  CHECK(cluster.resolution != snapshot::Resolution::by_name || cluster.dns_names.size() == 1);
  const bool is_named_by_request = cluster.dns_names.empty();
  CHECK(!is_named_by_request || cluster.guard.named != AddressScope::host);
  CHECK(!is_named_by_request || cluster.host.starts_with("*.") || cluster.host == "PassthroughCluster");
}

// What would let in any client, or show no certificate, is closed.
void check_credentials(const snapshot::TlsServer& server) {
  const snapshot::TlsSettings& settings = server.settings;
  const bool asks = settings.client_certificates != snapshot::ClientCertificates::none;
  CHECK(asks == settings.client_verification.has_value());
  CHECK(server.key_pairs.size() <= 2);
  if (asks) CHECK(server.key_pairs.empty() || !settings.client_verification->ca_pem.empty());
  if (server.kind == snapshot::ServerKind::passthrough) CHECK(server.key_pairs.empty());
}

void check_listener(const snapshot::Snapshot& snapshot, const snapshot::Listener& listener) {
  CHECK(listener.address.port != 0);
  CHECK(listener.role == snapshot::ListenerRole::gateway || snapshot.outbound.has_value());
  if (!listener.is_tls) CHECK(listener.route_table < snapshot.route_tables.size());
  CHECK(listener.is_tls == !listener.tls_servers.empty());
  CHECK(!listener.is_tls || !listener.is_tcp);
  for (const snapshot::TlsServer& server : listener.tls_servers) {
    CHECK(server.route_table < snapshot.route_tables.size());
    CHECK(!server.settings.cipher_suites.empty());
    CHECK(server.settings.min_version <= server.settings.max_version);
    check_credentials(server);
    for (const std::string& host : server.hosts) CHECK(listener.server_names.find_pattern(host).has_value());
  }
}

void check_snapshot(const snapshot::Snapshot& snapshot) {
  CHECK(snapshot.hash.size() == 32);
  for (const snapshot::Listener& listener : snapshot.listeners) check_listener(snapshot, listener);
  for (const snapshot::RouteTable& table : snapshot.route_tables) check_table(snapshot, table);
  for (const snapshot::Cluster& cluster : snapshot.clusters) check_cluster(cluster);
  if (snapshot.outbound) check_outbound(snapshot, *snapshot.outbound);
}

// --- Requests --------------------------------------------------------------------------------------

constexpr unsigned requests_per_table = 20;

template <typename Items>
bool holds(const Items& items, const typename Items::value_type* item) {
  return std::less_equal<>()(items.data(), item) && std::less<>()(item, items.data() + items.size());
}

// One that the pattern stands for.
std::string host_of(std::string_view pattern) {
  return pattern.starts_with('*') ? "x" + std::string(pattern.substr(1)) : std::string(pattern);
}

// What a request of the match would have, or nearly so.
std::string text_of(const snapshot::TextMatch& match, Random& random) {
  std::string text = match.regex == nullptr ? match.text : match.regex->expression();
  switch (random.below(4)) {
    case 0: return text + "/x";
    case 1: return text.substr(0, text.size() / 2);
    case 2: std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; }); break;
    default: break;
  }
  return text;
}

// Texts of what a request has; a head only points at them.
struct Request {
  std::string host;
  std::string path = "/";
  std::string method = "GET";
  std::string query;
  std::vector<std::pair<std::string, std::string>> fields;

  void follow(const snapshot::RequestMatch& match, Random& random) {
    path = text_of(match.path, random);
    for (const snapshot::Condition& condition : match.conditions) {
      std::string text = text_of(condition.text, random);
      switch (condition.subject) {
        case snapshot::Condition::Subject::method: method = std::move(text); break;
        case snapshot::Condition::Subject::field: fields.emplace_back(condition.name, std::move(text)); break;
        case snapshot::Condition::Subject::query_parameter: query += condition.name + "=" + text + "&"; break;
        case snapshot::Condition::Subject::scheme:
        case snapshot::Condition::Subject::authority: break;
      }
    }
  }
};

Request make_request(const snapshot::Snapshot& snapshot, const snapshot::RouteTable& table, Random& random) {
  Request request;
  const auto& virtual_host = table.virtual_hosts[random.below(static_cast<uint32_t>(table.virtual_hosts.size()))];
  request.host = host_of(virtual_host.pattern);
  if (!virtual_host.route_list) return request;
  const auto matches = snapshot.route_lists[*virtual_host.route_list].matches();
  if (!matches.empty()) request.follow(matches[random.below(static_cast<uint32_t>(matches.size()))], random);
  return request;
}

void check_decision(const snapshot::Snapshot& snapshot, const snapshot::RouteTable& table,
                    const route::Decision& decision) {
  CHECK(decision.virtual_host != nullptr && holds(table.virtual_hosts, decision.virtual_host));
  CHECK((decision.route != nullptr) == (decision.match != nullptr));
  CHECK((decision.outcome == route::Outcome::forward) == (decision.destination != nullptr));
  CHECK(decision.outcome != route::Outcome::forward || decision.route != nullptr);
  if (decision.route == nullptr) return;
  CHECK(holds(snapshot.routes, decision.route));
  CHECK(&snapshot.routes[decision.match->route] == decision.route);
  if (decision.destination == nullptr) return;
  CHECK(holds(decision.route->destinations, decision.destination));
  CHECK(decision.destination->cluster < snapshot.clusters.size());
}

void route_requests(const snapshot::Snapshot& snapshot, const snapshot::RouteTable& table, Random& random) {
  if (table.virtual_hosts.empty()) return;
  for (unsigned i = 0; i < requests_per_table; ++i) {
    const Request request = make_request(snapshot, table, random);
    Arena arena(limits::exchange_arena_bytes_max);
    http::RequestHead head(arena);
    head.method = request.method;
    head.authority = head.host = request.host;
    head.path = request.path;
    head.query = request.query;
    head.is_https = random.below(2) == 0;
    for (const auto& [name, value] : request.fields) (void)head.headers.add(name, value);
    check_decision(snapshot, table, route::choose_route(snapshot, table, head, random.next()));
  }
}

void route_connections(const snapshot::Snapshot& snapshot, const snapshot::RouteTable& table, Random& random) {
  for (const snapshot::TcpRoute& route : table.tcp_routes) {
    const std::string name = route.server_names.empty() ? "" : host_of(route.server_names.back());
    const SocketAddress* address = route.addresses.empty() ? nullptr : &route.addresses.back().network;
    const route::TcpDecision decision = route::choose_tcp_route(table, name, address, random.next());
    // Its own route, or one before that takes the name too.
    CHECK(decision.route != nullptr && holds(table.tcp_routes, decision.route) && decision.route <= &route);
    if (decision.destination != nullptr) CHECK(decision.destination->cluster < snapshot.clusters.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  config::Diagnostics diagnostics;
  const auto snapshot = config::load_text("fuzz.yaml", text, diagnostics);
  CHECK((snapshot == nullptr) == diagnostics.has_errors());
  for (const config::Diagnostic& diagnostic : diagnostics.sorted()) {
    CHECK(std::ranges::none_of(diagnostic.to_string(), is_control_character));
    CHECK(std::ranges::none_of(diagnostic.field, is_control_character));
    CHECK(diagnostic.message.size() < 2000);
  }
  if (!snapshot) return 0;
  check_snapshot(*snapshot);
  Random random(std::hash<std::string_view>()(text));
  for (const snapshot::RouteTable& table : snapshot->route_tables) {
    route_requests(*snapshot, table, random);
    route_connections(*snapshot, table, random);
  }

  config::Diagnostics again;
  CHECK(config::load_text("fuzz.yaml", text, again)->hash == snapshot->hash);
  return 0;
}
