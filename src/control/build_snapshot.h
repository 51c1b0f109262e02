// Everything between the documents on disk and a snapshot that can serve: compile, check the
// certificates, make the TLS contexts. `sluice check` stops here; run goes on with DNS and listeners.
// Control plane only; blocking.
#pragma once

#include "base/durations.h"
#include "config/diagnostic.h"
#include "snapshot/snapshot.h"
#include "tls/ticket_keys.h"

#include <memory>
#include <string>
#include <vector>

namespace sluice::control {

// Null when anything is an error. No private key is in the result: the TLS contexts have them.
// `own_ticket_keys`: for the session tickets of servers whose Gateway names no Secret for them; null: these
// give none (a snapshot that is only checked). Requires tls::initialize().
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> build_snapshot(
    const std::vector<std::string>& paths, WallTime now, const std::shared_ptr<tls::TicketKeyring>& own_ticket_keys,
    config::Diagnostics& diagnostics);

// The same for looking at it only, without what serving needs: a certificate that is wrong is in the diagnostics, and
// its server is left without context. Null when the documents themselves have an error.
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> build_snapshot_to_look_at(const std::vector<std::string>& paths,
                                                                            WallTime now,
                                                                            config::Diagnostics& diagnostics);

}  // namespace sluice::control
