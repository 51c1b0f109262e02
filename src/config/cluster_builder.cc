#include "config/cluster_builder.h"

#include "base/limits.h"
#include "config/host_name.h"
#include "config/labels.h"
#include "config/port_protocol.h"
#include "config/requested_clusters.h"
#include "config/service_entry_ports.h"
#include "config/service_host.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::config {

namespace {

std::string full_name(const Service& service) {
  return fmt::format("{}.{}.{}", service.name(), service.name_space(), cluster_domain);
}

std::string cluster_name(uint32_t port, std::string_view subset, std::string_view host) {
  return fmt::format("outbound|{}|{}|{}", port, subset, host);
}

std::string_view consequence(Traffic traffic) noexcept {
  switch (traffic) {
    case Traffic::http: return "requests get 503";
    case Traffic::mirrored_http: return "no requests are copied";
    case Traffic::tcp:
    case Traffic::passed_tls: break;
  }
  return "connections are closed";
}

}  // namespace

ClusterBuilder::ClusterBuilder(const Model& model, Credentials& credentials, std::vector<snapshot::Cluster>& clusters,
                               Diagnostics& diagnostics)
    : diagnostics_(diagnostics),
      all_are_known_(model.is_complete),
      connect_timeout_(model.mesh.connect_timeout.node != nullptr ? model.mesh.connect_timeout.value
                                                                  : limits::upstream_connect_timeout),
      clusters_(clusters),
      rules_(model, credentials, diagnostics),
      pods_(model, diagnostics),
      workloads_(model),
      endpoints_seen_left_(limits::config_endpoints_seen_max) {
  clusters.reserve(model.services.size() + model.service_entries.size());
  for (const Service& service : model.services) services_.emplace(full_name(service), &service);
  for (const ServiceEntry& entry : model.service_entries) {
    for (const Text& host : entry.spec.hosts) entries_[normalised_host(host.value)].push_back(&entry);
  }
  for (const auto& [host, entries] : entries_) {
    if (is_wildcard(host) && wildcards_.add(host, static_cast<uint32_t>(entries_of_wildcards_.size())))
      entries_of_wildcards_.push_back(&entries);
  }
  if (!all_are_known_) return;
  for (const DestinationRule& rule : model.destination_rules) {
    if (!rule.is_broken) warn_of_useless_rule(rule);
  }
}

void ClusterBuilder::warn_of_useless_rule(const DestinationRule& rule) {
  const std::string host = full_host(rule.spec.host.value, rule.name_space());
  if (is_wildcard(host) || services_.contains(host) || find_entries(host) != nullptr) return;
  diagnostics_.warning(rule.spec.host.node->place(),
                       fmt::format("{} has no effect: no Service or ServiceEntry has the host {}{}", rule.title(),
                                   in_quotes(host), advice_for(host)));
}

WeightedClusters ClusterBuilder::split(const std::vector<Share>& shares, std::string_view name_space, Traffic traffic,
                                       const Node& place) {
  const bool is_single = shares.size() == 1;
  WeightedClusters result;
  bool has_known = false;
  std::vector<std::pair<const Share*, Index>> chosen;
  for (const Share& share : shares) {
    const Index cluster = cluster_of(share.destination, name_space, traffic);
    if (!is_single && share.weight == 0) continue;
    has_known = has_known || cluster;
    chosen.emplace_back(&share, cluster);
  }
  if (chosen.empty())
    diagnostics_.warning(place.place(), fmt::format("total destination weight = 0: {}", consequence(traffic)));
  if (!has_known) return result;
  for (const auto& [share, cluster] : chosen) {
    const uint32_t index = cluster ? *cluster : empty_cluster_of(share->destination, name_space);
    const uint32_t weight = is_single ? 1 : share->weight;
    result.destinations.push_back({index, weight, share->header_operations});
    result.total_weight += weight;
  }
  return result;
}

ClusterBuilder::Index ClusterBuilder::cluster_of(const Destination& destination, std::string_view name_space,
                                                 Traffic traffic) {
  const std::string host = full_host(destination.host.value, name_space);
  traffic_ = traffic;
  Index index;
  if (const auto service = services_.find(host); service != services_.end()) {
    if (check_subset(destination, host)) index = of_service(*service->second, destination, host);
  } else if (const auto* entries = find_entries(host)) {
    if (check_subset(destination, host)) index = of_entry(*entries, destination, host);
  } else {
    warn_of_unknown(destination, host);
  }
  if (index) check_traffic(*index, destination);
  return index;
}

