#include "snapshot/cell.h"

#include "base/check.h"
#include "snapshot/destination_load.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace sluice::snapshot {

Cell::Cell(unsigned shard_count) noexcept : shard_count_(shard_count) {
  CHECK(shard_count >= 1 && shard_count <= limits::shards_max);
}

void Cell::publish(std::unique_ptr<Snapshot> snapshot) {
  snapshot->version = ++last_version_;
  if (newest() != nullptr) share_loads(*snapshot, *newest());
  snapshot->cluster_keys = key_clusters(*snapshot, newest());
  snapshots_.push_back(std::move(snapshot));
  current_.store(snapshots_.back().get(), std::memory_order_release);
  collect();
}

// A shard that has not reported yet counts as using version 0, that is everything: it may be about to
// adopt any snapshot it has seen as current.
void Cell::collect() {
  uint64_t oldest = last_version_;
  for (unsigned i = 0; i < shard_count_; ++i)
    oldest = std::min(oldest, shards_[i].oldest_in_use.load(std::memory_order_acquire));
  std::erase_if(snapshots_, [oldest](const auto& snapshot) { return snapshot->version < oldest; });
}

bool Cell::adopted_by_all(uint64_t version) const noexcept {
  for (unsigned i = 0; i < shard_count_; ++i) {
    if (shards_[i].adopted.load(std::memory_order_acquire) < version) return false;
  }
  return true;
}

void Cell::report(unsigned index, uint64_t adopted, uint64_t oldest_in_use) noexcept {
  DCHECK(oldest_in_use <= adopted);
  shards_[index].oldest_in_use.store(oldest_in_use, std::memory_order_release);
  shards_[index].adopted.store(adopted, std::memory_order_release);
}

void Cell::leave(unsigned index) noexcept {
  report(index, std::numeric_limits<uint64_t>::max(), std::numeric_limits<uint64_t>::max());
}

}  // namespace sluice::snapshot
