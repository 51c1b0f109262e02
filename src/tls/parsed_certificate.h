// The parts of a certificate that sluice looks at, as its own values.
#pragma once

#include "base/bytes.h"
#include "base/durations.h"
#include "base/result.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::tls {

enum class KeyAlgorithm { rsa, ecdsa, other };

struct ParsedCertificate {
  std::string subject;  // RFC 2253
  std::string issuer;
  std::string serial;  // hexadecimal
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  std::vector<std::string> uris;
  std::vector<std::string> emails;
  KeyAlgorithm key_algorithm = KeyAlgorithm::other;
  std::string key_type;  // "RSA-4096", "ECDSA-P256"
  WallTime not_before;
  WallTime not_after;
  std::string fingerprint_sha256;  // hexadecimal
  std::string fingerprint_sha1;    // for %DOWNSTREAM_PEER_FINGERPRINT_1% only
};

// Of exactly one certificate. Every text of the result is printable ASCII. The error says what is wrong,
// without naming what: "holds a certificate that ...".
[[nodiscard]] Result<ParsedCertificate> parse_certificate(ConstBytes der);

// The first certificate of a PEM text.
[[nodiscard]] Result<ParsedCertificate> parse_first_certificate(std::string_view chain_pem);

// Of an iPAddress in a subjectAltName (RFC 5280 4.2.1.6): 4 or 16 bytes in network order; empty: they are neither.
[[nodiscard]] std::string ip_text(ConstBytes bytes);

[[nodiscard]] std::array<uint8_t, 32> sha256(ConstBytes bytes) noexcept;

// "2026-11-25T10:15:04Z" (RFC 3339).
[[nodiscard]] std::string to_rfc3339(WallTime time);

}  // namespace sluice::tls
