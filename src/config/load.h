// From documents on disk to a snapshot: read, parse, validate, compile. Control plane only; blocking.
#pragma once

#include "config/diagnostic.h"
#include "config/managed_certificates.h"
#include "snapshot/snapshot.h"

#include <map>
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

struct Sources {
  std::vector<std::string> paths;  // of the user
  std::string issued_folder{};     // Secrets that sluice has obtained (renewal/store.h); empty, or not there: none
};

struct Compiled {
  std::unique_ptr<snapshot::Snapshot> snapshot;  // null when there were errors
  ManagedCertificates certificates;              // nothing when there were errors
};

// Reads files, or directories of *.yaml, *.yml and *.json, not recursive, in name order, or of a mounted Secret:
// config/source_file.h, and compiles them. Every error of the run is in `diagnostics`, not only the first. The
// snapshot's TlsServers carry key pairs, and so do Clusters with TLS; TLS contexts, DNS answers and certificate
// summaries are still to be filled in (control/). Certificates that documents name by path are read too.
//
// Secrets of the issued folder are as good as the user's, but for three things: one that the user has given takes the
// place of the issued one of that name; one that cannot be read is a warning, and is not there; the ca.crt of one that
// sluice has obtained (request_digest_annotation) is nobody's client CA.
[[nodiscard]] Compiled load(const Sources& sources, Diagnostics& diagnostics);
// The same for documents in memory. The texts are wiped at the end: Secrets are among them.
[[nodiscard]] Compiled load(std::vector<SourceText> texts, std::vector<SourceText> issued, Diagnostics& diagnostics);

// The pairs of the issued folder alone, by "namespace/name": new ones are put into the snapshot that serves while the
// documents, which may be half edited, are left alone. One that cannot be read is a warning, and is not there.
using IssuedPairs = std::map<std::string, std::shared_ptr<const snapshot::KeyPair>>;
[[nodiscard]] IssuedPairs load_issued_pairs(const std::string& issued_folder, Diagnostics& diagnostics);

// The snapshot alone.
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> load(const std::vector<std::string>& paths, Diagnostics& diagnostics);
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> load_texts(std::vector<SourceText> texts, Diagnostics& diagnostics);
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> load_text(std::string_view name, std::string_view text,
                                                            Diagnostics& diagnostics);

}  // namespace sluice::config
