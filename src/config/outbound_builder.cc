#include "config/outbound_builder.h"

#include "base/limits.h"
#include "config/host_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace sluice::config {

OutboundBuilder::OutboundBuilder(const Model& model, const OutboundSettings& settings, RouteCompilers compilers,
                                 snapshot::Snapshot& snapshot, Diagnostics& diagnostics)
    : settings_(settings),
      compilers_(compilers),
      snapshot_(snapshot),
      diagnostics_(diagnostics),
      services_(model, diagnostics),
      registered_(registered_ports(model, compilers.clusters, diagnostics)),
      virtual_hosts_left_(limits::config_virtual_hosts_max),
      matches_left_(limits::config_routes_max),
      budget_(diagnostics) {}

void OutboundBuilder::build() {
  const Node& place = *(settings_.proxy_node != nullptr ? settings_.proxy_node : settings_.redirected_node);
  gateway_server_ = static_cast<uint32_t>(snapshot_.gateway_servers.size());
  snapshot_.gateway_servers.push_back({settings_.document->key(), "outbound", place.place()});
  make_tables();
  add_unregistered_hosts();
  const uint32_t list_of_others = add_list(route_of_others());
  for (auto& [port, table] : tables_) {
    add_registered_hosts(table);
    add_short_names(table);
    add_host(table, "*", list_of_others, settings_.policy_node->place());
  }
  OutboundTcpRoutes(registered_, services_, compilers_, budget_, snapshot_, diagnostics_).build(tables_);
  if (settings_.registry_only) return;
  snapshot::TcpRoute others;
  others.destinations.push_back({.cluster = compilers_.clusters.passthrough(settings_.policy_node->place())});
  others.total_weight = 1;
  others.virtual_service = compilers_.names.index_of(*settings_.document);
  others.place = settings_.policy_node->place();
  for (const auto& [port, table] : tables_) snapshot_.route_tables[table.index].tcp_routes.push_back(others);
}

void OutboundBuilder::make_tables() {
  tables_.try_emplace(0);
  for (const RegisteredPort& port : registered_) tables_[port.number].registered.push_back(&port);
  for (const uint16_t port : services_.ports()) tables_.try_emplace(port);
  snapshot::Outbound& outbound = snapshot_.outbound.emplace();
  outbound.registry_only = settings_.registry_only;
  outbound.host_agreement = settings_.host_agreement;
  outbound.detection_time = settings_.detection_time;
  outbound.credentials = settings_.credentials;
  for (auto& [port, table] : tables_) {
    table.port = port;
    table.index = static_cast<uint32_t>(snapshot_.route_tables.size());
    snapshot_.route_tables.emplace_back().name = port == 0 ? "other" : std::to_string(port);
    if (port == 0) {
      outbound.other_ports_table = table.index;
    } else {
      outbound.ports.push_back({port, table.index});
    }
  }
}

// Hosts of VirtualServices that nobody registers by these names: below a wildcard that is registered they are of its
// ports, else of all.
void OutboundBuilder::add_unregistered_hosts() {
  const RegisteredHosts registered(registered_, [](const RegisteredPort& port) { return port.takes_http(); });
  for (const MeshHost& host : services_.http_hosts()) {
    if (!registered.below(host.pattern, budget_, *host.written->node).empty()) continue;
    const RegisteredHosts::Ports ports = registered.above(host.pattern);
    if (!budget_.take(tables_.size(), *host.written->node)) return;
    for (auto& [port, table] : tables_) {
      if (ports.empty() || ports.contains(port)) table.other_hosts.push_back(&host);
    }
  }
}

void OutboundBuilder::add_registered_hosts(OutboundTable& table) {
  for (const RegisteredPort* port : table.registered) {
    if (!port->takes_http()) continue;
    const MeshHost* routed = services_.find_http(port->host);
    const std::optional<uint32_t> list = routed == nullptr ? std::nullopt : list_of(*routed->service, port->number);
    add_host(table, port->host, list ? *list : default_list(*port), port->document->place());
  }
  for (const MeshHost* host : table.other_hosts) {
    if (const auto list = list_of(*host->service, table.port))
      add_host(table, host->pattern, *list, host->written->node->place());
  }
}

// After all full names, which win.
void OutboundBuilder::add_short_names(OutboundTable& table) {
  const snapshot::RouteTable& made = snapshot_.route_tables[table.index];
  for (const RegisteredPort* port : table.registered) {
    if (!port->takes_http() || !budget_.take(1 + port->addresses->size(), *port->document->node)) continue;
    const auto own = made.hosts.find_pattern(port->host);
    if (!own) continue;  // beyond the limit
    const uint32_t list = *made.virtual_hosts[*own].route_list;
    const SourcePlace& place = port->document->place();
    for (const std::string& name : port->short_names) add_host(table, name, list, place);
    for (const AddressRange& address : *port->addresses) {
      if (!is_one_address(address)) continue;
      const std::string ip = address.network.ip_text();
      add_host(table, ip.contains(':') ? fmt::format("[{}]", ip) : ip, list, place);
    }
  }
}

