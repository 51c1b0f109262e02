// TLS versions and cipher suites of a Gateway's server.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"
#include "snapshot/snapshot.h"

namespace sluice::config {

// Nothing that is not offered is in the result. Where no suite or no version remains, an error says so.
[[nodiscard]] snapshot::TlsSettings tls_settings(const ServerTls& tls, Diagnostics& diagnostics);

}  // namespace sluice::config
