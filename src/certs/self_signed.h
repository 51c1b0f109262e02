// Self-signed certificates: of Issuers of the kind `selfSigned`, for a first start, for hosts without another one, and
// for tests.
#pragma once

#include "base/durations.h"
#include "base/result.h"
#include "certs/certificate_wish.h"
#include "certs/issued_certificate.h"
#include "certs/signing_key.h"

#include <span>
#include <string>
#include <vector>

namespace sluice::certs {

// --- For a Certificate document --------------------------------------------------------------------

// A certificate that is a CA and serves: clients that are given it as their CA accept it, but for Firefox, which never
// takes a CA's certificate for a server's. Refuses one that is not asked to be a CA, as Gardener does, and a request
// (csr), for whose key nobody here can sign.
[[nodiscard]] Result<IssuedCertificate> issue_self_signed(const CertificateWish& wish, WallTime now);

// --- For a first start -----------------------------------------------------------------------------

struct SelfSignedOptions {
  std::vector<std::string> hosts;  // DNS names (wildcards too) and IP addresses: the subjectAltName; not empty
  KeyType key_type = KeyType::rsa_2048;
  Duration lifetime = std::chrono::hours(24 * 90);
};

// A server certificate (serverAuth and clientAuth, not a CA), with a PKCS#8 key. Its common name is the first host, if
// that is short enough. Refuses a list without hosts, and what is no host.
[[nodiscard]] Result<IssuedCertificate> make_self_signed(const SelfSignedOptions& options, WallTime now);

// What a Gateway's server shows when there is nothing else for it: of its `hosts`, without "*", which no certificate
// can name. An RSA key, because servers may have suites for RSA only; for a year.
[[nodiscard]] Result<IssuedCertificate> make_fallback(std::span<const std::string> hosts, WallTime now);

// --- For the answer to a challenge -----------------------------------------------------------------

// RFC 8737 3: for `identifier`, a DNS name or an IP address, with the hash of the key authorization.
[[nodiscard]] Result<IssuedCertificate> make_acme_challenge(const std::string& identifier,
                                                            std::string_view key_authorization, WallTime now);

}  // namespace sluice::certs
