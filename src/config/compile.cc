#include "config/compile.h"

#include "config/access_log_format.h"
#include "config/certificate_compiler.h"
#include "config/credentials.h"
#include "config/gateway_labels.h"
#include "config/listener_builder.h"
#include "config/outbound_builder.h"
#include "config/outbound_listeners.h"
#include "config/outbound_settings.h"
#include "config/route_builder.h"
#include "config/shadowed_hosts.h"
#include "config/snapshot_hash.h"
#include "config/visibility.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
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
          .forward_client_cert = forward_client_cert(written.forward_client_cert_details.value),
          .expects_proxy_header = written.proxy_protocol.node != nullptr};
}

// The model has a PathNormalization of its own: what was written.
using Paths = sluice::PathNormalization;

Paths path_normalization(std::string_view name) {
  if (name == "NONE") return Paths::none;
  if (name == "MERGE_SLASHES") return Paths::merge_slashes;
  if (name == "DECODE_AND_MERGE_SLASHES") return Paths::decode_and_merge_slashes;
  return Paths::base;
}

// Of documents of kind ProxyConfig: what is for the gateway's pods comes before what is for its namespace, which is the
// root namespace, and that before MeshConfig. The first of equals counts.
Number concurrency(const Model& model, Diagnostics& diagnostics) {
  const GatewayLabels labels = gateway_labels(model);
  const auto is_label = [&](const auto& wanted) { return labels.contains({wanted.first, wanted.second.value}); };
  Number of_pods;
  Number of_namespace;
  for (const ProxyConfigDocument& document : model.proxy_configs) {
    if (document.is_broken) continue;
    const TextMap& selector = document.spec.selector.match_labels;
    if (document.name_space() != gateway_namespace || !std::ranges::all_of(selector, is_label)) {
      diagnostics.info(document.place(), fmt::format("{} is not for the gateway, and ignored", document.title()));
      continue;
    }
    Number& first = selector.empty() ? of_namespace : of_pods;
    if (!first) first = document.spec.concurrency;
  }
  if (of_pods) return of_pods;
  return of_namespace ? of_namespace : model.mesh.default_config.concurrency;
}

snapshot::ProcessSettings process_settings(const Model& model, Diagnostics& diagnostics) {
  const MeshConfig& mesh = model.mesh;
  const ProxyConfig& proxy = mesh.default_config;
  snapshot::ProcessSettings settings;
  if (const Number number = concurrency(model, diagnostics)) settings.concurrency = number.value;
  if (mesh.access_log_file) settings.access_log_file = mesh.access_log_file.value;
  if (proxy.termination_drain_duration.node != nullptr) settings.drain_timeout = proxy.termination_drain_duration.value;
  return settings;
}

}  // namespace

Compiled compile(const Model& model, Diagnostics& diagnostics) {
  auto snapshot = std::make_unique<snapshot::Snapshot>();
  snapshot->topology = gateway_topology(model.mesh.default_config.gateway_topology);
  snapshot->path_normalization = path_normalization(model.mesh.path_normalization.normalization.value);
  snapshot->process = process_settings(model, diagnostics);
  snapshot->access_log_format =
      compile_access_log_format(model.mesh.access_log_format, model.mesh.access_log_encoding, diagnostics);
  Credentials credentials(model, diagnostics);
  const std::vector<BoundServer> servers = ListenerBuilder(model, credentials, *snapshot, diagnostics).build();
  const std::optional<OutboundSettings> outbound = read_outbound_settings(model, credentials, diagnostics);
  ClusterBuilder clusters(model, credentials, snapshot->clusters, diagnostics);
  DocumentNames names(*snapshot);
  HttpRouteCompiler http_routes(model, *snapshot, clusters, names, diagnostics);
  const RouteCompilers compilers{clusters, names, http_routes};
  RouteBuilder(model, servers, compilers, outbound.has_value(), *snapshot, diagnostics).build();
  if (outbound) {
    OutboundBuilder(model, *outbound, compilers, *snapshot, diagnostics).build();
    add_outbound_listeners(*outbound, credentials, *snapshot, diagnostics);
    diagnostics.drop_repeated();
  }
  http_routes.warn_of_unused_delegates();
  warn_of_shadowed_hosts(model, servers, *snapshot, diagnostics);
  credentials.secrets.report_unused_config_maps();
  ManagedCertificates certificates = compile_certificates(model, credentials.secrets, diagnostics);
  if (diagnostics.has_errors()) return {};
  if (snapshot->listeners.empty()) diagnostics.warning({}, "nothing to serve: there is no Gateway");
  for (snapshot::Cluster& cluster : snapshot->clusters) {
    if (cluster.tls) cluster.tls->identity = tls_identity(*cluster.tls);
  }
  snapshot->hash = snapshot_hash(*snapshot);
  return {std::move(snapshot), std::move(certificates)};
}

}  // namespace sluice::config
