// What is known of a request when it ends, or of a connection that carries no HTTP (is_tcp): the one source of the
// access log line and of the metrics. Filled by proxy::Exchange and proxy::TcpProxy on their shard; the views live
// as long as these.
#pragma once

#include "base/address.h"
#include "base/durations.h"
#include "base/grpc_status.h"
#include "http/head.h"
#include "observe/client_tls.h"
#include "snapshot/snapshot.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sluice::observe {

// Envoy's response flags (%RESPONSE_FLAGS%), as bits; several may be set. Only those that sluice sets.
enum class ResponseFlag : uint32_t {
  no_healthy_upstream = 1U << 0,                 // UH
  upstream_connection_failure = 1U << 1,         // UF
  upstream_connection_termination = 1U << 2,     // UC
  upstream_remote_reset = 1U << 3,               // UR
  upstream_overflow = 1U << 4,                   // UO
  upstream_request_timeout = 1U << 5,            // UT
  upstream_retry_limit_exceeded = 1U << 6,       // URX
  upstream_protocol_error = 1U << 7,             // UPE
  no_route_found = 1U << 8,                      // NR
  no_cluster_found = 1U << 9,                    // NC
  downstream_connection_termination = 1U << 10,  // DC
  downstream_protocol_error = 1U << 11,          // DPE
  stream_idle_timeout = 1U << 12,                // SI
  local_reset = 1U << 13,                        // LR
  delay_injected = 1U << 14,                     // DI
  fault_injected = 1U << 15,                     // FI
  duration_timeout = 1U << 16,                   // DT
  dns_resolution_failure = 1U << 17,             // DF
};

struct ResponseFlags {
  uint32_t bits = 0;
  void set(ResponseFlag flag) noexcept { bits |= static_cast<uint32_t>(flag); }
  [[nodiscard]] bool has(ResponseFlag flag) const noexcept { return (bits & static_cast<uint32_t>(flag)) != 0; }
  [[nodiscard]] bool none() const noexcept { return bits == 0; }
};

// "UF,URX" in Envoy's short names, "-" when there are none; a view into `room` or of a static text.
inline constexpr size_t response_flags_text_max = 64;
[[nodiscard]] std::string_view write_flags(ResponseFlags flags, std::span<char, response_flags_text_max> room) noexcept;

// %PROTOCOL%: "HTTP/1.1", "HTTP/2".
[[nodiscard]] std::string_view protocol_text(http::Version version) noexcept;

struct RequestRecord {
  WallTime start{};
  Duration duration{};
  int64_t upstream_service_ms = -1;  // time to the response's head; -1: no response

  bool is_tcp = false;             // no HTTP: no method, path, protocol and status
  std::string_view method;         // empty: no head was understood
  std::string_view path;           // with query, as the client sent it or as it was rewritten; then:
  std::string_view original_path;  // before it was rewritten; empty: it was not
  http::Version version = http::Version::http_1_1;
  std::string_view authority;
  std::string_view user_agent;
  std::string_view request_id;
  std::string_view forwarded_for;                     // as sent upstream
  const http::HeaderList* request_fields = nullptr;   // as they are at the time; null: none were understood
  const http::HeaderList* response_fields = nullptr;  // likewise

  uint16_t status = 0;  // 0: the client left before a response
  bool is_grpc = false;
  std::optional<GrpcStatus> grpc_status;  // nothing: none came, or one that nobody knows
  ResponseFlags flags;
  std::string_view details;  // %RESPONSE_CODE_DETAILS%: "via_upstream", "route_not_found", ...; TCP: why it ended
  std::string_view connection_termination_details;
  std::string_view upstream_failure_reason;
  uint64_t bytes_received = 0;  // request body; TCP: from the client
  uint64_t bytes_sent = 0;      // response body; TCP: to the client

  const snapshot::Cluster* cluster = nullptr;  // null: none chosen
  std::string_view route_name;
  const SocketAddress* upstream_host = nullptr;
  const SocketAddress* upstream_local = nullptr;
  SocketAddress downstream_local;
  SocketAddress downstream_remote;  // the client; with port 0 when trusted proxies name it
  std::string_view requested_server_name;
  bool is_https = false;                  // %REQ(:SCHEME)%, which trusted proxies may say
  const ClientTls* client_tls = nullptr;  // null: without TLS that we terminate, or not asked for
};

}  // namespace sluice::observe
