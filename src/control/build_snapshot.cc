#include "control/build_snapshot.h"

#include "certs/certificate.h"
#include "config/load.h"
#include "tls/server_context.h"

#include <algorithm>
#include <utility>

namespace sluice::control {

namespace {

using snapshot::Snapshot;
using snapshot::TlsServer;

// Several servers may have the same Secret.
void add_summary(Snapshot& snapshot, const snapshot::KeyPair& pair, config::Diagnostics& diagnostics) {
  const bool is_there = std::ranges::find(snapshot.certificates, pair.secret_name,
                                          &snapshot::CertificateSummary::secret_name) != snapshot.certificates.end();
  if (is_there) return;
  Result<snapshot::CertificateSummary> summary = certs::summarize(pair);
  if (summary) {
    snapshot.certificates.push_back(std::move(*summary));
  } else {
    diagnostics.error(pair.place, summary.error().message);
  }
}

void complete_server(Snapshot& snapshot, TlsServer& server, WallTime now, config::Diagnostics& diagnostics) {
  // The Secret is missing, which config/ has reported: the server's connections are closed until it is there.
  if (server.key_pairs.empty()) return;
  if (certs::check_server_certificates(server, now, diagnostics)) {
    Result<std::shared_ptr<tls::ServerContext>> context = tls::ServerContext::create(server);
    if (context) {
      server.context = std::move(*context);
      for (const auto& pair : server.key_pairs) add_summary(snapshot, *pair, diagnostics);
    } else {
      diagnostics.error(server.place, "server " + server.name + ": " + context.error().message);
    }
  }
  server.key_pairs.clear();
}

}  // namespace

std::unique_ptr<Snapshot> build_snapshot(const std::vector<std::string>& paths, WallTime now,
                                         config::Diagnostics& diagnostics) {
  std::unique_ptr<Snapshot> snapshot = config::load(paths, diagnostics);
  if (snapshot == nullptr) return nullptr;
  for (snapshot::Listener& listener : snapshot->listeners) {
    for (TlsServer& server : listener.tls_servers) complete_server(*snapshot, server, now, diagnostics);
  }
  if (diagnostics.has_errors()) return nullptr;
  return snapshot;
}

}  // namespace sluice::control
