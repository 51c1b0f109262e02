// The clusters of one snapshot as one shard sees them: for each cluster its endpoints with their
// connections, and the choice among them. A new snapshot's table takes over the endpoints of the one
// before, by cluster name and address, as long as they are spoken to in the same way. One thread.
#pragma once

#include "base/random.h"
#include "snapshot/snapshot.h"
#include "upstream/endpoint.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice::upstream {

class ClusterTable {
 public:
  ClusterTable(const snapshot::Snapshot& snapshot, const ClusterTable* previous);
  ClusterTable(const ClusterTable&) = delete;
  ClusterTable& operator=(const ClusterTable&) = delete;

  // An endpoint of the cluster (an index into Snapshot::clusters) by its load-balancing policy; not
  // `avoid`, when there is another. Nullptr: the cluster has none.
  [[nodiscard]] Endpoint* choose(uint32_t cluster, Random& random, const Endpoint* avoid) noexcept;

 private:
  struct Cluster {
    snapshot::LoadBalancing load_balancing;
    std::string_view tls_identity;  // the snapshot's; empty: plaintext
    uint32_t next = 0;              // ROUND_ROBIN
    std::vector<std::shared_ptr<Endpoint>> endpoints;
    std::vector<uint64_t> cumulative_weights;  // empty: all weights are equal
  };

  static Endpoint* pick(Cluster& cluster, Random& random) noexcept;
  static Endpoint* pick_any(const Cluster& cluster, Random& random) noexcept;

  std::vector<Cluster> clusters_;
  std::unordered_map<std::string_view, uint32_t> by_name_;  // the views are the snapshot's
};

}  // namespace sluice::upstream
