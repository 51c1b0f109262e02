// The clusters of one snapshot as one shard sees them: for each cluster its endpoints with their
// connections, and the choice among them. A new snapshot's table shares what has not changed with the one before
// (snapshot/cluster_keys.h); of a cluster that has, it takes over the endpoints whose address is still there, as long
// as they are spoken to in the same way. Where clients name the destination, the endpoint is found by that. One thread.
#pragma once

#include "base/random.h"
#include "snapshot/snapshot.h"
#include "upstream/endpoint.h"
#include "upstream/requested_endpoints.h"

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

  // The endpoint for what a client requests, of a cluster that leaves that to it (takes_requested()).
  [[nodiscard]] RequestedEndpoints::Found find_requested(uint32_t cluster, const snapshot::RequestedTarget& target,
                                                         Instant now) {
    return clusters_[cluster]->requested->find(target, now);
  }
  [[nodiscard]] bool takes_requested(uint32_t cluster) const noexcept {
    return clusters_[cluster]->requested != nullptr;
  }
  // About once a second.
  void tidy(Instant now);
  // How many endpoints there are for what clients have requested.
  [[nodiscard]] size_t requested_count() const noexcept;

  // Of a cluster (`described` is the one of the snapshot), what the record of a connection needs that outlives its
  // snapshot: a connection may last for days. One for all that have begun in the same configuration of it.
  [[nodiscard]] const std::shared_ptr<const snapshot::Cluster>& names_of(uint32_t cluster,
                                                                         const snapshot::Cluster& described);

  // How many copies of requests a mirror has been sent and not answered, for proxy::MirroredRequest to count.
  [[nodiscard]] uint32_t& copies_under_way(uint32_t cluster) noexcept { return clusters_[cluster]->copies_under_way; }

 private:
  struct Cluster {
    Cluster(const snapshot::Cluster& described, const Cluster* before);
    void take_configured(const snapshot::Cluster& described, const Cluster* before);
    void take_named(const snapshot::Cluster& described, const Cluster* before);
    void take_requested(const snapshot::Cluster& described, const Cluster* before);

    std::string name;
    std::string tls_identity;  // empty: plaintext
    snapshot::ProxyProtocol proxy_protocol;
    snapshot::LoadBalancing load_balancing;
    uint32_t next = 0;  // ROUND_ROBIN
    uint32_t copies_under_way = 0;
    std::shared_ptr<RequestedEndpoints> requested;     // exactly when clients name the destination
    std::vector<std::shared_ptr<Endpoint>> endpoints;  // else
    std::vector<uint64_t> cumulative_weights;          // empty: all weights are equal
    std::shared_ptr<const snapshot::Cluster> names;    // once somebody has asked
  };
  struct Slot {
    uint64_t revision = 0;  // 0: nothing is here
    uint32_t index = 0;     // into clusters_
  };

  static Endpoint* pick(Cluster& cluster, Random& random) noexcept;
  static Endpoint* pick_any(const Cluster& cluster, Random& random) noexcept;
  static Endpoint* pick_less_busy(const Cluster& cluster, Random& random) noexcept;

  std::vector<std::shared_ptr<Cluster>> clusters_;
  std::vector<RequestedEndpoints*> requested_;  // of all clusters that have them
  std::vector<Slot> slots_;                     // by ClusterKey::slot
};

}  // namespace sluice::upstream
