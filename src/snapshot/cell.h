// How a snapshot reaches the shards and how an old one ends, without a lock in the data plane.
//
// The control plane publishes; each shard, between two loop turns, looks at current() and adopts it;
// requests in flight keep the version they were routed with. A shard reports which version it has adopted, and each
// snapshot knows whether a shard uses it (its adopted one, or an older one that a request pins); the control plane
// frees those that no shard uses, nor can begin to: publish() and collect() do that.
//
// Control plane: one thread. Shards: each its own index.
#pragma once

#include "base/limits.h"
#include "snapshot/snapshot.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace sluice::snapshot {

class Cell {
 public:
  explicit Cell(unsigned shard_count) noexcept;

  // --- control plane ---
  // Gives the snapshot its version and the keys of its clusters, makes it current and frees what is no longer used.
  void publish(std::unique_ptr<Snapshot> snapshot);
  // Frees every snapshot that no shard uses.
  void collect();
  // The newest snapshot, which cannot be freed before the next publish().
  [[nodiscard]] const Snapshot* newest() const noexcept {
    return snapshots_.empty() ? nullptr : snapshots_.back().get();
  }
  // True when every shard has adopted `version` or a later one.
  [[nodiscard]] bool adopted_by_all(uint64_t version) const noexcept;
  // How many snapshots are alive.
  [[nodiscard]] size_t alive_count() const noexcept { return snapshots_.size(); }

  // --- a shard ---
  [[nodiscard]] const Snapshot* current() const noexcept { return current_.load(std::memory_order_acquire); }
  // From now on shard `index` runs on version `adopted`, and reads no others but those that it has a SnapshotUse of.
  void report(unsigned index, uint64_t adopted) noexcept;
  // A shard that has ended uses nothing.
  void leave(unsigned index) noexcept;

 private:
  struct alignas(64) ShardVersion {
    std::atomic<uint64_t> adopted{0};
  };
  [[nodiscard]] uint64_t oldest_adopted() const noexcept;

  unsigned shard_count_;
  uint64_t last_version_ = 0;
  std::atomic<const Snapshot*> current_{nullptr};
  std::vector<std::unique_ptr<Snapshot>> snapshots_;  // oldest first; the last is current
  std::array<ShardVersion, limits::shards_max> shards_;
};

}  // namespace sluice::snapshot
