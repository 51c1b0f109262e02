// The content hash of a snapshot: the answer to "is my change live?".
#pragma once

#include "snapshot/snapshot.h"

#include <string>

namespace sluice::config {

// 32 hexadecimal digits over what the tables mean: not over places, indices and the order of independent
// tables, so that the same documents in other files give the same hash. Certificate chains are part of
// it, but of servers' Secrets that sluice obtains their names: it is of the documents. Private keys are not, since the
// hash is shown and a certificate already stands for its key. Of ticket keys their names are (the first 16 bytes, which
// clients see). It tells configurations apart; it is no protection against someone who makes two of the same hash.
[[nodiscard]] std::string snapshot_hash(const snapshot::Snapshot& snapshot);

// UpstreamTls::identity, and TlsServer::identity.
[[nodiscard]] std::string tls_identity(const snapshot::UpstreamTls& tls);
[[nodiscard]] std::string tls_identity(const snapshot::TlsServer& server);

}  // namespace sluice::config
