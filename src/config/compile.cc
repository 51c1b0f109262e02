#include "config/compile.h"

#include "config/access_log_format.h"
#include "config/credentials.h"
#include "config/listener_builder.h"
#include "config/route_builder.h"
#include "config/shadowed_hosts.h"
#include "config/snapshot_hash.h"

#include <string_view>
#include <vector>

namespace sluice::config {

namespace {

snapshot::ForwardClientCert forward_client_cert(std::string_view name) {
  if (name == "SANITIZE") return snapshot::ForwardClientCert::sanitize;
  if (name == "FORWARD_ONLY") return snapshot::ForwardClientCert::forward_only;
  if (name == "APPEND_FORWARD") return snapshot::ForwardClientCert::append_forward;
  if (name == "ALWAYS_FORWARD_ONLY") return snapshot::ForwardClientCert::always_forward_only;
  return snapshot::ForwardClientCert::sanitize_set;  // also UNDEFINED, and when it is not given: for gateways
}

snapshot::GatewayTopology gateway_topology(const Topology& written) {
  return {.num_trusted_proxies = written.num_trusted_proxies.value,
          .forward_client_cert = forward_client_cert(written.forward_client_cert_details.value)};
}

}  // namespace

std::unique_ptr<snapshot::Snapshot> compile(const Model& model, Diagnostics& diagnostics) {
  auto snapshot = std::make_unique<snapshot::Snapshot>();
  snapshot->topology = gateway_topology(model.mesh.default_config.gateway_topology);
  snapshot->access_log_format =
      compile_access_log_format(model.mesh.access_log_format, model.mesh.access_log_encoding, diagnostics);
  Credentials credentials(model, diagnostics);
  const std::vector<BoundServer> servers = ListenerBuilder(model, credentials, *snapshot, diagnostics).build();
  RouteBuilder(model, servers, credentials, *snapshot, diagnostics).build();
  warn_of_shadowed_hosts(model, servers, *snapshot, diagnostics);
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
