#include "snapshot/cluster_keys.h"

#include "base/check.h"
#include "snapshot/snapshot.h"

#include <string_view>
#include <unordered_map>

namespace sluice::snapshot {

namespace {

// What upstream::ClusterTable makes of a cluster.
bool are_alike(const Cluster& a, const Cluster& b) noexcept {
  if (a.load_balancing != b.load_balancing || a.proxy_protocol != b.proxy_protocol ||
      a.connection_terms != b.connection_terms || a.bounds != b.bounds || a.tls.has_value() != b.tls.has_value())
    return false;
  if (a.tls && a.tls->identity != b.tls->identity) return false;
  if (a.resolution != b.resolution || a.requested_port != b.requested_port || a.guard != b.guard) return false;
  if (a.resolution == Resolution::by_name && a.dns_names != b.dns_names) return false;
  return a.endpoints == b.endpoints;
}

}  // namespace

ClusterKeys key_clusters(const Snapshot& next, const Snapshot* previous) {
  static const ClusterKeys none;
  const ClusterKeys& before = previous == nullptr ? none : previous->cluster_keys;
  std::unordered_map<std::string_view, uint32_t> by_name;
  for (uint32_t i = 0; i < before.keys.size(); ++i) CHECK(by_name.emplace(previous->clusters[i].name, i).second);

  ClusterKeys result{{}, before.last_revision};
  result.keys.resize(next.clusters.size());
  std::vector<bool> is_taken(next.clusters.size());  // slots beyond are not needed for new clusters
  std::vector<uint32_t> added;
  for (uint32_t i = 0; i < next.clusters.size(); ++i) {
    const auto found = by_name.find(next.clusters[i].name);
    if (found == by_name.end()) {
      added.push_back(i);
      continue;
    }
    ClusterKey key = before.keys[found->second];
    if (!are_alike(next.clusters[i], previous->clusters[found->second])) key.revision = ++result.last_revision;
    if (key.slot < is_taken.size()) is_taken[key.slot] = true;
    result.keys[i] = key;
  }
  uint32_t slot = 0;
  for (const uint32_t i : added) {
    while (is_taken[slot]) ++slot;
    result.keys[i] = {slot++, ++result.last_revision};
  }
  return result;
}

}  // namespace sluice::snapshot
