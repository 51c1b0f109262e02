// What a Certificate document asks for, whoever issues it.
#pragma once

#include "base/durations.h"
#include "base/result.h"
#include "certs/certificate_request.h"
#include "certs/signing_key.h"
#include "certs/subject_names.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::certs {

enum class IssuerKind : uint8_t { acme, ca, self_signed };

struct CertificateWish {
  std::string common_name;
  SubjectNames names;  // beside the common name
  KeyType key_type = KeyType::rsa_2048;
  KeyEncoding key_encoding = KeyEncoding::pkcs1;
  bool is_ca = false;
  Duration duration{};          // of certificates that sluice signs itself; ACME servers choose their own
  std::string csr_pem;          // the user's own request, instead of the names and the key; empty: none
  std::string preferred_chain;  // ACME only
};

// Who the certificate is to be for: normalised, or why that cannot be. The common name is one of the names if it is a
// host, since that is where clients look; except in a CA's certificate of a `ca` issuer, as with Gardener. Gardener
// leaves it out of self-signed certificates too, which are CAs always: no client accepts one with a common name only.
[[nodiscard]] Result<Subject> requested_subject(const CertificateWish& wish, IssuerKind kind);

// SHA-256, hexadecimal, of all that makes one certificate as good as another. `issuer` is "namespace/name" of the
// Issuer. The same whatever the order of the names, their case, and the version of the program.
[[nodiscard]] std::string request_digest(std::string_view issuer, const CertificateWish& wish);

}  // namespace sluice::certs
