// Certificates and requests as DER: what they say is decided by their makers (authority.h, self_signed.h), how it is
// written is decided here.
#pragma once

#include "base/durations.h"
#include "base/result.h"
#include "certs/signing_key.h"
#include "certs/subject_names.h"

#include <string>
#include <string_view>

namespace sluice::certs {

// Name (RFC 5280 4.1.2.4) with one attribute, or none if `common_name` is empty. `attributes`: RDNs in DER that come
// before it.
[[nodiscard]] std::string make_name(std::string_view common_name, std::string_view attributes = {});

// RFC 7093 2, method 1, of a SubjectPublicKeyInfo: names the key in certificates.
[[nodiscard]] std::string key_identifier(std::string_view public_key);

struct CertificateFields {
  std::string issuer;  // Name
  std::string subject;
  PublicKey public_key;
  SubjectNames names;  // normalised
  bool is_ca = false;
  WallTime not_before{};
  WallTime not_after{};
  std::string authority_key_identifier;  // of the issuer's key; empty: it is self-signed
  std::string more_extensions;           // in DER
};

// A certificate for TLS servers and clients (version 3, a random serial number of 16 bytes), signed with `signer`, the
// key of `issuer`.
[[nodiscard]] Result<std::string> make_certificate(const CertificateFields& fields, const SigningKey& signer);

// Extension (RFC 5280 4.1).
[[nodiscard]] std::string make_extension(std::string_view identifier, bool is_critical, std::string_view value);

}  // namespace sluice::certs
