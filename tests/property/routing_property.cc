// Random documents and random requests: what sluice compiles and chooses is what the documents say, read from top to
// bottom (reference.h). Usage: routing_property FIRST_SEED LAST_SEED; with one seed, a failure shows everything.
#include "installation.h"
#include "reference.h"

#include "base/arena.h"
#include "config/load.h"
#include "route/choose_route.h"
#include "snapshot/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

using namespace sluice;
using namespace sluice::property;

namespace {

constexpr unsigned requests_per_installation = 60;

// Null: nothing listens there, or no server has that name.
const snapshot::RouteTable* table_for(const snapshot::Snapshot& tables, const Request& request) {
  for (const snapshot::Listener& listener : tables.listeners) {
    if (listener.address.port != request.port) continue;
    if (!listener.is_tls) return &tables.route_tables[listener.route_table];
    const auto server = listener.server_names.find(request.server_name);
    return server ? &tables.route_tables[listener.tls_servers[*server].route_table] : nullptr;
  }
  return nullptr;
}

route::Decision decide(const snapshot::Snapshot& tables, const snapshot::RouteTable& table, const Request& request,
                       Arena& arena, uint64_t random) {
  http::RequestHead head(arena);
  head.method = request.method;
  head.authority = request.authority;
  head.host = request.host;
  head.path = request.path;
  head.query = request.query;
  head.is_https = request.is_https;
  for (const auto& [name, value] : request.fields) (void)head.headers.add(name, value);
  return route::choose_route(tables, table, head, random);
}

std::string describe(const Expected& expected) {
  switch (expected.kind) {
    case Expected::Kind::no_listener: return "no listener";
    case Expected::Kind::not_found: return "not found";
    case Expected::Kind::https_redirect: return "redirect";
    case Expected::Kind::route: return expected.route->name;
  }
  return {};
}

std::string describe(const route::Decision& decision) {
  switch (decision.outcome) {
    case route::Outcome::not_found: return "not found";
    case route::Outcome::https_redirect: return "redirect";
    case route::Outcome::misdirected: return "misdirected";        // the SNI is always the host
    case route::Outcome::acme_challenge: return "ACME challenge";  // there is none in the snapshot
    case route::Outcome::redirect:
    case route::Outcome::direct_response:
    case route::Outcome::no_cluster:
    case route::Outcome::forward: return decision.route->name;
  }
  return {};
}

// Each destination gets its share of the sum of weights. Empty: as it should be.
std::string wrong_shares(const snapshot::Snapshot& tables, const snapshot::RouteTable& table, const Request& request,
                         const Route& route) {
  std::map<std::string, double> wanted;
  uint32_t sum = 0;
  for (const Destination& to : route.destinations) sum += to.weight;
  const bool is_single = route.destinations.size() == 1;
  const bool is_known = route.destinations.front().host != "missing.example";
  for (const Destination& to : route.destinations) {
    if (is_single && is_known) wanted[to.host] = 1;
    if (!is_single && to.weight > 0) wanted[to.host] += static_cast<double>(to.weight) / sum;
  }
  constexpr uint64_t tries = 100;
  std::map<std::string, double> got;
  for (uint64_t i = 0; i < tries; ++i) {
    Arena arena(16 * 1024);
    const route::Decision decision = decide(tables, table, request, arena, i * (UINT64_MAX / tries));
    if (decision.outcome != route::Outcome::forward) continue;
    got[tables.clusters[decision.destination->cluster].host] += 1.0 / tries;
  }
  for (const auto& [host, share] : wanted) got[host] -= share;
  for (const auto& [host, difference] : got) {
    if (std::abs(difference) > 0.03) return fmt::format("{} is off by {:.3f}", host, difference);
  }
  return {};
}

// False, and said why, when one request is decided otherwise.
bool check_seed(uint64_t seed, bool is_verbose, std::map<std::string, unsigned>& kinds) {
  Generator generator(seed);
  const Installation installation = generator.installation();
  const std::string yaml = installation.yaml();
  config::Diagnostics diagnostics;
  const auto tables = config::load_text("random.yaml", yaml, diagnostics);
  if (tables == nullptr) {
    fmt::print("seed {}: the documents do not load\n{}", seed, yaml);
    for (const auto& diagnostic : diagnostics.sorted()) fmt::print("{}\n", diagnostic.to_string());
    return false;
  }
  for (unsigned i = 0; i < requests_per_installation; ++i) {
    const Request request = generator.request(installation);
    const Expected expected = expected_decision(installation, request);
    const snapshot::RouteTable* table = table_for(*tables, request);
    Arena arena(16 * 1024);
    const std::string got = table == nullptr ? "no listener" : describe(decide(*tables, *table, request, arena, 1));
    std::string wrong;
    if (got != describe(expected)) {
      wrong = fmt::format("it is '{}' and should be '{}'", got, describe(expected));
    } else if (expected.route != nullptr) {
      wrong = wrong_shares(*tables, *table, request, *expected.route);
    }
    ++kinds[expected.route == nullptr ? got : "a route"];
    if (wrong.empty()) continue;
    if (is_verbose) fmt::print("{}", yaml);
    fmt::print("seed {}, {}\n  {}\n", seed, request.describe(), wrong);
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: {} FIRST_SEED LAST_SEED\n", argv[0]);
    return 2;
  }
  const uint64_t first = std::strtoull(argv[1], nullptr, 10);
  const uint64_t last = std::strtoull(argv[2], nullptr, 10);
  std::map<std::string, unsigned> kinds;  // how often each was right: a test of nothing but 404 shows
  unsigned failed = 0;
  for (uint64_t seed = first; seed <= last && failed < 5; ++seed)
    failed += check_seed(seed, first == last, kinds) ? 0 : 1;
  for (const auto& [kind, count] : kinds) fmt::print("{}: {} requests\n", kind, count);
  if (failed > 0) fmt::print("{} seeds failed; run one alone to see its documents\n", failed);
  return failed == 0 ? 0 : 1;
}
