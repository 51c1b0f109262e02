// Reading certificates and keys: what a Secret holds, whether it can serve, and what to say about it.
#pragma once

#include "base/durations.h"
#include "base/result.h"
#include "config/diagnostic.h"
#include "snapshot/snapshot.h"

namespace sluice::certs {

// Parses the leaf of a chain. Fails with the reason: no PEM certificate, garbage.
[[nodiscard]] Result<snapshot::CertificateSummary> summarize(const snapshot::KeyPair& pair);

// Everything that makes a pair of `server` unfit to serve is an error (cannot be parsed, encrypted
// key, key of another certificate, expired, not yet valid); what is only suspicious is a warning
// (expires within 30 days, does not cover one of the server's hosts, no subjectAltName, an ECDSA key
// with a list of only ECDHE-RSA suites, which locks out TLS 1.2 clients). True: it can serve.
bool check_server_certificates(const snapshot::TlsServer& server, WallTime now, config::Diagnostics& diagnostics);

}  // namespace sluice::certs
