// istio_tcp_connections_opened_total, istio_tcp_connections_closed_total, istio_tcp_sent_bytes_total and
// istio_tcp_received_bytes_total of one shard, by label set (observe/series_table.h): connections that carry no
// HTTP. The shard counts, any thread reads.
//
// A connection is opened, and its bytes count, without flags, as they come: it may last for days. It is closed
// with the flags of its end, so that opened less closed, over all flags, is what is open.
#pragma once

#include "base/counters.h"
#include "observe/destination_labels.h"
#include "observe/request_record.h"
#include "observe/series_table.h"

namespace sluice::observe {

class TcpMetrics {
 public:
  // One label set and what was counted under it. The labels never change.
  struct Series {
    DestinationLabels destination;
    ResponseFlags flags;
    bool is_overflow = false;  // everything that found the table full

    Counter opened;
    Counter closed;
    Counter received_bytes;  // from clients
    Counter sent_bytes;      // to clients
  };

  // Shard only; `cluster` null: none was chosen. Lives as long as this. Allocates only for a label set that is new.
  [[nodiscard]] Series& series_of(const snapshot::Cluster* cluster, ResponseFlags flags) noexcept;

  // Any thread: calls visit(const Series&) for every label set that has been seen.
  template <typename Visit>
  void for_each(Visit visit) const {
    table_.for_each(visit);
  }

 private:
  SeriesTable<Series> table_;
};

}  // namespace sluice::observe
