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

// Without snapshot when anything is an error. No private key is in it: the TLS contexts have them. Requires
// tls::initialize().
[[nodiscard]] config::Compiled build_snapshot(const config::Sources& sources, WallTime now, const Serving& serving,
                                              config::Diagnostics& diagnostics);

// The same for looking at it only, without what serving needs: a certificate that is wrong is in the diagnostics, and
// its server is left without context. Null when the documents themselves have an error.
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> build_snapshot_to_look_at(const std::vector<std::string>& paths,
                                                                            WallTime now,
                                                                            config::Diagnostics& diagnostics);

}  // namespace sluice::control
