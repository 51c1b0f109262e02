// Names of certificate subjects and issuers as text (RFC 2253: last RDN first, comma separated), as in
// Envoy's %DOWNSTREAM_PEER_SUBJECT% and `openssl x509 -nameopt RFC2253`: "O=Example,CN=client" for
// `-subj "/CN=client/O=Example"`.
#pragma once

#include "base/bytes.h"

#include <string>

namespace sluice::tls {

// `rdn_sequence` is the content of the DER Name (RFC 5280 4.1.2.4), without the outer SEQUENCE header.
// The result is printable ASCII, whatever the certificate says: other bytes are escaped as \XX. Empty for
// an empty name, and what could be read of one that is malformed.
[[nodiscard]] std::string to_rfc2253(ConstBytes rdn_sequence);

}  // namespace sluice::tls
