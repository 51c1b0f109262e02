#include "config/compile.h"

#include "config/credentials.h"
#include "config/listener_builder.h"
#include "config/route_builder.h"
#include "config/snapshot_hash.h"

#include <vector>

namespace sluice::config {

std::unique_ptr<snapshot::Snapshot> compile(const Model& model, Diagnostics& diagnostics) {
  auto snapshot = std::make_unique<snapshot::Snapshot>();
  Credentials credentials(model, diagnostics);
  const std::vector<BoundServer> servers = ListenerBuilder(model, credentials, *snapshot, diagnostics).build();
  RouteBuilder(model, servers, credentials, *snapshot, diagnostics).build();
  credentials.secrets.report_unused_config_maps();
  if (diagnostics.has_errors()) return nullptr;
  if (snapshot->listeners.empty()) diagnostics.warning({}, "nothing to serve: there is no Gateway");
  for (snapshot::Cluster& cluster : snapshot->clusters) {
    if (cluster.tls) cluster.tls->identity = tls_identity(*cluster.tls);
  }
  snapshot->hash = snapshot_hash(*snapshot);
  return snapshot;
}

}  // namespace sluice::config
