// istio_requests_total, istio_request_duration_milliseconds, istio_request_bytes and
// istio_response_bytes of one shard, by label set (observe/series_table.h). The shard counts, any thread reads.
#pragma once

#include "base/counters.h"
#include "base/grpc_status.h"
#include "observe/destination_labels.h"
#include "observe/request_record.h"
#include "observe/series_table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

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
    DestinationLabels destination;
    uint16_t status = 0;
    bool is_grpc = false;
    std::optional<GrpcStatus> grpc_status;
    ResponseFlags flags;
    bool is_overflow = false;  // everything that found the table full

    Counter requests;
    Histogram<duration_bounds_us.size()> durations_us;
    Histogram<size_bounds.size()> request_bytes;
    Histogram<size_bounds.size()> response_bytes;
  };

  // Shard only. Allocates only for a label set that is new.
  void count(const RequestRecord& record) noexcept;

  // Any thread: calls visit(const Series&) for every label set that has been seen.
  template <typename Visit>
  void for_each(Visit visit) const {
    table_.for_each(visit);
  }

 private:
  SeriesTable<Series> table_;
};

}  // namespace sluice::observe
