#include "observe/request_metrics.h"

#include <functional>
#include <string_view>

namespace sluice::observe {

namespace {

// By the host, not by the cluster's address: an address is used again by another cluster of a later snapshot.
// Ports and subsets of one host share their labels, as in Istio.
std::string_view host_of(const RequestRecord& record) noexcept {
  return record.cluster == nullptr ? std::string_view{} : std::string_view(record.cluster->host);
}

size_t hash_of(std::string_view host, uint16_t status, ResponseFlags flags) noexcept {
  const uint64_t code = (uint64_t{flags.bits} << 16 | status) * 0x9e3779b97f4a7c15;
  return std::hash<std::string_view>{}(host) ^ (code ^ code >> 32);
}

bool matches(const RequestMetrics::Series& series, std::string_view host, const RequestRecord& record) noexcept {
  return series.status == record.status && series.flags.bits == record.flags.bits && !series.is_overflow &&
         series.destination_service == host;
}

std::unique_ptr<RequestMetrics::Series> make_series(const RequestRecord& record) {
  auto series = std::make_unique<RequestMetrics::Series>();
  series->status = record.status;
  series->flags = record.flags;
  if (record.cluster == nullptr) return series;
  series->destination_service = record.cluster->host;
  series->service_name = record.cluster->service_name;
  series->service_namespace = record.cluster->service_namespace;
  return series;
}

}  // namespace

RequestMetrics::RequestMetrics() : table_(std::make_unique<Table>()) {}

RequestMetrics::~RequestMetrics() = default;

RequestMetrics::Series& RequestMetrics::series_of(const RequestRecord& record) {
  const std::string_view host = host_of(record);
  size_t slot = hash_of(host, record.status, record.flags) & (kSlots - 1);
  for (; table_->slots[slot] != 0; slot = (slot + 1) & (kSlots - 1)) {
    Series& series = *table_->series[table_->slots[slot] - 1U];
    if (matches(series, host, record)) return series;
  }

  // The last place is the overflow entry: it has no slot, so that it is met only here.
  const uint32_t used = table_->used.load(std::memory_order_relaxed);
  if (used == kSeriesMax) return *table_->series[kSeriesMax - 1];
  const bool is_overflow = used == kSeriesMax - 1;
  if (is_overflow) {
    table_->series[used] = std::make_unique<Series>();
    table_->series[used]->is_overflow = true;
  } else {
    table_->series[used] = make_series(record);
    table_->slots[slot] = static_cast<uint16_t>(used + 1);
  }
  table_->used.store(used + 1, std::memory_order_release);
  return *table_->series[used];
}

void RequestMetrics::count(const RequestRecord& record) noexcept {
  Series& series = series_of(record);
  const auto duration_us = std::chrono::duration_cast<std::chrono::microseconds>(record.duration).count();
  series.requests.add();
  series.durations_us.count(duration_bounds_us, static_cast<uint64_t>(std::max<int64_t>(0, duration_us)));
  series.request_bytes.count(size_bounds, record.bytes_received);
  series.response_bytes.count(size_bounds, record.bytes_sent);
}

}  // namespace sluice::observe
