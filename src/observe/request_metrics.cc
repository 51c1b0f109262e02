#include "observe/request_metrics.h"

namespace sluice::observe {

void RequestMetrics::count(const RequestRecord& record) noexcept {
  const uint64_t of_grpc =
      record.is_grpc ? 1 + (record.grpc_status ? 1 + static_cast<uint64_t>(*record.grpc_status) : 0) : 0;
  Series& series = table_.series_of(
      DestinationLabels::hash_of(record.cluster, uint64_t{record.flags.bits} << 16 | record.status | of_grpc << 48),
      [&record](const Series& each) {
        return each.status == record.status && each.flags.bits == record.flags.bits && each.is_grpc == record.is_grpc &&
               each.grpc_status == record.grpc_status && each.destination.are_of(record.cluster);
      },
      [&record](Series& added) {
        added.destination.set(record.cluster);
        added.status = record.status;
        added.flags = record.flags;
        added.is_grpc = record.is_grpc;
        added.grpc_status = record.grpc_status;
      });
  const auto duration_us = std::chrono::duration_cast<std::chrono::microseconds>(record.duration).count();
  series.requests.add();
  series.durations_us.count(duration_bounds_us, static_cast<uint64_t>(std::max<int64_t>(0, duration_us)));
  series.request_bytes.count(size_bounds, record.bytes_received);
  series.response_bytes.count(size_bounds, record.bytes_sent);
}

}  // namespace sluice::observe
