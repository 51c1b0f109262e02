// A certificate authority whose key sluice has: an Issuer of the kind `ca`.
#pragma once

#include "base/durations.h"
#include "base/result.h"
#include "certs/certificate_wish.h"
#include "certs/issued_certificate.h"
#include "certs/signing_key.h"
#include "tls/parsed_certificate.h"
#include "tls/pem.h"

#include <string_view>
#include <vector>

namespace sluice::certs {

class Authority {
 public:
  // Of the Secret that the Issuer names. `chain_pem` is tls.crt: the CA's certificate, then those above it, each the
  // issuer of the one before; `key_pem` is tls.key. Refuses, with the reason and what to do: what cannot be read or is
  // no CA for TLS servers, a key of another certificate, keys that are neither RSA nor ECDSA on P-256 and P-384.
  [[nodiscard]] static Result<Authority> read(std::string_view chain_pem, std::string_view key_pem);

  // Subject and dates, for the status of the Issuer.
  [[nodiscard]] const tls::ParsedCertificate& certificate() const noexcept { return parsed_; }

  // Whether it may issue now: not before its time, not after.
  [[nodiscard]] Status check_dates(WallTime now) const;

  // A new key, or the one of wish.csr_pem, and a certificate for it. As with Gardener, a wish for a certificate that
  // would outlive the CA is an error: a cut one would be renewed at times that nobody has asked for.
  [[nodiscard]] Result<IssuedCertificate> issue(const CertificateWish& wish, WallTime now) const;

 private:
  Authority(std::vector<tls::Der> chain, SigningKey key, tls::ParsedCertificate parsed) noexcept;

  std::vector<tls::Der> chain_;  // the CA's certificate is the first
  SigningKey key_;
  tls::ParsedCertificate parsed_;
};

}  // namespace sluice::certs
