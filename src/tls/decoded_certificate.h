// A certificate as wolfSSL decodes it, with the parts that the library does not give away, and the two
// questions that need another certificate: did that one sign it, and does it allow its names. For the
// sources of this folder and of certs/ only, as it shows wolfSSL's types. Any thread; every object has one owner.
//
// Chains are built by tls/peer_verifier.h and not by wolfSSL, whose own way keeps every CA that a peer sends
// for all later connections: what one client is told would depend on what another one sent.
#pragma once

#include "base/bytes.h"
#include "base/durations.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>

#include <expected>
#include <memory>

namespace sluice::tls {

struct FreeDecodedCert {
  void operator()(DecodedCert* certificate) const noexcept {
    wc_FreeDecodedCert(certificate);
    delete certificate;
  }
};

// All views point into `der`, which somebody else keeps.
struct DecodedCertificate {
  ConstBytes der;
  ConstBytes issuer;  // content of the Name (RFC 5280 4.1.2.4), without its header
  ConstBytes subject;
  ConstBytes serial;      // content of the INTEGER
  ConstBytes public_key;  // the whole SubjectPublicKeyInfo
  WallTime not_before;
  WallTime not_after;
  std::unique_ptr<DecodedCert, FreeDecodedCert> wolfssl;

  [[nodiscard]] bool is_self_issued() const noexcept;  // subject and issuer are the same name
};

// `der` must hold exactly one certificate. The error is wolfSSL's code; ASN_CRIT_EXT_E: it has a critical
// extension that is not known. Dates and signature are not looked at.
[[nodiscard]] std::expected<DecodedCertificate, int> decode_certificate(ConstBytes der);

// As an issuer, for wolfSSL. Valid as long as the certificate.
[[nodiscard]] Signer make_signer(const DecodedCertificate& certificate);

// 0: `issuer` signed it and its name constraints allow its names. Otherwise wolfSSL's code: ASN_SIG_CONFIRM_E,
// ASN_NAME_INVALID_E and others. Dates, and whether the issuer may issue, are the caller's.
[[nodiscard]] int check_signature(const DecodedCertificate& certificate, const DecodedCertificate& issuer);

// Whether the name constraints of a CA that is further up in the chain allow the names (RFC 5280 4.2.1.10).
[[nodiscard]] bool allows_names(const DecodedCertificate& ancestor, const DecodedCertificate& certificate);

// RFC 5280 4.1.2.5, of a whole DER element. Dates beyond what 64 bits of nanoseconds reach end there.
[[nodiscard]] std::expected<WallTime, int> read_der_time(ConstBytes element) noexcept;

}  // namespace sluice::tls
