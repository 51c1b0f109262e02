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

// A shard that has not reported yet counts as having adopted version 0: it may be about to adopt any snapshot it has
// seen as current. One that runs on a version adopts no older one any more.
void Cell::collect() {
  const uint64_t adopted = std::min(oldest_adopted(), last_version_);
  std::erase_if(snapshots_,
                [adopted](const auto& snapshot) { return snapshot->version < adopted && !snapshot->uses.any(); });
}

uint64_t Cell::oldest_adopted() const noexcept {
  uint64_t oldest = std::numeric_limits<uint64_t>::max();
  for (unsigned i = 0; i < shard_count_; ++i)
    oldest = std::min(oldest, shards_[i].adopted.load(std::memory_order_acquire));
  return oldest;
}

bool Cell::adopted_by_all(uint64_t version) const noexcept { return oldest_adopted() >= version; }

void Cell::report(unsigned index, uint64_t adopted) noexcept {
  shards_[index].adopted.store(adopted, std::memory_order_release);
}

void Cell::leave(unsigned index) noexcept { report(index, std::numeric_limits<uint64_t>::max()); }

}  // namespace sluice::snapshot
