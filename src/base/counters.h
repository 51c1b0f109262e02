// Counters with one writer each: the owning shard adds, the control plane reads at any time.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice {

class Counter {
 public:
  // Owner only: a plain load and store, no locked instruction.
  void add(uint64_t amount = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void subtract(uint64_t amount = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) - amount, std::memory_order_relaxed);
  }
  void set(uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }

  // Any thread.
  [[nodiscard]] uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// For what is suspicious but survivable.
#define COUNT_IF(counter, condition) \
  do {                               \
    if (condition) (counter).add();  \
  } while (false)

}  // namespace sluice
