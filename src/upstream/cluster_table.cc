#include "upstream/cluster_table.h"

#include "base/check.h"

#include <algorithm>
#include <unordered_map>

namespace sluice::upstream {

namespace {

snapshot::ConnectionBound bound_of(const snapshot::Cluster& cluster) noexcept {
  if (cluster.bounds.connections == snapshot::DestinationBounds::none) return {};
  return {cluster.bounds.connections, cluster.load};
}

}  // namespace

ClusterTable::ClusterTable(const snapshot::Snapshot& snapshot, const ClusterTable* previous) {
  const std::vector<snapshot::ClusterKey>& keys = snapshot.cluster_keys.keys;
  CHECK(keys.empty() || keys.size() == snapshot.clusters.size());
  clusters_.reserve(snapshot.clusters.size());
  slots_.reserve(keys.size());
  for (uint32_t i = 0; i < snapshot.clusters.size(); ++i) {
    if (keys.empty()) {
      clusters_.push_back(std::make_shared<Cluster>(snapshot.clusters[i], nullptr));
      continue;
    }
    const snapshot::ClusterKey key = keys[i];
    const Slot before = previous != nullptr && key.slot < previous->slots_.size() ? previous->slots_[key.slot] : Slot{};
    if (before.revision == key.revision) {
      clusters_.push_back(previous->clusters_[before.index]);
    } else {
      const Cluster* known = before.revision == 0 ? nullptr : previous->clusters_[before.index].get();
      clusters_.push_back(std::make_shared<Cluster>(snapshot.clusters[i], known));
    }
    if (key.slot >= slots_.size()) slots_.resize(key.slot + size_t{1});
    slots_[key.slot] = {key.revision, i};
  }
  for (const auto& cluster : clusters_) {
    if (cluster->requested != nullptr) requested_.push_back(cluster->requested.get());
  }
}

// `before` is what had its slot: perhaps another one.
ClusterTable::Cluster::Cluster(const snapshot::Cluster& described, const Cluster* before)
    : name(described.name),
      tls_identity(described.tls ? described.tls->identity : ""),
      proxy_protocol(described.proxy_protocol),
      load_balancing(described.load_balancing) {
  if (before != nullptr &&
      (before->name != name || before->tls_identity != tls_identity || before->proxy_protocol != proxy_protocol))
    before = nullptr;
  switch (described.resolution) {
    case snapshot::Resolution::configured: take_configured(described, before); break;
    case snapshot::Resolution::by_name: take_named(described, before); break;
    case snapshot::Resolution::by_request:
    case snapshot::Resolution::original: take_requested(described, before); break;
  }
}

void ClusterTable::Cluster::take_requested(const snapshot::Cluster& described, const Cluster* before) {
  const RequestedEndpoints* known = before == nullptr ? nullptr : before->requested.get();
  if (known != nullptr && known->resolution() == described.resolution && known->port() == described.requested_port &&
      known->guard() == described.guard) {
    requested = before->requested;
  } else {
    requested = std::make_shared<RequestedEndpoints>(described.resolution, described.requested_port, described.guard);
  }
  requested->set_terms(described.connection_terms, bound_of(described));
}

// Connections that are open stay; new ones are to what the name has then.
void ClusterTable::Cluster::take_named(const snapshot::Cluster& described, const Cluster* before) {
  if (described.dns_names.empty()) return;
  const snapshot::Cluster::DnsName& wanted = described.dns_names.front();
  if (before != nullptr && !before->endpoints.empty()) {
    const Endpoint& known = *before->endpoints.front();
    if (known.is_named() && known.name() == wanted.name && known.address().port == wanted.port &&
        known.guard() == described.guard)
      endpoints.push_back(before->endpoints.front());
  }
  if (endpoints.empty()) {
    endpoints.push_back(std::make_shared<Endpoint>(wanted.name, wanted.port,
                                                   std::make_shared<const snapshot::AddressGuard>(described.guard)));
  }
  endpoints.front()->terms = described.connection_terms;
  endpoints.front()->bound = bound_of(described);
}

void ClusterTable::Cluster::take_configured(const snapshot::Cluster& described, const Cluster* before) {
  std::unordered_map<SocketAddress, std::shared_ptr<Endpoint>, SocketAddressHash> known;
  if (before != nullptr) {
    for (const auto& endpoint : before->endpoints) {
      if (!endpoint->is_named()) known.emplace(endpoint->address(), endpoint);
    }
  }
  const bool is_weighted = std::ranges::any_of(
      described.endpoints, [&](const auto& endpoint) { return endpoint.weight != described.endpoints[0].weight; });
  uint64_t sum = 0;
  for (const snapshot::Endpoint& endpoint : described.endpoints) {
    const auto found = known.find(endpoint.address);
    endpoints.push_back(found != known.end() ? found->second : std::make_shared<Endpoint>(endpoint.address));
    endpoints.back()->terms = described.connection_terms;
    endpoints.back()->bound = bound_of(described);
    sum += endpoint.weight;
    if (is_weighted) cumulative_weights.push_back(sum);
  }
}

void ClusterTable::tidy(Instant now) {
  for (RequestedEndpoints* endpoints : requested_) endpoints->forget_unused(now);
}

size_t ClusterTable::requested_count() const noexcept {
  size_t count = 0;
  for (const RequestedEndpoints* endpoints : requested_) count += endpoints->count();
  return count;
}

Endpoint* ClusterTable::choose(uint32_t cluster_index, Random& random, const Endpoint* avoid) noexcept {
  Cluster& cluster = *clusters_[cluster_index];
  if (cluster.endpoints.empty()) return nullptr;
  if (cluster.endpoints.size() == 1) return cluster.endpoints[0].get();
  Endpoint* chosen = pick(cluster, random);
  // A few tries, as Envoy's previous_hosts predicate does (5); then any other one.
  for (unsigned attempt = 0; chosen == avoid && attempt < 5; ++attempt) chosen = pick(cluster, random);
  return chosen == avoid ? cluster.endpoints[cluster.endpoints[0].get() == avoid ? 1 : 0].get() : chosen;
}

Endpoint* ClusterTable::pick(Cluster& cluster, Random& random) noexcept {
  switch (cluster.load_balancing) {
    case snapshot::LoadBalancing::round_robin:
      if (cluster.cumulative_weights.empty()) return cluster.endpoints[cluster.next++ % cluster.endpoints.size()].get();
      return pick_any(cluster, random);
    case snapshot::LoadBalancing::random: return pick_any(cluster, random);
    case snapshot::LoadBalancing::least_request: return pick_less_busy(cluster, random);
  }
  UNREACHABLE();
}

// Of two (Mitzenmacher, power of two choices). They are two indeed: were one drawn twice, a slow one of three would get
// a ninth of the requests however busy it is. Weights are a matter of chance, so they are left to it.
Endpoint* ClusterTable::pick_less_busy(const Cluster& cluster, Random& random) noexcept {
  Endpoint* first = nullptr;
  Endpoint* second = nullptr;
  if (cluster.cumulative_weights.empty()) {
    const auto count = static_cast<uint32_t>(cluster.endpoints.size());
    const uint32_t index = random.below(count);
    first = cluster.endpoints[index].get();
    second = cluster.endpoints[(index + 1 + random.below(count - 1)) % count].get();
  } else {
    first = pick_any(cluster, random);
    second = pick_any(cluster, random);
  }
  return second->active_requests < first->active_requests ? second : first;
}

Endpoint* ClusterTable::pick_any(const Cluster& cluster, Random& random) noexcept {
  if (cluster.cumulative_weights.empty())
    return cluster.endpoints[random.below(static_cast<uint32_t>(cluster.endpoints.size()))].get();
  const uint64_t total = cluster.cumulative_weights.back();
  const uint64_t point = random.next() % total;
  const auto place = std::ranges::upper_bound(cluster.cumulative_weights, point);
  return cluster.endpoints[static_cast<size_t>(place - cluster.cumulative_weights.begin())].get();
}

const std::shared_ptr<const snapshot::Cluster>& ClusterTable::names_of(uint32_t cluster,
                                                                       const snapshot::Cluster& described) {
  std::shared_ptr<const snapshot::Cluster>& names = clusters_[cluster]->names;
  if (names == nullptr) {
    auto made = std::make_shared<snapshot::Cluster>();
    made->name = described.name;
    made->host = described.host;
    made->service_name = described.service_name;
    made->service_namespace = described.service_namespace;
    made->connection_terms = described.connection_terms;
    names = std::move(made);
  }
  return names;
}

}  // namespace sluice::upstream
