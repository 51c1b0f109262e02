#include "config/cluster_builder.h"

#include "base/limits.h"
#include "config/host_name.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::config {

namespace {

constexpr std::string_view cluster_domain = "svc.cluster.local";

std::string full_name(const Service& service) {
  return fmt::format("{}.{}.{}", service.name(), service.name_space(), cluster_domain);
}

// A name without dots is of the VirtualService's own namespace.
std::string full_host(const Destination& destination, std::string_view name_space) {
  std::string host = normalised_host(destination.host.value);
  return host.contains('.') ? host : fmt::format("{}.{}.{}", host, name_space, cluster_domain);
}

std::string cluster_name(uint32_t port, std::string_view host) { return fmt::format("outbound|{}||{}", port, host); }

// appProtocol, else the first part of the port's name: "grpc-web-api" speaks "grpc".
std::string protocol_of(const ServicePort& port) {
  if (port.app_protocol) {
    const std::string_view name = port.app_protocol.value;
    return to_lower(name.starts_with("kubernetes.io/") ? name.substr(name.find('/') + 1) : name);
  }
  return to_lower(port.name.value.substr(0, port.name.value.find('-')));
}

}  // namespace

ClusterBuilder::ClusterBuilder(const Model& model, std::vector<snapshot::Cluster>& clusters, Diagnostics& diagnostics)
    : diagnostics_(diagnostics), all_are_known_(model.is_complete), clusters_(clusters) {
  for (const Service& service : model.services) services_.emplace(full_name(service), &service);
  for (const ServiceEntry& entry : model.service_entries) {
    for (const Text& host : entry.spec.hosts) entries_[normalised_host(host.value)].push_back(&entry);
  }
}

std::optional<uint32_t> ClusterBuilder::cluster_of(const Destination& destination, std::string_view name_space) {
  const std::string host = full_host(destination, name_space);
  if (const auto service = services_.find(host); service != services_.end()) {
    return of_service(*service->second, destination, host);
  }
  if (const auto entries = entries_.find(host); entries != entries_.end()) {
    return of_entry(entries->second, destination, host);
  }
  warn_of_unknown(destination, host);
  return std::nullopt;
}

uint32_t ClusterBuilder::empty_cluster_of(const Destination& destination, std::string_view name_space) {
  const std::string host = full_host(destination, name_space);
  const std::string name = cluster_name(destination.port.number.value, host);
  if (const Index known = find(name)) return *known;
  snapshot::Cluster& cluster = add(name, host);
  cluster.service_name = host;
  cluster.service_namespace = "unknown";
  cluster.place = destination.host.node->place();
  return *find(name);
}

void ClusterBuilder::warn_of_unknown(const Destination& destination, const std::string& host) {
  if (!all_are_known_) return;
  std::string advice;
  for (const std::string_view rest : {".svc.cluster.local", ".cluster.local"}) {
    if (services_.contains(host + std::string(rest)))
      advice = fmt::format("; did you mean {}?", in_quotes(host + std::string(rest)));
  }
  diagnostics_.warning(
      destination.host.node->place(),
      fmt::format("no Service or ServiceEntry has the host {}: requests get 503{}", in_quotes(host), advice));
}

// --- Services --------------------------------------------------------------------------------------

std::optional<uint32_t> ClusterBuilder::of_service(const Service& service, const Destination& destination,
                                                   const std::string& host) {
  if (service.is_broken) return std::nullopt;
  const ServicePort* port = choose_port(service, destination);
  if (port == nullptr) return std::nullopt;
  const std::string name = cluster_name(port->port.value, host);
  if (const Index known = find(name)) return known;

  check_protocol(protocol_of(*port), destination);
  snapshot::Cluster& cluster = add(name, host);
  cluster.service_name = service.name();
  cluster.service_namespace = service.name_space();
  cluster.place = service.place();
  add_endpoints(cluster, service, *port);
  return find(name);
}

const ServicePort* ClusterBuilder::choose_port(const Service& service, const Destination& destination) {
  const std::vector<ServicePort>& ports = service.spec.ports;
  const Number& wanted = destination.port.number;
  if (!wanted && ports.size() != 1) {
    diagnostics_.error(destination.node->place(), fmt::format("{} has {} ports: destination.port.number must say which",
                                                              service.title(), ports.size()));
    return nullptr;
  }
  const auto is_tcp = [](const ServicePort& port) {
    return port.protocol.value.empty() || port.protocol.value == "TCP";
  };
  const auto port = std::ranges::find_if(
      ports, [&](const ServicePort& some) { return is_tcp(some) && (!wanted || some.port.value == wanted.value); });
  if (port != ports.end()) return &*port;
  diagnostics_.warning((wanted ? wanted.node : destination.node)->place(),
                       fmt::format("{} has no TCP port {}: requests get 503", service.title(),
                                   wanted ? wanted.value : ports.front().port.value));
  return nullptr;
}

void ClusterBuilder::add_endpoints(snapshot::Cluster& cluster, const Service& service, const ServicePort& port) {
  const ServiceSpec& spec = service.spec;
  if (spec.type.value == "ExternalName") return add_endpoint(cluster, spec.external_name.value, port.port.value, 1);
  const bool is_headless = spec.cluster_ip.value == "None";
  if (!is_headless && !spec.cluster_ip.value.empty())
    return add_endpoint(cluster, spec.cluster_ip.value, port.port.value, 1);
  // The name of a headless Service resolves to its pods, which listen on the target port.
  uint32_t number = port.port.value;
  if (is_headless && port.target_port.number != 0) number = port.target_port.number;
  if (is_headless && !port.target_port.name.empty()) {
    diagnostics_.warning(
        port.target_port.node->place(),
        fmt::format("targetPort {} is a name of the pods' ports, which sluice does not know: port {} is used",
                    in_quotes(port.target_port.name), number));
  }
  add_endpoint(cluster, full_name(service), number, 1);
}