const std::vector<const ServiceEntry*>* ClusterBuilder::find_entries(const std::string& host) const {
  if (const auto exact = entries_.find(host); exact != entries_.end()) return &exact->second;
  const Index wildcard = wildcards_.find(host);
  return wildcard ? entries_of_wildcards_[*wildcard] : nullptr;
}

bool ClusterBuilder::asks_for_usual_port(const Destination& destination, std::string_view name_space) const {
  if (destination.port.number) return false;
  const std::string host = full_host(destination.host.value, name_space);
  if (const auto service = services_.find(host); service != services_.end())
    return service->second->spec.ports.size() != 1;
  const auto* entries = find_entries(host);
  return entries != nullptr &&
         std::ranges::any_of(*entries, [](const ServiceEntry* entry) { return entry->spec.ports.size() != 1; });
}

std::optional<uint32_t> ClusterBuilder::port_meant(const Destination& destination, const Document& document,
                                                   size_t port_count) {
  if (usual_port_ && *usual_port_ != 0) return usual_port_;
  const SourcePlace place = destination.node->place();
  std::string message =
      fmt::format("{} has {} ports: destination.port.number must say which", document.title(), port_count);
  if (!usual_port_) {
    diagnostics_.error(place, std::move(message));
  } else {
    diagnostics_.warning(place, fmt::format("{}; where no document registers the port that is asked for, {}", message,
                                            consequence(traffic_)));
  }
  return std::nullopt;
}

uint32_t ClusterBuilder::passthrough(const SourcePlace& place) {
  const std::string name(passthrough_cluster);
  if (const Index known = find(name)) return *known;
  snapshot::Cluster& cluster = add(name, name, "");
  cluster.place = place;
  make_passthrough(cluster);
  return *find(name);
}

uint32_t ClusterBuilder::empty_cluster_of(const Destination& destination, std::string_view name_space) {
  const std::string host = full_host(destination.host.value, name_space);
  const std::string name = cluster_name(destination.port.number.value, destination.subset.value, host);
  if (const Index known = find(name)) return *known;
  snapshot::Cluster& cluster = add(name, host, "");
  cluster.service_name = host;
  cluster.service_namespace = "unknown";
  cluster.place = destination.host.node->place();
  return *find(name);
}

bool ClusterBuilder::check_subset(const Destination& destination, const std::string& host) {
  const Text& subset = destination.subset;
  if (subset.value.empty() || rules_.find_subset(host, subset.value) != nullptr) return true;
  if (!all_are_known_ || rules_.is_broken(host)) return false;
  diagnostics_.warning(subset.node->place(),
                       fmt::format("no DestinationRule for {} defines the subset {}: {}", in_quotes(host),
                                   in_quotes(subset.value), consequence(traffic_)));
  return false;
}

void ClusterBuilder::warn_of_unknown(const Destination& destination, const std::string& host) {
  if (!all_are_known_) return;
  diagnostics_.warning(destination.host.node->place(),
                       fmt::format("no Service or ServiceEntry has the host {}: {}{}", in_quotes(host),
                                   consequence(traffic_), advice_for(host)));
}

std::string ClusterBuilder::advice_for(const std::string& host) const {
  for (const std::string_view rest : {".svc.cluster.local", ".cluster.local"}) {
    if (services_.contains(host + std::string(rest)))
      return fmt::format("; did you mean {}?", in_quotes(host + std::string(rest)));
  }
  return {};
}

// --- Services --------------------------------------------------------------------------------------

std::optional<uint32_t> ClusterBuilder::of_service(const Service& service, const Destination& destination,
                                                   const std::string& host) {
  if (service.is_broken) return std::nullopt;
  const ServicePort* port = choose_port(service, destination);
  if (port == nullptr) return std::nullopt;
  return of_port(service, *port, destination.subset.value, host);
}

uint32_t ClusterBuilder::of_registered(const Service& service, const ServicePort& port, Traffic traffic) {
  traffic_ = traffic;
  return of_port(service, port, {}, full_name(service));
}

