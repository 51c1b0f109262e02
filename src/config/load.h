// From documents on disk to a snapshot: read, parse, validate, compile. Control plane only; blocking.
#pragma once

#include "config/diagnostic.h"
#include "snapshot/snapshot.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

// A file's name, as diagnostics show it, and its bytes.
struct SourceText {
  std::string name;
  std::string text;
};

// Reads `paths` (files, or directories of *.yaml, *.yml and *.json, not recursive, in name order, or of a mounted
// Secret: config/source_file.h) and compiles them. Null when there were errors; every error of the run is in
// `diagnostics`, not only the first. The snapshot's TlsServers carry key pairs, and so do Clusters with TLS; TLS
// contexts, DNS answers and certificate summaries are still to be filled in (control/). Certificates that documents
// name by path are read too.
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> load(const std::vector<std::string>& paths, Diagnostics& diagnostics);

// The same for documents in memory. The texts are wiped when they have been read: Secrets are among them.
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> load_texts(std::vector<SourceText> texts, Diagnostics& diagnostics);
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> load_text(std::string_view name, std::string_view text,
                                                            Diagnostics& diagnostics);

}  // namespace sluice::config
