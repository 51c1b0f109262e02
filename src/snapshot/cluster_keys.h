// Which clusters of a snapshot are those of the one before. The control plane finds out once, so that the shards need
// not, for whom it would be the longest thing that they ever do: with ten thousand clusters, ten milliseconds.
#pragma once

#include <cstdint>
#include <vector>

namespace sluice::snapshot {

struct Snapshot;

struct ClusterKey {
  // Where shards find the cluster of this name: the same in each snapshot that has it, unless one had it not.
  uint32_t slot = 0;
  // Equal in two snapshots: a cluster of the same name, and shards make the same of it.
  uint64_t revision = 0;
};

struct ClusterKeys {
  std::vector<ClusterKey> keys;  // of each of Snapshot::clusters; none: nothing is taken over
  uint64_t last_revision = 0;
};

// Of `next`, whose clusters will not change any more. `previous` was keyed; null: there is none.
[[nodiscard]] ClusterKeys key_clusters(const Snapshot& next, const Snapshot* previous);

}  // namespace sluice::snapshot
