#include "config/requested_clusters.h"

#include "base/address_range.h"
#include "config/address_block.h"
#include "config/host_name.h"
#include "config/service_entry_ports.h"

#include <algorithm>
#include <string>

namespace sluice::config {

namespace {

using snapshot::Resolution;

// A name of the document may have any address: it is the document that says it. One that the client has chosen below
// a wildcard may not lead to where only sluice gets.
snapshot::AddressGuard guard_of(const ServiceEntrySpec& spec, const std::string& host) {
  const bool is_internal = spec.location.value == "MESH_INTERNAL";
  // What a redirected client has connected to is the client's choice, whatever name it says.
  snapshot::AddressGuard guard{.named = AddressScope::host, .original = AddressScope::site, .registered = {}};
  if (is_wildcard(host)) guard.named = is_internal ? AddressScope::site : AddressScope::global;
  guard.registered = address_blocks(spec.addresses);
  return guard;
}

}  // namespace

bool add_requested_target(snapshot::Cluster& cluster, const ServiceEntry& entry, const ServiceEntryPort& port) {
  const ServiceEntrySpec& spec = entry.spec;
  const std::string_view resolution = spec.resolution.value;
  const bool is_none = resolution.empty() || resolution == "NONE";
  const bool is_round_robin = resolution == "DNS_ROUND_ROBIN";
  if (!is_none && !is_round_robin && resolution != "DYNAMIC_DNS") return false;

  // The one name; empty: it is that of the request.
  std::string name = is_wildcard(cluster.host) ? std::string() : cluster.host;
  uint32_t number = target_port(port);
  if (is_round_robin && !spec.endpoints.empty()) {
    const WorkloadEndpoint& endpoint = spec.endpoints.front();
    name = normalised_host(endpoint.address.value);
    number = target_port(endpoint, port);
  }
  // An address needs no look-up.
  if (!is_none && SocketAddress::from_ip(name, 0)) return false;
  cluster.requested_port = static_cast<uint16_t>(number);
  cluster.guard = guard_of(spec, cluster.host);
  cluster.resolution = is_none ? Resolution::original : name.empty() ? Resolution::by_request : Resolution::by_name;
  if (!name.empty()) cluster.dns_names.push_back({.name = std::move(name), .port = cluster.requested_port});
  return true;
}

void make_passthrough(snapshot::Cluster& cluster) {
  cluster.service_name = cluster.host;
  cluster.service_namespace = "unknown";
  cluster.http = snapshot::UpstreamHttp::as_client;
  cluster.connection_terms.idle_timeout = limits::unregistered_idle_timeout;
  cluster.resolution = Resolution::original;
  cluster.guard = {.named = AddressScope::global, .original = AddressScope::site, .registered = {}};
}

}  // namespace sluice::config
