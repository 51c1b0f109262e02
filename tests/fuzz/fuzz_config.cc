// Any text at all as a file of documents. Besides not crashing: a snapshot exactly when nothing is an
// error, tables whose indices hold, messages that are safe to print, and the same answer every time.
#include "base/check.h"
#include "config/load.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>

using namespace sluice;

namespace {

bool is_control_character(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

void check_route(const snapshot::Snapshot& snapshot, const snapshot::Route& route) {
  CHECK(!route.matches.empty());
  const auto add = [](uint64_t sum, const snapshot::WeightedDestination& to) { return sum + to.weight; };
  CHECK(route.total_weight == std::accumulate(route.destinations.begin(), route.destinations.end(), uint64_t{0}, add));
  for (const snapshot::WeightedDestination& to : route.destinations) {
    CHECK(to.cluster < snapshot.clusters.size());
    CHECK(to.weight > 0);
  }
}

void check_listener(const snapshot::Snapshot& snapshot, const snapshot::Listener& listener) {
  CHECK(listener.address.port != 0);
  if (!listener.is_tls) CHECK(listener.route_table < snapshot.route_tables.size());
  CHECK(listener.is_tls == !listener.tls_servers.empty());
  for (const snapshot::TlsServer& server : listener.tls_servers) {
    CHECK(server.route_table < snapshot.route_tables.size());
    CHECK(!server.settings.cipher_suites.empty());
    CHECK(server.settings.min_version <= server.settings.max_version);
    for (const std::string& host : server.hosts) CHECK(listener.server_names.find_pattern(host).has_value());
  }
}

void check_snapshot(const snapshot::Snapshot& snapshot) {
  CHECK(snapshot.hash.size() == 32);
  for (const snapshot::Listener& listener : snapshot.listeners) check_listener(snapshot, listener);
  for (const snapshot::RouteTable& table : snapshot.route_tables) {
    for (const snapshot::VirtualHost& host : table.virtual_hosts) {
      CHECK(table.hosts.find_pattern(host.pattern).has_value());
      for (const snapshot::Route& route : host.routes) check_route(snapshot, route);
    }
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
    CHECK(diagnostic.message.size() < 2000);
  }
  if (!snapshot) return 0;
  check_snapshot(*snapshot);

  config::Diagnostics again;
  CHECK(config::load_text("fuzz.yaml", text, again)->hash == snapshot->hash);
  return 0;
}
