// How many shards use a snapshot: each says so for itself as long as it does (SnapshotUse), the control plane looks
// (Cell::collect()). Any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::snapshot {

class Uses {
 public:
  Uses() noexcept = default;
  // A copy of a snapshot is used by nobody yet.
  Uses(const Uses&) noexcept {}
  Uses& operator=(const Uses&) = delete;

  // False: no shard reads it any more, and what they did there is over.
  [[nodiscard]] bool any() const noexcept { return count_.load(std::memory_order_acquire) > 0; }

 private:
  friend class SnapshotUse;
  mutable std::atomic<uint32_t> count_{0};
};

class SnapshotUse {
 public:
  explicit SnapshotUse(const Uses& uses) noexcept : uses_(uses) {
    uses_.count_.fetch_add(1, std::memory_order_relaxed);
  }
  SnapshotUse(const SnapshotUse&) = delete;
  SnapshotUse& operator=(const SnapshotUse&) = delete;
  ~SnapshotUse() { uses_.count_.fetch_sub(1, std::memory_order_release); }

 private:
  const Uses& uses_;
};

}  // namespace sluice::snapshot
