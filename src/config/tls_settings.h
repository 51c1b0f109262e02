// TLS versions, cipher suites and accepted client certificates of a Gateway's server.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"
#include "snapshot/snapshot.h"

#include <string>
#include <vector>

namespace sluice::config {

// Nothing that is not offered is in the result. Where no suite or no version remains, an error says so. The CA
// of client certificates is still to be filled in (server_credentials.h).
[[nodiscard]] snapshot::TlsSettings tls_settings(const ServerTls& tls, Diagnostics& diagnostics);

// Names that a certificate may have; an error for each that is none.
[[nodiscard]] std::vector<std::string> subject_alt_names(const std::vector<Text>& written, Diagnostics& diagnostics);

}  // namespace sluice::config
