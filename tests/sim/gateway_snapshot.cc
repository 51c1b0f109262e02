#include "sim/gateway_snapshot.h"

#include "connection.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::sim {

namespace {

using namespace std::chrono_literals;

SocketAddress address(uint8_t last, uint16_t port) {
  SocketAddress result;
  result.ip = {192, 0, 2, last};
  result.port = port;
  return result;
}

enum ClusterIndex : uint32_t { kOne, kSeveral, kHeavy, kLight, kDead, kNowhere };

const std::array<SocketAddress, 6>& all_upstreams() {
  static const std::array<SocketAddress, 6> addresses = {address(1, 8000), address(2, 8001), address(3, 8002),
                                                         address(4, 8003), address(5, 8004), address(6, 8005)};
  return addresses;
}

// Indexes into all_upstreams().
std::vector<size_t> upstreams_of(ClusterIndex cluster) {
  switch (cluster) {
    case kOne: return {0};
    case kSeveral: return {1, 2, 3};
    case kHeavy: return {4};
    case kLight: return {5};
    default: return {};
  }
}

snapshot::Cluster cluster(ClusterIndex index, const std::string& name, snapshot::LoadBalancing balancing) {
  snapshot::Cluster cluster;
  cluster.name = "outbound|80||" + name;
  cluster.host = name;
  cluster.load_balancing = balancing;
  cluster.connect_timeout = 3s;
  for (const size_t upstream : upstreams_of(index)) cluster.endpoints.push_back({.address = all_upstreams()[upstream]});
  if (index == kDead) cluster.endpoints.push_back({.address = dead_address()});
  return cluster;
}

snapshot::Route route(Place place, std::vector<snapshot::WeightedDestination> destinations, Duration timeout = {}) {
  snapshot::Route route;
  route.name = name_of(place);
  route.matches.push_back({.kind = snapshot::PathMatch::Kind::prefix, .text = std::string("/") + name_of(place) + "/"});
  for (const auto& destination : destinations) route.total_weight += destination.weight;
  route.destinations = std::move(destinations);
  route.timeout = timeout;
  return route;
}

void add_tls_listener(snapshot::Snapshot& snapshot) {
  static const std::shared_ptr<tls::ServerContext> context = test::make_context(test::five_suites());
  snapshot::Listener& listener = snapshot.listeners.emplace_back();
  listener.address = listen_address(/*is_tls=*/true);
  listener.is_tls = true;
  listener.tls_servers.emplace_back().context = context;
  listener.server_names.add("*", 0);
}

}  // namespace

SocketAddress listen_address(bool is_tls) { return address(100, is_tls ? 443 : 80); }
SocketAddress dead_address() { return address(200, 9999); }
std::span<const SocketAddress> upstream_addresses() { return all_upstreams(); }

bool leads_to(Place place, const SocketAddress& upstream) {
  const auto is_one_of = [&upstream](ClusterIndex cluster) {
    return std::ranges::any_of(upstreams_of(cluster), [&](size_t index) { return all_upstreams()[index] == upstream; });
  };
  switch (place) {
    case Place::one:
    case Place::timed: return is_one_of(kOne);
    case Place::several: return is_one_of(kSeveral);
    case Place::weighted: return is_one_of(kHeavy) || is_one_of(kLight);
    default: return false;
  }
}

std::unique_ptr<snapshot::Snapshot> make_gateway_snapshot(uint64_t version) {
  using enum snapshot::LoadBalancing;
  auto snapshot = std::make_unique<snapshot::Snapshot>();
  snapshot->version = version;
  snapshot->hash = std::to_string(version);
  snapshot->clusters.push_back(cluster(kOne, "one", round_robin));
  snapshot->clusters.push_back(cluster(kSeveral, "several", version == 1 ? round_robin : least_request));
  snapshot->clusters.push_back(cluster(kHeavy, "heavy", random));
  snapshot->clusters.push_back(cluster(kLight, "light", least_request));
  snapshot->clusters.push_back(cluster(kDead, "dead", random));
  snapshot->clusters.push_back(cluster(kNowhere, "nowhere", random));
  if (version == 2) {
    std::vector<snapshot::Endpoint>& endpoints = snapshot->clusters[kSeveral].endpoints;
    endpoints.erase(endpoints.begin());
    std::ranges::reverse(endpoints);
  }

  snapshot::VirtualHost host;
  host.pattern = "*";
  host.routes.push_back(route(Place::one, {{.cluster = kOne}}));
  host.routes.push_back(route(Place::several, {{.cluster = kSeveral}}));
  host.routes.push_back(route(
      Place::weighted, {{.cluster = kHeavy, .weight = version == 1 ? 3U : 1U}, {.cluster = kLight, .weight = 1}}));
  host.routes.push_back(route(Place::timed, {{.cluster = kOne}}, 5s));
  host.routes.push_back(route(Place::dead, {{.cluster = kDead}}));
  host.routes.push_back(route(Place::nowhere, {{.cluster = kNowhere}}));

  snapshot::VirtualHost redirected;
  redirected.pattern = "redirected.test";
  redirected.https_redirect = true;

  snapshot::RouteTable& table = snapshot->route_tables.emplace_back();
  table.name = "http.80";
  table.hosts.add(host.pattern, 0);
  table.hosts.add(redirected.pattern, 1);
  table.virtual_hosts.push_back(std::move(host));
  table.virtual_hosts.push_back(std::move(redirected));

  snapshot->listeners.emplace_back().address = listen_address(/*is_tls=*/false);
  add_tls_listener(*snapshot);
  return snapshot;
}

}  // namespace sluice::sim
