// The OCSP response that a Secret has for its certificate (RFC 6960): sent along when a client asks for it
// (RFC 6066 8, RFC 8446 4.4.2.1). sluice fetches none itself. As in Istio it is stapled leniently: one that is
// of no use is left out, and the certificate serves without.
#pragma once

#include "base/durations.h"
#include "base/result.h"
#include "snapshot/snapshot.h"

#include <string>

namespace sluice::tls {

struct OcspStaple {
  std::string der;
  WallTime good_until;  // nextUpdate; WallTime::max() without one
};

// Of `pair`, which has one. Refuses, with the reason: too long, not an OCSP response, an error response, not for
// the first certificate of the chain, not "good", not yet or no longer valid. The responder's signature is not
// checked: clients do.
[[nodiscard]] Result<OcspStaple> read_ocsp_staple(const snapshot::KeyPair& pair, WallTime now);

}  // namespace sluice::tls
