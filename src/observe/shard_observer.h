// A shard's side of observation: its counters, its metrics by label and its access log buffer. The
// shard writes, the control plane reads at any time (relaxed atomics, single-producer ring buffer);
// nothing here blocks, locks or allocates in steady state.
#pragma once

#include "base/counters.h"
#include "observe/access_log.h"
#include "observe/request_metrics.h"
#include "observe/request_record.h"
#include "observe/tcp_metrics.h"

namespace sluice::observe {

struct ShardCounters {
  Counter connections_accepted;    // downstream
  Counter connections_active;      // gauge
  Counter proxy_header_failures;   // connections that did not begin with one
  Counter admission_pauses;        // accepting stopped because of a limit
  Counter tls_handshakes;          // completed
  Counter tls_handshakes_resumed;  // of them, those that resumed a session
  Counter tls_handshake_failures;
  Counter tls_handshakes_active;  // gauge
  Counter requests_active;        // gauge
  Counter upstream_connections_opened;
  Counter upstream_connections_active;  // gauge
  Counter upstream_connect_failures;
  Counter upstream_reuses;
  Counter upstream_retries;
  Counter mirrored_requests;          // copies that were sent
  Counter mirrored_requests_active;   // gauge
  Counter mirrored_requests_lost;     // copies that were not
  Counter downstream_bytes_received;  // on the wire
  Counter downstream_bytes_sent;
  Counter upstream_bytes_received;
  Counter upstream_bytes_sent;
  Counter spliced_bytes;
  Counter tunnels_active;  // gauge
  Counter receive_buffers_exhausted;
  Counter completion_overflows;
  Counter loop_turns;
};

struct ShardObserver {
  ShardCounters counters;
  RequestMetrics requests;
  TcpMetrics tcp;
  AccessLogBuffer access_log;

  // A request has ended: metrics, and a line when the access log is on.
  void on_request_end(const RequestRecord& record) noexcept {
    requests.count(record);
    log(record);
  }

  // A connection without HTTP has ended that was counted as opened.
  void on_tcp_end(const RequestRecord& record) noexcept {
    tcp.series_of(record.cluster, record.flags).closed.add();
    log(record);
  }

  // A line when the access log is on, and nothing else.
  void log(const RequestRecord& record) noexcept {
    if (access_log.is_enabled()) access_log.write_line(record);
  }
};

}  // namespace sluice::observe
