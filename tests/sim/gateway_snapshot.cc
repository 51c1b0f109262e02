#include "sim/gateway_snapshot.h"

#include "connection.h"
#include "route_tables.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

namespace sluice::sim {

namespace {

using namespace std::chrono_literals;

constexpr uint16_t kOnePort = 8000;
constexpr uint16_t kLightPort = 8005;

SocketAddress address(uint8_t last, uint16_t port) {
  SocketAddress result;
  result.ip = {192, 0, 2, last};
  result.port = port;
  return result;
}

enum ClusterIndex : uint32_t {
  kOne,
  kSeveral,
  kHeavy,
  kLight,
  kDead,
  kNowhere,
  kShared,
  kMirror,
  kBytes,
  kFewBytes,
  kPassthrough
};
enum TableIndex : uint32_t { kHttpTable, kBytesTable, kPassthroughTable };

const std::array<SocketAddress, 8>& all_upstreams() {
  static const std::array<SocketAddress, 8> addresses = {address(1, kOnePort), address(2, 8001), address(3, 8002),
                                                         address(4, 8003),     address(5, 8004), address(6, kLightPort),
                                                         address(12, 8006),    address(13, 8007)};
  return addresses;
}

const std::array<SocketAddress, 5>& all_destinations() {
  static const std::array<SocketAddress, 5> addresses = {address(7, 9000), address(8, 9001), address(9, 9002),
                                                         address(10, 9443), address(11, 9444)};
  return addresses;
}

snapshot::Cluster stream_cluster(const std::string& name, std::vector<size_t> destinations) {
  snapshot::Cluster cluster;
  cluster.name = "outbound|9000||" + name;
  cluster.host = name;
  cluster.connect_timeout = 3s;
  for (const size_t destination : destinations)
    cluster.endpoints.push_back({.address = all_destinations()[destination]});
  return cluster;
}

snapshot::RouteTable stream_table(std::vector<std::string> server_names,
                                  std::vector<snapshot::WeightedDestination> destinations) {
  snapshot::RouteTable table;
  snapshot::TcpRoute& route = table.tcp_routes.emplace_back();
  route.server_names = std::move(server_names);
  for (const auto& destination : destinations) route.total_weight += destination.weight;
  route.destinations = std::move(destinations);
  return table;
}

// Indexes into all_upstreams().
std::vector<size_t> upstreams_of(ClusterIndex cluster) {
  switch (cluster) {
    case kOne: return {0};
    case kSeveral: return {1, 2, 3};
    case kHeavy: return {4};
    case kLight: return {5};
    case kShared: return {6, 7};
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
  if (index == kOne) {  // the one host that clients request
    cluster.resolution = snapshot::Resolution::by_request;
    cluster.requested_port = kOnePort;
    cluster.endpoints.clear();
  }
  if (index == kLight) {
    cluster.resolution = snapshot::Resolution::by_name;
    cluster.dns_names.push_back({.name = "light.test", .port = kLightPort});
    cluster.endpoints.clear();
  }
  if (index == kShared) cluster.http = snapshot::UpstreamHttp::http2;
  if (index == kDead) cluster.endpoints.push_back({.address = dead_address()});
  if (index == kMirror) cluster.endpoints.push_back({.address = mirror_address()});
  return cluster;
}

test::TestRoute route(Place place, std::vector<snapshot::WeightedDestination> destinations, Duration timeout = {}) {
  snapshot::Route route;
  route.name = name_of(place);
  route.destinations = std::move(destinations);
  route.timeout = timeout;
  return {std::move(route), {test::prefix(std::string("/") + name_of(place) + "/")}};
}

test::TestRoute retried_route() {
  test::TestRoute made = route(Place::retried, {{.cluster = kSeveral}});
  auto policy = std::make_shared<snapshot::RetryPolicy>();
  policy->attempts = retries;
  policy->conditions = static_cast<uint32_t>(snapshot::RetryOn::any_5xx);
  policy->per_try_timeout = 5s;
  policy->backoff = 5ms;
  made.route.retries = std::move(policy);
  made.route.mirrors = {{.cluster = kMirror}, {.cluster = kNowhere, .share = snapshot::every_request / 2}};
  return made;
}

test::TestRoute faulty_route() {
  test::TestRoute made = route(Place::faulty, {{.cluster = kOne}});
  made.route.fault = std::make_shared<snapshot::Fault>(snapshot::Fault{.delay = 3ms,
                                                                       .delay_share = snapshot::every_request / 2,
                                                                       .abort_status = injected_status,
                                                                       .abort_share = snapshot::every_request / 3});
  return made;
}

test::TestRoute direct_route() {
  test::TestRoute made = route(Place::direct, {});
  made.route.direct_response = std::make_shared<snapshot::DirectResponse>(
      snapshot::DirectResponse{.status = direct_status, .body = std::string(direct_body_size, 'd')});
  return made;
}

void add_tls_listener(snapshot::Snapshot& snapshot) {
  static const std::shared_ptr<tls::ServerContext> context = test::make_context(test::five_suites());
  snapshot::Listener& listener = snapshot.listeners.emplace_back();
  listener.address = listen_address(/*is_tls=*/true);
  listener.is_tls = true;
  listener.tls_servers.emplace_back().context = context;
  listener.server_names.add("*", 0);

  snapshot::TlsServer& terminated = listener.tls_servers.emplace_back();
  terminated.kind = snapshot::ServerKind::tcp;
  terminated.context = context;
  terminated.route_table = kBytesTable;
  listener.server_names.add(terminated_server_name, 1);

  snapshot::TlsServer& passthrough = listener.tls_servers.emplace_back();
  passthrough.kind = snapshot::ServerKind::passthrough;
  passthrough.route_table = kPassthroughTable;
  listener.server_names.add("*.pass.test", 2);
}

void add_streams(snapshot::Snapshot& snapshot, uint64_t version) {
  // Connections to the endpoint that version 2 does not have go on.
  snapshot.clusters.push_back(
      stream_cluster("bytes", version == 1 ? std::vector<size_t>{0, 1} : std::vector<size_t>{1}));
  snapshot.clusters.push_back(stream_cluster("fewbytes", {2}));
  snapshot.clusters.push_back(stream_cluster("passthrough", {3, 4}));
  snapshot.route_tables.push_back(
      stream_table({}, {{.cluster = kBytes, .weight = 3}, {.cluster = kFewBytes, .weight = 1}}));
  snapshot.route_tables.push_back(stream_table({"*.pass.test"}, {{.cluster = kPassthrough}}));
  snapshot::Listener& listener = snapshot.listeners.emplace_back();
  listener.address = listen_address(StreamPlan::Way::tcp);
  listener.is_tcp = true;
  listener.route_table = kBytesTable;
}

}  // namespace

SocketAddress listen_address(bool is_tls) { return address(100, is_tls ? 443 : 80); }
SocketAddress listen_address(StreamPlan::Way way) {
  return way == StreamPlan::Way::tcp ? address(100, 9000) : listen_address(/*is_tls=*/true);
}
const SocketAddress& mirror_address() {
  static const SocketAddress mirror = address(14, 8008);
  return mirror;
}
SocketAddress dead_address() { return address(200, 9999); }
std::span<const SocketAddress> upstream_addresses() { return all_upstreams(); }
bool speaks_http2(const SocketAddress& upstream) { return leads_to(Place::shared, upstream); }

bool leads_to(Place place, const SocketAddress& upstream) {
  const auto is_one_of = [&upstream](ClusterIndex cluster) {
    return std::ranges::any_of(upstreams_of(cluster), [&](size_t index) { return all_upstreams()[index] == upstream; });
  };
  switch (place) {
    case Place::one:
    case Place::faulty:
    case Place::timed: return is_one_of(kOne);
    case Place::several:
    case Place::retried: return is_one_of(kSeveral);
    case Place::weighted: return is_one_of(kHeavy) || is_one_of(kLight);
    case Place::shared: return is_one_of(kShared);
    default: return false;
  }
}

std::span<const SocketAddress> stream_addresses() { return all_destinations(); }

bool leads_to(StreamPlan::Way way, const SocketAddress& upstream) {
  constexpr size_t kBytesCount = 3;
  const auto found = std::ranges::find(all_destinations(), upstream);
  const auto index = static_cast<size_t>(found - all_destinations().begin());
  return way == StreamPlan::Way::passthrough ? index >= kBytesCount : index < kBytesCount;
}

std::span<const SocketAddress> deserted_addresses() {
  static const std::array<SocketAddress, 2> addresses = {*SocketAddress::from_ip("2001:db8::1", kOnePort),
                                                         *SocketAddress::from_ip("2001:db8::6", kLightPort)};
  return addresses;
}

const NameTable& upstream_names() {
  static const NameTable names = [] {
    const auto without_port = [](SocketAddress address) {
      address.port = 0;
      return address;
    };
    const auto both = [&](size_t deserted, size_t upstream) {
      return std::vector{without_port(deserted_addresses()[deserted]), without_port(all_upstreams()[upstream])};
    };
    return NameTable{{"sim.test", both(0, 0)}, {"light.test", both(1, 5)}};
  }();
  return names;
}

std::unique_ptr<snapshot::Snapshot> make_gateway_snapshot(uint64_t version, const snapshot::Snapshot* previous) {
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
  snapshot->clusters.push_back(cluster(kShared, "shared", least_request));
  snapshot->clusters.push_back(cluster(kMirror, "mirror", random));
  if (version == 2) {
    std::vector<snapshot::Endpoint>& endpoints = snapshot->clusters[kSeveral].endpoints;
    endpoints.erase(endpoints.begin());
    std::ranges::reverse(endpoints);
  }

  snapshot::VirtualHost host;
  host.pattern = "*";
  host.route_list = test::add_route_list(
      *snapshot, {route(Place::one, {{.cluster = kOne}}), route(Place::several, {{.cluster = kSeveral}}),
                  route(Place::weighted,
                        {{.cluster = kHeavy, .weight = version == 1 ? 3U : 1U}, {.cluster = kLight, .weight = 1}}),
                  route(Place::shared, {{.cluster = kShared}}), route(Place::timed, {{.cluster = kOne}}, 5s),
                  route(Place::dead, {{.cluster = kDead}}), route(Place::nowhere, {{.cluster = kNowhere}}),
                  retried_route(), faulty_route(), direct_route()});

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
  add_streams(*snapshot, version);
  snapshot->cluster_keys = snapshot::key_clusters(*snapshot, previous);
  return snapshot;
}

}  // namespace sluice::sim
