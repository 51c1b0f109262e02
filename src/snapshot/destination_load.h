// What a destination is doing, for all shards together, where a DestinationRule bounds that (connectionPool; Envoy
// calls it circuit breaking). Snapshots of one destination share it, so that a reload forgets nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>

namespace sluice::snapshot {

struct Snapshot;

struct DestinationBounds {
  static constexpr uint32_t none = std::numeric_limits<uint32_t>::max();
  uint32_t connections = none;      // open at a time; beyond it, each shard may have one to each endpoint
  uint32_t requests = none;         // at a time
  uint32_t waiting = none;          // of these, for a connection to be opened, or free
  uint32_t retries = none;          // of these, that are sent once more; with a share, at least so many
  uint32_t retried_millionths = 0;  // which share of the requests may be sent once more

  [[nodiscard]] bool bound_anything() const noexcept { return *this != DestinationBounds{}; }
  friend bool operator==(const DestinationBounds&, const DestinationBounds&) = default;
};

struct DestinationLoad {
  // Any thread.
  class Gauge {
   public:
    // False: there are so many already, and nothing was taken.
    [[nodiscard]] bool take(uint32_t bound) noexcept {
      if (count_.fetch_add(1, std::memory_order_relaxed) < bound) return true;
      give_back();
      return false;
    }
    void take_always() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
    void give_back() noexcept { count_.fetch_sub(1, std::memory_order_relaxed); }
    [[nodiscard]] uint32_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

   private:
    std::atomic<uint32_t> count_{0};
  };

  Gauge connections;
  Gauge requests;
  Gauge waiting;
  Gauge in_line;  // of these, since there are as many connections as may be
  Gauge retries;

  // At a time, of the requests that are under way now.
  [[nodiscard]] uint32_t retries_max(const DestinationBounds& bounds) const noexcept {
    if (bounds.retried_millionths == 0) return bounds.retries;
    const uint64_t share = uint64_t{requests.count()} * bounds.retried_millionths / 1'000'000;
    return std::max(bounds.retries, static_cast<uint32_t>(share));
  }
};

// How many connections a destination may have at a time, and where they are counted; without a load, any number.
struct ConnectionBound {
  uint32_t most = DestinationBounds::none;
  std::shared_ptr<DestinationLoad> load;
};

// Destinations of `next` that are bounded, and were in `previous`, go on with the load that they have there.
void share_loads(Snapshot& next, const Snapshot& previous);

}  // namespace sluice::snapshot