void OutboundBuilder::add_host(OutboundTable& table, const std::string& pattern, uint32_t list,
                               const SourcePlace& place) {
  snapshot::RouteTable& made = snapshot_.route_tables[table.index];
  if (made.hosts.find_pattern(pattern)) return;
  if (!take(virtual_hosts_left_, 1, limits::config_virtual_hosts_max, place, "virtual hosts for outbound traffic"))
    return;
  made.hosts.add(pattern, static_cast<uint32_t>(made.virtual_hosts.size()));
  snapshot::VirtualHost& host = made.virtual_hosts.emplace_back();
  host.pattern = pattern;
  host.route_list = list;
  host.gateway_server = gateway_server_;
  host.place = place;
}

// --- Routes ----------------------------------------------------------------------------------------

std::optional<uint32_t> OutboundBuilder::list_of(const VirtualService& service, uint16_t port) {
  const CompiledMatches& matches = compiled(service, port);
  const bool depends =
      std::ranges::any_of(matches, [](const CompiledMatch& match) { return match.server_specific != nullptr; });
  const auto [known, is_new] = lists_.try_emplace({&matches, depends ? std::optional(port) : std::nullopt});
  if (!is_new) return known->second;
  std::vector<snapshot::RequestMatch> list;
  for (const CompiledMatch& match : matches) {
    const size_t steps = match.server_specific == nullptr ? 1 : steps_of(*match.server_specific);
    if (!budget_.take(steps, *match.node)) return std::nullopt;
    if (match.server_specific != nullptr && !services_.is_for(*match.server_specific, port)) continue;
    list.push_back(match.match);
    if (match.match.takes_everything()) break;
  }
  if (list.empty() || !take(matches_left_, list.size(), limits::config_routes_max, service.place(),
                            "matches over all hosts of outbound traffic"))
    return std::nullopt;
  known->second = static_cast<uint32_t>(snapshot_.route_lists.size());
  snapshot_.route_lists.emplace_back(std::move(list));
  return known->second;
}

const CompiledMatches& OutboundBuilder::compiled(const VirtualService& service, uint16_t port) {
  const auto key_port = asks_for_port(service) ? std::optional(port) : std::nullopt;
  const auto [known, is_new] = compiled_.try_emplace({&service, key_port});
  if (!is_new) return *known->second;
  CompiledMatches& matches = compiled_matches_.emplace_back();
  known->second = &matches;
  // What is compiled for each port again takes as long as it is long.
  if (key_port && !budget_.take(service.spec.node->count(), *service.node)) return matches;
  compilers_.clusters.set_usual_port(port);
  matches = compilers_.http.compile(service);
  compilers_.clusters.set_usual_port(std::nullopt);
  return matches;
}

// Of a delegate that is not known here.
bool OutboundBuilder::asks_for_port(const VirtualService& service) {
  const auto [known, is_new] = asks_for_port_.try_emplace(&service);
  if (!is_new) return known->second;
  const auto asks = [&](const Destination& to) {
    return to.node != nullptr && compilers_.clusters.asks_for_usual_port(to, service.name_space());
  };
  known->second = std::ranges::any_of(service.spec.http, [&](const HttpRoute& route) {
    return route.delegate->node != nullptr || asks(*route.mirror) ||
           std::ranges::any_of(route.route, asks, &RouteDestination::destination) ||
           std::ranges::any_of(route.mirrors, asks, &Mirror::destination);
  });
  return known->second;
}

uint32_t OutboundBuilder::default_list(const RegisteredPort& port) {
  const auto [known, is_new] = default_lists_.try_emplace(port.cluster);
  if (!is_new) return known->second;
  snapshot::Route route;
  route.name = "default";  // Istio's name
  route.destinations.push_back({.cluster = port.cluster});
  route.total_weight = 1;
  route.virtual_service = compilers_.names.index_of(*port.document);
  route.place = port.document->place();
  known->second = add_list(std::move(route));
  return known->second;
}

uint32_t OutboundBuilder::add_list(snapshot::Route route) {
  snapshot_.routes.push_back(std::move(route));
  std::vector<snapshot::RequestMatch> matches(1);
  matches.front().route = static_cast<uint32_t>(snapshot_.routes.size() - 1);
  snapshot_.route_lists.emplace_back(std::move(matches));
  return static_cast<uint32_t>(snapshot_.route_lists.size() - 1);
}

// Named and answered as in Istio.
snapshot::Route OutboundBuilder::route_of_others() {
  snapshot::Route route;
  route.virtual_service = compilers_.names.index_of(*settings_.document);
  route.place = settings_.policy_node->place();
  if (settings_.registry_only) {
    route.name = "block_all";
    route.direct_response = std::make_shared<const snapshot::DirectResponse>(
        snapshot::DirectResponse{.status = 502, .body = {}, .details = "not_registered"});
    return route;
  }
  route.name = "allow_any";
  route.destinations.push_back({.cluster = compilers_.clusters.passthrough(route.place)});
  route.total_weight = 1;
  route.retries = std::make_shared<const snapshot::RetryPolicy>(snapshot::RetryPolicy{.attempts = 0});
  return route;
}

bool OutboundBuilder::take(size_t& left, size_t count, size_t max, const SourcePlace& place, std::string_view what) {
  if (count <= left) {
    left -= count;
    return true;
  }
  left = 0;
  if (!has_too_many_) diagnostics_.error(place, fmt::format("more than {} {}", max, what));
  has_too_many_ = true;
  return false;
}

}  // namespace sluice::config
