// Metrics of one shard by label set: a fixed open-addressed table of bounded size. Label sets beyond it are
// counted under an overflow entry, so no client can grow the process. The shard inserts and adds; any thread
// reads entries that were published (acquire/release on `used`).
#pragma once

#include "base/limits.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice::observe {

// `Series`: one label set, which never changes, with its counters, and `bool is_overflow`.
template <typename Series>
class SeriesTable {
 public:
  SeriesTable() : table_(std::make_unique<Table>()) {}
  SeriesTable(const SeriesTable&) = delete;
  SeriesTable& operator=(const SeriesTable&) = delete;

  // Shard only. The series of `hash` for which `matches(const Series&)`; if there is none, `fill(Series&)` sets
  // the labels of a new one. It lives as long as the table.
  template <typename Matches, typename Fill>
  [[nodiscard]] Series& series_of(size_t hash, Matches matches, Fill fill) {
    size_t slot = hash & (kSlots - 1);
    for (; table_->slots[slot] != 0; slot = (slot + 1) & (kSlots - 1)) {
      Series& series = *table_->series[table_->slots[slot] - 1U];
      if (matches(static_cast<const Series&>(series))) return series;
    }

    // The last place is the overflow entry: it has no slot, so that it is met only here.
    const uint32_t used = table_->used.load(std::memory_order_relaxed);
    if (used == kSeriesMax) return *table_->series[kSeriesMax - 1];
    table_->series[used] = std::make_unique<Series>();
    if (used == kSeriesMax - 1) {
      table_->series[used]->is_overflow = true;
    } else {
      fill(*table_->series[used]);
      table_->slots[slot] = static_cast<uint16_t>(used + 1);
    }
    table_->used.store(used + 1, std::memory_order_release);
    return *table_->series[used];
  }

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

  std::unique_ptr<Table> table_;
};

}  // namespace sluice::observe