uint32_t ClusterBuilder::of_port(const Service& service, const ServicePort& port, std::string_view subset_name,
                                 const std::string& host) {
  const std::string name = cluster_name(port.port.value, subset_name, host);
  if (const Index known = find(name)) return *known;

  snapshot::Cluster& cluster = add(name, host, protocol_of(port));
  cluster.service_name = service.name();
  cluster.service_namespace = service.name_space();
  cluster.place = service.place();
  const Subset* subset = rules_.find_subset(host, subset_name);
  if (subset != nullptr && !subset->labels.empty()) {
    add_pods(cluster, service, port, subset);
  } else {
    add_endpoints(cluster, service, port);
  }
  rules_.apply(cluster, port.port.value, subset_name, {});
  return *find(name);
}

const ServicePort* ClusterBuilder::choose_port(const Service& service, const Destination& destination) {
  const std::vector<ServicePort>& ports = service.spec.ports;
  const Number& written = destination.port.number;
  std::optional<uint32_t> wanted;
  if (written) wanted = written.value;
  if (!wanted && ports.size() != 1) {
    wanted = port_meant(destination, service, ports.size());
    if (!wanted) return nullptr;
  }
  const auto is_tcp = [](const ServicePort& port) {
    return port.protocol.value.empty() || port.protocol.value == "TCP";
  };
  const auto port = std::ranges::find_if(
      ports, [&](const ServicePort& some) { return is_tcp(some) && (!wanted || some.port.value == *wanted); });
  if (port != ports.end()) return &*port;
  diagnostics_.warning((written ? written.node : destination.node)->place(),
                       fmt::format("{} has no TCP port {}: {}", service.title(),
                                   wanted.value_or(ports.front().port.value), consequence(traffic_)));
  return nullptr;
}

