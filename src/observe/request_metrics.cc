#include "observe/request_metrics.h"

namespace sluice::observe {

void RequestMetrics::count(const RequestRecord& record) noexcept {
  Series& series = table_.series_of(
      DestinationLabels::hash_of(record.cluster, uint64_t{record.flags.bits} << 16 | record.status),
      [&record](const Series& each) {
        return each.status == record.status && each.flags.bits == record.flags.bits &&
               each.destination.are_of(record.cluster);
      },
      [&record](Series& added) {
        added.destination.set(record.cluster);
        added.status = record.status;
        added.flags = record.flags;
      });
  const auto duration_us = std::chrono::duration_cast<std::chrono::microseconds>(record.duration).count();
  series.requests.add();
  series.durations_us.count(duration_bounds_us, static_cast<uint64_t>(std::max<int64_t>(0, duration_us)));
  series.request_bytes.count(size_bounds, record.bytes_received);
  series.response_bytes.count(size_bounds, record.bytes_sent);
}

}  // namespace sluice::observe
