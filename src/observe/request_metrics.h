// istio_requests_total, istio_request_duration_milliseconds, istio_request_bytes and
// istio_response_bytes of one shard, by label set. A fixed open-addressed table of bounded size: label
// sets beyond it are counted under an overflow entry, so no client can grow the process. The shard
// inserts and adds; any thread reads entries that were published (acquire/release on `used`).
#pragma once

#include "base/counters.h"
#include "base/limits.h"
#include "observe/request_record.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace sluice::observe {

// Counts by upper bound: a value belongs to the first bucket whose bound is not smaller, or to the last
// one, which has none. The exposition adds them up.
template <size_t kBounds>
struct Histogram {
  std::array<Counter, kBounds + 1> buckets;
  Counter sum;

  void count(const std::array<uint64_t, kBounds>& bounds, uint64_t value) noexcept {
    const auto bucket = static_cast<size_t>(std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin());
    buckets[bucket].add();
    sum.add(value);
  }
};

// Istio's (Envoy's default) buckets, in microseconds.
inline constexpr std::array<uint64_t, 19> duration_bounds_us = {
    500,        1'000,       5'000,       10'000,        25'000,       50'000,     100'000,
    250'000,    500'000,     1'000'000,   2'500'000,     5'000'000,    10'000'000, 30'000'000,
    60'000'000, 300'000'000, 600'000'000, 1'800'000'000, 3'600'000'000};
inline constexpr std::array<uint64_t, 7> size_bounds = {100,       1'000,      10'000,     100'000,
                                                        1'000'000, 10'000'000, 100'000'000};

class RequestMetrics {
 public:
  // One label set and what was counted under it. The labels never change.
  struct Series {
    std::string destination_service;  // empty: no cluster was chosen
    std::string service_name;
    std::string service_namespace;
    uint16_t status = 0;
    ResponseFlags flags;
    bool is_overflow = false;  // everything that found the table full

    Counter requests;
    Histogram<duration_bounds_us.size()> durations_us;
    Histogram<size_bounds.size()> request_bytes;
    Histogram<size_bounds.size()> response_bytes;
  };

  RequestMetrics();
  RequestMetrics(const RequestMetrics&) = delete;
  RequestMetrics& operator=(const RequestMetrics&) = delete;
  ~RequestMetrics();

  // Shard only. Allocates only for a label set that is new.
  void count(const RequestRecord& record) noexcept;

  // Any thread: calls visit(const Series&) for every label set that has been seen.
  template <typename Visit>
  void for_each(Visit visit) const {
    const uint32_t used = table_->used.load(std::memory_order_acquire);
    for (uint32_t i = 0; i < used; ++i) visit(static_cast<const Series&>(*table_->series[i]));
  }

 private:
  static constexpr size_t kSeriesMax = limits::metric_label_sets_max;
  static constexpr size_t kSlots = 2 * kSeriesMax;  // at most half full: short probes
  static_assert((kSlots & (kSlots - 1)) == 0 && kSeriesMax < UINT16_MAX);

  struct Table {
    std::array<std::unique_ptr<Series>, kSeriesMax> series;  // the first `used` are set and stay
    std::atomic<uint32_t> used{0};
    std::array<uint16_t, kSlots> slots{};  // shard only: index into `series` + 1; 0: free
  };

  [[nodiscard]] Series& series_of(const RequestRecord& record);

  std::unique_ptr<Table> table_;
};

}  // namespace sluice::observe