void ClusterBuilder::add_endpoints(snapshot::Cluster& cluster, const Service& service, const ServicePort& port) {
  const ServiceSpec& spec = service.spec;
  if (spec.type.value == "ExternalName") return add_endpoint(cluster, spec.external_name.value, port.port.value, 1);
  if (!pods_.kind(service).empty()) return add_pods(cluster, service, port, nullptr);
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

void ClusterBuilder::add_pods(snapshot::Cluster& cluster, const Service& service, const ServicePort& port,
                              const Subset* subset) {
  static const TextMap no_labels;
  const TextMap& labels = subset == nullptr ? no_labels : subset->labels;
  if (!take_seen(pods_.count(service) * std::max<size_t>(1, labels.size()), cluster.place)) return;
  const ServiceEndpoints::Found found = pods_.find(service, port, labels);
  for (const SocketAddress& address : found.addresses) add_address(cluster, address, 1);
  if (!all_are_known_) return;
  if (subset != nullptr) return warn_of_pods(service, *subset, found);
  if (!found.addresses.empty()) return;
  diagnostics_.warning(service.place(),
                       fmt::format("{} has no ready endpoint for port {} in its {}: {}", service.title(),
                                   port.port.value, pods_.kind(service), consequence(traffic_)));
}

void ClusterBuilder::warn_of_pods(const Service& service, const Subset& subset, const ServiceEndpoints::Found& found) {
  const std::string_view kind = pods_.kind(service);
  const SourcePlace place = subset.name.node->place();
  const std::string title = fmt::format("subset {} of {}", in_quotes(subset.name.value), service.title());
  const std::string_view effect = consequence(traffic_);
  if (kind.empty()) {
    return diagnostics_.warning(
        place,
        fmt::format("{} has no endpoints: which pods have its labels is told by the Service's EndpointSlices and "
                    "its Pods, and there are no such documents: {}",
                    title, effect));
  }
  if (found.moved_pod != nullptr) {
    diagnostics_.warning(found.moved_pod->place(),
                         fmt::format("{} has another address than the {} of {} say: one of these is out of date",
                                     found.moved_pod->title(), kind, service.title()));
  }
  if (found.without_labels > 0) {
    const std::string pod = found.missing_pod.empty() ? "an endpoint without targetRef" : "Pod " + found.missing_pod;
    diagnostics_.warning(place, fmt::format("{} lacks {} whose labels are not known, the first is {}: there is no "
                                            "document of its Pod{}",
                                            title, counted(found.without_labels, "endpoint"), pod,
                                            found.addresses.empty() ? fmt::format("; {}", effect) : ""));
  } else if (found.addresses.empty()) {
    diagnostics_.warning(
        place, fmt::format("{} has no endpoints: no ready one in the {} is of a Pod with its labels: {}", title, kind,
                           effect));
  }
}

// --- ServiceEntries --------------------------------------------------------------------------------

std::optional<uint32_t> ClusterBuilder::of_entry(const std::vector<const ServiceEntry*>& entries,
                                                 const Destination& destination, const std::string& host) {
  const Number& written = destination.port.number;
  std::optional<uint32_t> wanted;
  if (written) wanted = written.value;
  bool is_visible = false;
  for (const ServiceEntry* entry : entries) {
    if (entry->is_broken) return std::nullopt;
    if (!is_exported(entry->spec.export_to, entry->name_space())) continue;
    is_visible = true;
    const std::vector<ServiceEntryPort>& ports = entry->spec.ports;
    if (!wanted && ports.size() != 1) {
      wanted = port_meant(destination, *entry, ports.size());
      if (!wanted) return std::nullopt;
    }
    const auto port = std::ranges::find_if(
        ports, [&](const ServiceEntryPort& some) { return !wanted || some.number.value == *wanted; });
    if (port != ports.end()) return of_port(*entry, *port, destination.subset.value, host);
  }
  diagnostics_.warning((written ? written.node : destination.host.node)->place(),
                       is_visible ? fmt::format("{} has no port {}: {}", entries.front()->title(), wanted.value_or(0),
                                                consequence(traffic_))
                                  : fmt::format("{} is not exported to {}, where the gateway is: {}",
                                                entries.front()->title(), gateway_namespace, consequence(traffic_)));
  return std::nullopt;
}

uint32_t ClusterBuilder::of_registered(const ServiceEntry& entry, const ServiceEntryPort& port, const std::string& host,
                                       Traffic traffic) {
  traffic_ = traffic;
  return of_port(entry, port, {}, host);
}

uint32_t ClusterBuilder::of_port(const ServiceEntry& entry, const ServiceEntryPort& port, std::string_view subset_name,
                                 const std::string& host) {
  const std::string name = cluster_name(port.number.value, subset_name, host);
  if (const Index known = find(name)) return *known;
  snapshot::Cluster& cluster = add(name, host, protocol_of(port));
  cluster.service_name = host;
  cluster.service_namespace = entry.name_space();
  cluster.place = entry.place();
  if (add_requested_target(cluster, entry, port)) {
    // As many as the endpoints of others: each cluster has its own.
    for (size_t i = 0; i < cluster.guard.registered.size(); ++i) {
      if (!take_endpoint(cluster.place)) return *find(name);
    }
  } else {
    add_endpoints(cluster, entry, port, rules_.find_subset(host, subset_name));
  }
  rules_.apply(cluster, port.number.value, subset_name, entry.spec.subject_alt_names);
  return *find(name);
}

void ClusterBuilder::add_endpoints(snapshot::Cluster& cluster, const ServiceEntry& entry, const ServiceEntryPort& port,
                                   const Subset* subset) {
  static const TextMap no_labels;
  const TextMap& labels = subset == nullptr ? no_labels : subset->labels;
  const bool selects = entry.spec.workload_selector.node != nullptr;
  if (entry.spec.endpoints.empty() && labels.empty() && !selects)
    return add_endpoint(cluster, cluster.host, target_port(port), 1);
  bool has_any = selects && add_workloads(cluster, entry, port, labels);
  for (const WorkloadEndpoint& endpoint : entry.spec.endpoints) {
    if (!take_seen(1 + labels.size() * endpoint.labels.size(), cluster.place)) return;
    if (!has_labels(endpoint.labels, labels)) continue;
    has_any = true;
    add_endpoint(cluster, endpoint, port);
  }
  if (has_any || subset == nullptr) return;
  diagnostics_.warning(subset->name.node->place(),
                       fmt::format("subset {} of {} has no endpoints: none in its list has the labels: {}",
                                   in_quotes(subset->name.value), entry.title(), consequence(traffic_)));
}

bool ClusterBuilder::add_workloads(snapshot::Cluster& cluster, const ServiceEntry& entry, const ServiceEntryPort& port,
                                   const TextMap& labels) {
  const TextMap& selector = entry.spec.workload_selector.labels;
  bool is_selected = false;
  bool has_any = false;
  for (const WorkloadEndpoint* endpoint : workloads_.of_namespace(entry.name_space())) {
    if (!take_seen(1 + (selector.size() + labels.size()) * endpoint->labels.size(), cluster.place)) return true;
    if (!has_labels(endpoint->labels, selector)) continue;
    is_selected = true;
    if (!has_labels(endpoint->labels, labels)) continue;
    has_any = true;
    add_endpoint(cluster, *endpoint, port);
  }
  if (is_selected || !all_are_known_) return has_any;
  diagnostics_.warning(
      entry.spec.workload_selector.node->place(),
      fmt::format("{} has no endpoints: no WorkloadEntry or Pod of its namespace has the labels of its "
                  "workloadSelector: {}",
                  entry.title(), consequence(traffic_)));
  return true;  // said
}

void ClusterBuilder::add_endpoint(snapshot::Cluster& cluster, const WorkloadEndpoint& endpoint,
                                  const ServiceEntryPort& port) {
  add_endpoint(cluster, endpoint.address.value, target_port(endpoint, port),
               std::max<uint32_t>(1, endpoint.weight.value));
}

// --- Both ------------------------------------------------------------------------------------------

// An address or a Unix socket is an endpoint; a name is resolved before the snapshot is published.
void ClusterBuilder::add_endpoint(snapshot::Cluster& cluster, std::string_view address, uint32_t port,
                                  uint32_t weight) {
  const uint16_t port_number = static_cast<uint16_t>(port);
  if (const std::optional<SocketAddress> ip = SocketAddress::from_ip(address, port_number)) {
    add_address(cluster, *ip, weight);
  } else if (const std::optional<SocketAddress> unix_socket = SocketAddress::from_unix(address)) {
    add_address(cluster, *unix_socket, weight);
  } else if (take_endpoint(cluster.place)) {
    cluster.dns_names.push_back({normalised_host(address), port_number, weight});
  }
}

void ClusterBuilder::add_address(snapshot::Cluster& cluster, const SocketAddress& address, uint32_t weight) {
  if (take_endpoint(cluster.place)) cluster.endpoints.push_back({address, weight});
}

bool ClusterBuilder::take_endpoint(const SourcePlace& place) {
  if (++endpoint_count_ <= limits::config_endpoints_max) return true;
  if (endpoint_count_ == limits::config_endpoints_max + 1)
    diagnostics_.error(place, fmt::format("more than {} endpoints in all", limits::config_endpoints_max));
  return false;
}

bool ClusterBuilder::take_seen(size_t count, const SourcePlace& place) {
  if (count <= endpoints_seen_left_) {
    endpoints_seen_left_ -= count;
    return true;
  }
  if (!has_seen_too_many_) {
    diagnostics_.error(place, fmt::format("more than {} endpoints to choose those of all clusters from",
                                          limits::config_endpoints_seen_max));
  }
  has_seen_too_many_ = true;
  return false;
}

// Once for each cluster and kind of traffic.
void ClusterBuilder::check_traffic(uint32_t index, const Destination& destination) {
  const std::string_view protocol = protocols_[index];
  const bool has_tls = clusters_[index].tls.has_value();
  if (!checked_.emplace(index, traffic_).second) return;
  const SourcePlace place = destination.host.node->place();
  const std::string host = in_quotes(destination.host.value);
  const bool is_http = traffic_ == Traffic::http || traffic_ == Traffic::mirrored_http;
  if (protocol == "udp") {
    diagnostics_.error(place, fmt::format("the port of {} speaks UDP: it cannot take {}", host,
                                          is_http ? "HTTP requests" : "TCP connections"));
  }
  if (traffic_ == Traffic::passed_tls && has_tls) {
    diagnostics_.warning(place, fmt::format("{} puts the TLS of clients, which is passed through to {}, into TLS of "
                                            "its own",
                                            clusters_[index].tls->name, host));
  }
  if (!is_http) return;
  if ((protocol == "https" || protocol == "tls") && !has_tls) {
    diagnostics_.warning(place, fmt::format("the port of {} speaks {}, but requests are sent as plain HTTP, as Istio "
                                            "does without a DestinationRule",
                                            host, protocol));
  }
}

std::optional<uint32_t> ClusterBuilder::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? Index() : Index(found->second);
}

snapshot::Cluster& ClusterBuilder::add(const std::string& name, const std::string& host, std::string protocol) {
  const bool is_http2 = speaks_http2(protocol);
  protocols_.push_back(std::move(protocol));
  by_name_.emplace(name, static_cast<uint32_t>(clusters_.size()));
  snapshot::Cluster& cluster = clusters_.emplace_back();
  cluster.name = name;
  cluster.host = host;
  cluster.connect_timeout = connect_timeout_;
  if (is_http2) cluster.http = snapshot::UpstreamHttp::http2;
  return cluster;
}

}  // namespace sluice::config
