// Why a TLS connection failed: wolfSSL's error code as a sentence for the operator and as the alert for
// the other side (RFC 8446 6, RFC 5246 7.2).
#pragma once

#include <cstdint>
#include <string>

namespace sluice::tls {

enum class Side : uint8_t { client, server };

// RFC 8446 6; only those that sluice sends.
enum class Alert : uint8_t {
  unexpected_message = 10,
  bad_record_mac = 20,
  record_overflow = 22,
  handshake_failure = 40,
  bad_certificate = 42,
  unsupported_certificate = 43,
  certificate_revoked = 44,
  certificate_expired = 45,
  certificate_unknown = 46,
  illegal_parameter = 47,
  unknown_ca = 48,
  decode_error = 50,
  decrypt_error = 51,
  protocol_version = 70,
  internal_error = 80,
  missing_extension = 109,
  certificate_required = 116,
  no_application_protocol = 120,
};

struct Failure {
  std::string text;
  Alert alert;  // what to tell the other side, if wolfSSL has not told it anything yet
};

// `error` is what wolfSSL_get_error() returned, other than "would block" and "closed"; `peer` is the other
// side of the connection.
[[nodiscard]] Failure describe_failure(int error, Side peer);

// "the client ended the connection with the alert unknown_ca (48): ..."
[[nodiscard]] std::string describe_received_alert(int code, Side peer);

}  // namespace sluice::tls
