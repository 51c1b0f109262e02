// Everything between the documents on disk and a snapshot that can serve: compile, check the
// certificates, make the TLS contexts. `sluice check` stops here; run goes on with DNS and listeners.
// Control plane only; blocking.
#pragma once

#include "base/durations.h"
#include "config/diagnostic.h"
#include "config/load.h"
#include "control/fallback_certificates.h"
#include "snapshot/snapshot.h"
#include "tls/ticket_keys.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace sluice::control {

// What a process keeps over its loads; nothing of it for a snapshot that is only checked.
struct Serving {
  std::shared_ptr<tls::TicketKeyring>
      ticket_keys;                            // of servers whose Gateway names no Secret for them; null: no tickets
  FallbackCertificates* fallbacks = nullptr;  // of servers whose managed certificate is not there yet; null: none
};

// A server with managed Secrets, as the documents describe it: what its context is made of again when there is a new
// certificate. The keys that documents give it beside (a certificate of the user's, ticket keys) are kept here for
// that.
struct ManagedServer {
  size_t listener = 0;              // index into Snapshot::listeners
  size_t server = 0;                // index into its tls_servers
  snapshot::TlsServer described;    // key_pairs: the user's alone
  std::vector<std::string> serves;  // the managed chains that its context has, PEM
};

struct Built {
  std::unique_ptr<snapshot::Snapshot> snapshot;  // null when anything is an error
  config::ManagedCertificates certificates;
  std::vector<ManagedServer> managed_servers;
};

// No private key is in the snapshot: the TLS contexts have them. Requires tls::initialize().
[[nodiscard]] Built build_snapshot(const config::Sources& sources, WallTime now, const Serving& serving,
                                   config::Diagnostics& diagnostics);

// `current` with the certificates that are in the issued folder now; documents are not read, which may be half edited.
// Null: there is nothing new for any of its servers. A certificate that cannot serve is a warning, and its server
// keeps what it has.
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> swap_certificates(const snapshot::Snapshot& current,
                                                                    std::vector<ManagedServer>& servers,
                                                                    const std::string& issued_folder, WallTime now,
                                                                    const Serving& serving,
                                                                    config::Diagnostics& diagnostics);

// The same for looking at it only, without what serving needs: a certificate that is wrong is in the diagnostics, and
// its server is left without context. Null when the documents themselves have an error.
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> build_snapshot_to_look_at(const std::vector<std::string>& paths,
                                                                            WallTime now,
                                                                            config::Diagnostics& diagnostics);

}  // namespace sluice::control
