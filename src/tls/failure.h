// Why a TLS connection failed: wolfSSL's error code as a sentence for the operator and as the alert for
// the client (RFC 8446 6, RFC 5246 7.2).
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::tls {

// RFC 8446 6; only those that sluice sends.
enum class Alert : uint8_t {
  unexpected_message = 10,
  bad_record_mac = 20,
  record_overflow = 22,
  handshake_failure = 40,
  illegal_parameter = 47,
  decode_error = 50,
  decrypt_error = 51,
  protocol_version = 70,
  internal_error = 80,
  missing_extension = 109,
  no_application_protocol = 120,
};

struct Failure {
  std::string_view text;  // static
  Alert alert;            // what to tell the client, if wolfSSL has not told it anything yet
};

// `error` is what wolfSSL_get_error() returned, other than "would block" and "closed".
[[nodiscard]] Failure describe_failure(int error) noexcept;

// "the client ended the connection with the alert unknown_ca (48): ...". Static.
[[nodiscard]] std::string_view describe_received_alert(int code) noexcept;

}  // namespace sluice::tls
