// A format string with Envoy's command operators ("%DOWNSTREAM_PEER_SUBJECT%, %REQ(:AUTHORITY)%"), compiled: a
// flat list of parts, so that nothing is parsed for a request. Values of header fields and lines of the access log
// are both made of these. Compiled by config/format_compiler.h, evaluated by observe/format_value.h.
//
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::snapshot {

enum class Operator : uint8_t {
  literal,         // text
  hostname,        // text: it does not change while the process lives
  request_field,   // REQ
  response_field,  // RESP
  start_time,
  protocol,
  response_code,
  response_code_details,
  response_flags,
  grpc_status,  // by name
  grpc_status_number,
  connection_termination_details,
  bytes_received,
  bytes_sent,
  duration,
  route_name,
  requested_server_name,
  upstream_host,
  upstream_cluster,
  upstream_local_address,
  upstream_transport_failure_reason,
  downstream_remote_address,
  downstream_remote_ip,  // ..._WITHOUT_PORT
  downstream_remote_port,
  downstream_local_address,
  downstream_local_ip,
  downstream_local_port,
  downstream_local_subject,
  downstream_local_uri_san,
  downstream_local_dns_san,
  downstream_tls_version,
  downstream_tls_cipher,
  downstream_tls_session_id,
  downstream_peer_subject,
  downstream_peer_issuer,
  downstream_peer_serial,
  downstream_peer_fingerprint_256,
  downstream_peer_fingerprint_1,
  downstream_peer_uri_san,
  downstream_peer_dns_san,
  downstream_peer_ip_san,
  downstream_peer_email_san,
  downstream_peer_cert,
  downstream_peer_cert_v_start,
  downstream_peer_cert_v_end,
};

// What REQ and RESP name: a field, or what HTTP/2 would have as a pseudo-header field.
struct FieldReference {
  enum class Kind : uint8_t { none, field, method, path, authority, scheme, status };
  Kind kind = Kind::none;
  std::string name;  // field: lower case
};

// A piece of a time: a conversion of strftime(3), 'f' for the fraction of the second, or a text.
struct TimePart {
  char conversion = 0;  // 0: literal
  uint8_t digits = 0;   // of 'f': 1 to 9
  std::string literal;
};

struct FormatPart {
  Operator op = Operator::literal;
  std::string text;            // literal, hostname
  FieldReference field;        // REQ(X), RESP(X)
  FieldReference alternative;  // REQ(X?Y): what counts when X is absent
  uint32_t bytes_max = 0;      // REQ(X):N: no more of the value is written; 0: all of it
  std::vector<TimePart> time;  // of times; empty: 2026-11-25T10:15:04.123Z
};

// What is only looked up for formats that say it.
struct FormatNeeds {
  bool local_address = false;  // of the client's connection, our side's: a system call
  bool client_tls = false;     // observe/client_tls.h: the client's certificate is parsed

  FormatNeeds& operator|=(FormatNeeds other) noexcept {
    local_address |= other.local_address;
    client_tls |= other.client_tls;
    return *this;
  }
};

struct Format {
  std::string source;  // as it was written
  std::vector<FormatPart> parts;
  FormatNeeds needs;
};

// No text of a time is longer; the compiler sees to it.
inline constexpr unsigned time_text_bytes_max = 160;

}  // namespace sluice::snapshot