// --- ServiceEntries --------------------------------------------------------------------------------

std::optional<uint32_t> ClusterBuilder::of_entry(const std::vector<const ServiceEntry*>& entries,
                                                 const Destination& destination, const std::string& host) {
  const Number& wanted = destination.port.number;
  bool is_visible = false;
  for (const ServiceEntry* entry : entries) {
    if (entry->is_broken) return std::nullopt;
    if (!is_exported(entry->spec.export_to, entry->name_space())) continue;
    is_visible = true;
    const std::vector<ServiceEntryPort>& ports = entry->spec.ports;
    if (!wanted && ports.size() != 1) {
      diagnostics_.error(
          destination.node->place(),
          fmt::format("{} has {} ports: destination.port.number must say which", entry->title(), ports.size()));
      return std::nullopt;
    }
    const auto port = std::ranges::find_if(
        ports, [&](const ServiceEntryPort& some) { return !wanted || some.number.value == wanted.value; });
    if (port == ports.end()) continue;

    const std::string name = cluster_name(port->number.value, host);
    if (const Index known = find(name)) return known;
    check_protocol(to_lower(port->protocol.value), destination);
    snapshot::Cluster& cluster = add(name, host);
    cluster.service_name = host;
    cluster.service_namespace = entry->name_space();
    cluster.place = entry->place();
    add_endpoints(cluster, *entry, *port);
    return find(name);
  }
  diagnostics_.warning((wanted ? wanted.node : destination.host.node)->place(),
                       is_visible
                           ? fmt::format("{} has no port {}: requests get 503", entries.front()->title(), wanted.value)
                           : fmt::format("{} is not exported to {}, where the gateway is: requests get 503",
                                         entries.front()->title(), gateway_namespace));
  return std::nullopt;
}

void ClusterBuilder::add_endpoints(snapshot::Cluster& cluster, const ServiceEntry& entry,
                                   const ServiceEntryPort& port) {
  const uint32_t target_port = port.target_port ? port.target_port.value : port.number.value;
  if (entry.spec.endpoints.empty()) return add_endpoint(cluster, cluster.host, target_port, 1);
  for (const WorkloadEndpoint& endpoint : entry.spec.endpoints) {
    const auto own_port = std::ranges::find(endpoint.ports, port.name.value, &NumberMap::value_type::first);
    const uint32_t number = own_port == endpoint.ports.end() ? target_port : own_port->second.value;
    add_endpoint(cluster, endpoint.address.value, number, std::max<uint32_t>(1, endpoint.weight.value));
  }
}

// --- Both ------------------------------------------------------------------------------------------

// An address is an endpoint; a name is resolved before the snapshot is published.
void ClusterBuilder::add_endpoint(snapshot::Cluster& cluster, std::string_view address, uint32_t port,
                                  uint32_t weight) {
  if (++endpoint_count_ > limits::config_endpoints_max) {
    if (endpoint_count_ > limits::config_endpoints_max + 1) return;  // said already
    return diagnostics_.error(cluster.place,
                              fmt::format("more than {} endpoints in all", limits::config_endpoints_max));
  }
  const uint16_t port_number = static_cast<uint16_t>(port);
  if (const std::optional<SocketAddress> ip = SocketAddress::from_ip(address, port_number)) {
    cluster.endpoints.push_back({*ip, weight});
  } else {
    cluster.dns_names.push_back({normalised_host(address), port_number, weight});
  }
}

void ClusterBuilder::check_protocol(std::string_view protocol, const Destination& destination) {
  static constexpr std::string_view http2[] = {"http2", "h2c", "grpc"};
  const SourcePlace place = destination.host.node->place();
  if (std::ranges::find(http2, protocol) != std::end(http2)) {
    diagnostics_.error(place,
                       fmt::format("the port of {} speaks {}: HTTP/2 to a destination is not supported yet by this "
                                   "version of sluice",
                                   in_quotes(destination.host.value), protocol));
  }
  if (protocol == "https" || protocol == "tls") {
    diagnostics_.warning(place,
                         fmt::format("the port of {} speaks {}, but requests are sent as plain HTTP, as Istio does "
                                     "without a DestinationRule",
                                     in_quotes(destination.host.value), protocol));
  }
  if (protocol == "udp") {
    diagnostics_.error(place, fmt::format("the port of {} speaks UDP: it cannot take HTTP requests",
                                          in_quotes(destination.host.value)));
  }
}

std::optional<uint32_t> ClusterBuilder::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? Index() : Index(found->second);
}

snapshot::Cluster& ClusterBuilder::add(const std::string& name, const std::string& host) {
  by_name_.emplace(name, static_cast<uint32_t>(clusters_.size()));
  snapshot::Cluster& cluster = clusters_.emplace_back();
  cluster.name = name;
  cluster.host = host;
  cluster.connect_timeout = limits::upstream_connect_timeout;
  return cluster;
}

}  // namespace sluice::config
