// The certificates of a server: from Secrets or files into the snapshot.
#pragma once

#include "config/credentials.h"
#include "config/diagnostic.h"
#include "config/model.h"
#include "snapshot/snapshot.h"

namespace sluice::config {

// Fills in the key pairs, the CA of client certificates and the ticket keys of a server that terminates TLS.
// There are no key pairs when anything that the server needs is missing (and reported). `owner` is the document that
// the server is of, a Gateway as a rule.
void add_server_credentials(snapshot::TlsServer& server, const ServerTls& tls, const Document& owner,
                            Credentials& credentials, Diagnostics& diagnostics);

}  // namespace sluice::config
