// What ACME asks of a certificate beyond what tls/ reads: the bytes that name it, and the name of its issuer.
#pragma once

#include "base/bytes.h"

#include <optional>
#include <string>

namespace sluice::acme {

struct CertificateFields {
  ConstBytes serial;               // content of the INTEGER, in `der`
  ConstBytes authority_key;        // RFC 5280 4.2.1.1, keyIdentifier, in `der`; empty: it has none
  std::string issuer_common_name;  // as it is written; empty: the issuer has none
};

// Nothing: it is no certificate. Signature and dates are not looked at.
[[nodiscard]] std::optional<CertificateFields> read_certificate_fields(ConstBytes der);

}  // namespace sluice::acme
