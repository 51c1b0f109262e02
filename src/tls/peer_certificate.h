// The certificate that the other side has shown, after it has been verified. Kept as DER only, as every
// connection has one; what logs and headers say of it is computed when it is asked for.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "tls/parsed_certificate.h"
#include "tls/pem.h"

#include <string>

namespace sluice::tls {

class PeerCertificate {
 public:
  explicit PeerCertificate(ConstBytes der) : der_(der.begin(), der.end()) {}

  [[nodiscard]] ConstBytes der() const noexcept { return der_; }

  // Subject and issuer (RFC 2253), serial, names, dates, fingerprint. Does not fail for a certificate that was
  // verified, other than for want of memory.
  [[nodiscard]] Result<ParsedCertificate> parsed() const { return parse_certificate(der_); }
  [[nodiscard]] std::string pem() const { return encode_pem(der_, kCertificateLabel); }

 private:
  Der der_;
};

}  // namespace sluice::tls
