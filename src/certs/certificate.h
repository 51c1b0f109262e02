// Reading certificates and keys: what a Secret holds, whether it can serve, and what to say about it.
#pragma once

#include "base/durations.h"
#include "base/result.h"
#include "config/diagnostic.h"
#include "snapshot/snapshot.h"

namespace sluice::certs {

// Parses the leaf of a chain. Fails with the reason: no PEM certificate, garbage.
[[nodiscard]] Result<snapshot::CertificateSummary> summarize(const snapshot::KeyPair& pair);

// Everything that makes the pairs of `server` unfit to serve is an error (cannot be parsed, encrypted
// key, key of another certificate, expired, not yet valid, two pairs with keys of one type; no usable CA for
// client certificates); what is only suspicious is a warning (expires within 30 days, does not cover one of
// the server's hosts, no subjectAltName, only ECDSA keys with a list of only ECDHE-RSA suites, which locks
// out TLS 1.2 clients; an expired CA). True: they can serve.
bool check_server_certificates(const snapshot::TlsServer& server, WallTime now, config::Diagnostics& diagnostics);

// The same of one pair, whoever will show it.
bool check_pair(const snapshot::KeyPair& pair, WallTime now, config::Diagnostics& diagnostics);

// The same for the certificate that a DestinationRule shows to its destinations, if there is one, and for the CA
// that theirs are verified with. True: a context can be made.
bool check_client_certificate(const snapshot::UpstreamTls& upstream, WallTime now, config::Diagnostics& diagnostics);

}  // namespace sluice::certs
