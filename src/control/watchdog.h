// Tells the service manager that the process lives, which is: the main thread is here, and every shard
// has turned its loop since the last time. A shard that hangs ends in a restart (WatchdogSec=).
#pragma once

#include "control/service_manager.h"

#include <chrono>
#include <cstdint>
#include <vector>

namespace sluice::control {

class Watchdog {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Watchdog(Duration interval, unsigned shard_count, Time now)
      : interval_(interval), last_turns_(shard_count), last_told_(now) {}

  // True: time to tell the manager. `turns_of(i)`: the turns of shard i so far.
  template <typename TurnsOf>
  [[nodiscard]] bool is_due(TurnsOf turns_of, Time now) {
    // sd_watchdog_enabled(3) recommends half of the interval; the quarter leaves room for a reload.
    if (now - last_told_ < interval_ / 4) return false;
    for (unsigned i = 0; i < last_turns_.size(); ++i) {
      if (turns_of(i) == last_turns_[i]) return false;
    }
    for (unsigned i = 0; i < last_turns_.size(); ++i) last_turns_[i] = turns_of(i);
    last_told_ = now;
    return true;
  }

  // `shards`: a shard::ShardSet.
  template <typename Shards>
  void look(const Shards& shards, Time now) {
    if (is_due([&shards](unsigned i) { return shards.turns(i); }, now)) notify_watchdog();
  }

 private:
  Duration interval_;
  std::vector<uint64_t> last_turns_;
  Time last_told_;
};

}  // namespace sluice::control
