// Certificate requests (PKCS#10, RFC 2986): ours, and those that users write into a Certificate's spec.csr.
#pragma once

#include "base/result.h"
#include "certs/signing_key.h"
#include "certs/subject_names.h"

#include <string>
#include <string_view>

namespace sluice::certs {

inline constexpr std::string_view kRequestLabel = "CERTIFICATE REQUEST";  // of PEM (RFC 7468 7)

// Who a certificate is for.
struct Subject {
  std::string common_name;  // UTF-8, empty: none
  SubjectNames names;       // normalised
  friend bool operator==(const Subject&, const Subject&) = default;
};

// The request in DER.
[[nodiscard]] Result<std::string> make_request(const Subject& subject, const SigningKey& key);

struct CertificateRequest {
  std::string der;
  Subject subject;
  PublicKey public_key;
};

// The first request of a PEM text, whose signature is checked: whoever wrote it has the key. The error says what is
// wrong with it, without naming it: "holds a certificate request that ...".
[[nodiscard]] Result<CertificateRequest> read_request(std::string_view pem);

}  // namespace sluice::certs
