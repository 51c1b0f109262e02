// Everything between the documents on disk and a snapshot that can serve: compile, check the
// certificates, make the TLS contexts. `sluice check` stops here; run goes on with DNS and listeners.
// Control plane only; blocking.
#pragma once

#include "base/durations.h"
#include "config/diagnostic.h"
#include "snapshot/snapshot.h"

#include <memory>
#include <string>
#include <vector>

namespace sluice::control {

// Null when anything is an error. No private key is in the result: the TLS contexts have them.
// Requires tls::initialize().
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> build_snapshot(const std::vector<std::string>& paths, WallTime now,
                                                                 config::Diagnostics& diagnostics);

}  // namespace sluice::control
