// Any text at all as a file of documents. Besides not crashing: a snapshot exactly when nothing is an
// error, tables whose indices hold, messages that are safe to print, and the same answer every time.
#include "base/check.h"
#include "base/limits.h"
#include "config/load.h"
#include "http/authority.h"
#include "http/chars.h"
#include "http/known_field.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string_view>

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
  CHECK(table.virtual_hosts.empty() || table.tcp_routes.empty());
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

  config::Diagnostics again;
  CHECK(config::load_text("fuzz.yaml", text, again)->hash == snapshot->hash);
  return 0;
}
