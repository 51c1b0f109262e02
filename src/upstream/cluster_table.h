// The clusters of one snapshot as one shard sees them: for each cluster its endpoints with their
// connections, and the choice among them. A new snapshot's table shares what has not changed with the one before
// (snapshot/cluster_keys.h); of a cluster that has, it takes over the endpoints whose address is still there, as long
// as they are spoken to in the same way. One thread.
#pragma once

#include "base/random.h"
#include "snapshot/snapshot.h"
#include "upstream/endpoint.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sluice::upstream {

class ClusterTable {
 public:
  // Snapshots that were not keyed share nothing.
  ClusterTable(const snapshot::Snapshot& snapshot, const ClusterTable* previous);
  ClusterTable(const ClusterTable&) = delete;
  ClusterTable& operator=(const ClusterTable&) = delete;

  // An endpoint of the cluster (an index into Snapshot::clusters) by its load-balancing policy; not
  // `avoid`, when there is another. Nullptr: the cluster has none.
  [[nodiscard]] Endpoint* choose(uint32_t cluster, Random& random, const Endpoint* avoid) noexcept;

  // How many copies of requests a mirror has been sent and not answered, for proxy::MirroredRequest to count.
  [[nodiscard]] uint32_t& copies_under_way(uint32_t cluster) noexcept { return clusters_[cluster]->copies_under_way; }

 private:
  struct Cluster {
    Cluster(const snapshot::Cluster& described, const Cluster* before);

    std::string name;
    std::string tls_identity;  // empty: plaintext
    snapshot::ProxyProtocol proxy_protocol;
    snapshot::LoadBalancing load_balancing;
    uint32_t next = 0;  // ROUND_ROBIN
    uint32_t copies_under_way = 0;
    std::vector<std::shared_ptr<Endpoint>> endpoints;
    std::vector<uint64_t> cumulative_weights;  // empty: all weights are equal
  };
  struct Slot {
    uint64_t revision = 0;  // 0: nothing is here
    uint32_t index = 0;     // into clusters_
  };

  static Endpoint* pick(Cluster& cluster, Random& random) noexcept;
  static Endpoint* pick_any(const Cluster& cluster, Random& random) noexcept;

  std::vector<std::shared_ptr<Cluster>> clusters_;
  std::vector<Slot> slots_;  // by ClusterKey::slot
};

}  // namespace sluice::upstream
