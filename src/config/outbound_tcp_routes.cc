#include "config/outbound_tcp_routes.h"

#include "base/limits.h"
#include "config/address_block.h"
#include "config/host_name.h"
#include "config/tcp_route_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <tuple>

namespace sluice::config {

namespace {

// What routes are ordered by, as the first one that matches wins: exact names, longer wildcards, no names; then smaller
// blocks of addresses. Of equals those of VirtualServices are added first, and stay so.
std::tuple<int, size_t, int> specificity(const snapshot::TcpRoute& route) {
  const int bits = route.addresses.empty() ? -1 : route.addresses.front().prefix_bits;
  if (route.server_names.empty()) return {2, 0, -bits};
  const std::string_view name = route.server_names.front();
  return {is_wildcard(name) ? 1 : 0, is_wildcard(name) ? std::string_view::npos - name.size() : 0, -bits};
}

void sort_by_specificity(std::vector<snapshot::TcpRoute>& routes) {
  std::vector<std::pair<decltype(specificity(routes.front())), size_t>> order;
  for (size_t i = 0; i < routes.size(); ++i) order.emplace_back(specificity(routes[i]), i);
  std::ranges::sort(order);
  std::vector<snapshot::TcpRoute> sorted;
  sorted.reserve(routes.size());
  for (const auto& [key, index] : order) sorted.push_back(std::move(routes[index]));
  routes = std::move(sorted);
}

std::vector<std::string> names_of(const RegisteredPort& port) {
  std::vector<std::string> names{port.host};
  names.insert(names.end(), port.short_names.begin(), port.short_names.end());
  for (const AddressRange& address : *port.addresses) {
    if (is_one_address(address)) names.push_back(address.network.ip_text());
  }
  return names;
}

Traffic traffic_of(const TlsRoute&) noexcept { return Traffic::passed_tls; }
Traffic traffic_of(const TcpRoute&) noexcept { return Traffic::tcp; }

}  // namespace

OutboundTcpRoutes::OutboundTcpRoutes(const std::vector<RegisteredPort>& registered, const MeshServices& services,
                                     RouteCompilers compilers, OutboundBudget& budget, snapshot::Snapshot& snapshot,
                                     Diagnostics& diagnostics)
    : registered_(registered),
      services_(services),
      compilers_(compilers),
      budget_(budget),
      snapshot_(snapshot),
      diagnostics_(diagnostics),
      routes_left_(limits::config_routes_max) {}

void OutboundTcpRoutes::build(const Tables& tables) {
  find_tables_of_services(tables);
  for (const auto& [port, table] : tables) {
    taken_.clear();
    hosts_.clear();
    for (const RegisteredPort* registered : table.registered) hosts_.insert(registered->host);
    for (const VirtualService* service : tls_services_[port]) add_tls_routes(table, *service);
    for (const RegisteredPort* registered : table.registered) add_registered(table, *registered);
    for (const MeshHost* host : tcp_hosts_[port])
      add_tcp_routes(table, *host->service, {host->pattern}, {}, /*is_opaque=*/false);
    sort_by_specificity(snapshot_.route_tables[table.index].tcp_routes);
  }
}

// Where a host is registered, there are its routes; where none of them is, in all tables.
void OutboundTcpRoutes::find_tables_of_services(const Tables& tables) {
  const RegisteredHosts hosts(registered_, [](const RegisteredPort&) { return true; });
  for (const VirtualService* service : services_.with_tls()) {
    RegisteredHosts::Ports ports;
    for (const Text& written : service->spec.hosts) {
      const std::string host = normalised_host(written.value);
      if (host == "*") continue;
      ports.merge(hosts.below(host, budget_, *written.node));
      ports.merge(hosts.above(host));
    }
    if (!budget_.take(tables.size(), *service->node)) return;
    for (const auto& [port, table] : tables) {
      if (ports.empty() || ports.contains(port)) tls_services_[port].push_back(service);
    }
  }
  for (const MeshHost& host : services_.tcp_hosts()) {
    if (!hosts.below(host.pattern, budget_, *host.written->node).empty()) continue;
    const RegisteredHosts::Ports ports = hosts.above(host.pattern);
    if (!budget_.take(tables.size(), *host.written->node)) return;
    for (const auto& [port, table] : tables) {
      if (ports.empty() || ports.contains(port)) tcp_hosts_[port].push_back(&host);
    }
  }
}

void OutboundTcpRoutes::add_tls_routes(const OutboundTable& table, const VirtualService& service) {
  for (const TlsRoute& route : service.spec.tls) {
    for (const TlsMatch& match : route.match) {
      if (!budget_.take(steps_of(match), *match.node)) return;
      if (!services_.is_for(match, table.port)) continue;
      const snapshot::TcpRoute& made = compiled(route, service, table.port);
      const std::vector<AddressRange> subnets = address_blocks(match.destination_subnets);
      for (const Text& sni : match.sni_hosts) {
        const std::string name = normalised_host(sni.value);
        if (subnets.empty()) add(table, {name}, nullptr, made, *sni.node);
        for (const AddressRange& subnet : subnets) add(table, {name}, &subnet, made, *sni.node);
      }
    }
  }
}

void OutboundTcpRoutes::add_registered(const OutboundTable& table, const RegisteredPort& port) {
  static const std::vector<AddressRange> none;
  // By address alone: what HTTP speaks is found by its Host.
  const std::vector<AddressRange>& addresses = port.takes_tcp() ? *port.addresses : none;
  if (!budget_.take(1 + port.addresses->size(), *port.document->node)) return;
  std::vector<std::string> names = names_of(port);
  // A short name of a Service may be somebody's full name.
  std::erase_if(names, [&](const std::string& name) { return name != port.host && hosts_.contains(name); });
  const MeshHost* routed = port.takes_tcp() ? services_.find_tcp(port.host) : nullptr;
  if (routed != nullptr && !add_tcp_routes(table, *routed->service, names, addresses, port.is_opaque)) return;
  const snapshot::TcpRoute& route = default_route(port);
  add(table, names, nullptr, route, *port.document->node);
  for (const AddressRange& address : addresses) add(table, {}, &address, route, *port.document->node, port.is_opaque);
}

bool OutboundTcpRoutes::add_tcp_routes(const OutboundTable& table, const VirtualService& service,
                                       const std::vector<std::string>& names,
                                       const std::vector<AddressRange>& addresses, bool is_opaque) {
  for (const TcpRoute& route : service.spec.tcp) {
    bool takes_everything = route.match.empty();
    std::vector<AddressRange> subnets;
    for (const TcpMatch& match : route.match) {
      if (!budget_.take(steps_of(match) + match.destination_subnets.size(), *match.node)) return false;
      if (!services_.is_for(match, table.port)) continue;
      if (match.destination_subnets.empty()) takes_everything = true;
      for (const AddressRange& subnet : address_blocks(match.destination_subnets)) subnets.push_back(subnet);
    }
    if (!takes_everything && subnets.empty()) continue;
    const snapshot::TcpRoute& made = compiled(route, service, table.port);
    for (const AddressRange& subnet : subnets) add(table, {}, &subnet, made, *route.node);
    if (!takes_everything) continue;
    add(table, names, nullptr, made, *route.node);
    for (const AddressRange& address : addresses) add(table, {}, &address, made, *route.node, is_opaque);
    return false;
  }
  return true;
}

// The first one that has a name, or a block of addresses, keeps it.
void OutboundTcpRoutes::add(const OutboundTable& table, const std::vector<std::string>& names,
                            const AddressRange* addresses, const snapshot::TcpRoute& route, const Node& node,
                            bool is_opaque) {
  if (!budget_.take(names.size() + route.destinations.size(), node)) return;
  const std::string of_addresses = addresses == nullptr ? "" : ' ' + addresses->to_string();
  snapshot::TcpRoute added = route;
  if (addresses != nullptr) added.addresses.push_back(*addresses);
  added.is_opaque = is_opaque;
  for (const std::string& name : names) {
    if (taken_.insert(name + of_addresses).second) added.server_names.push_back(name);
  }
  const bool has_any = names.empty() ? taken_.insert(of_addresses).second : !added.server_names.empty();
  if (!has_any || routes_left_ == 0) return;
  if (--routes_left_ == 0) {
    diagnostics_.error(route.place,
                       fmt::format("more than {} routes of outbound connections", limits::config_routes_max));
  }
  snapshot_.route_tables[table.index].tcp_routes.push_back(std::move(added));
}

template <typename Written>
const snapshot::TcpRoute& OutboundTcpRoutes::compiled(const Written& written, const VirtualService& service,
                                                      uint16_t port) {
  const auto [asks, is_unknown] = asks_for_port_.try_emplace(written.node);
  if (is_unknown) {
    asks->second = std::ranges::any_of(written.route, [&](const ConnectionDestination& to) {
      return compilers_.clusters.asks_for_usual_port(to.destination, service.name_space());
    });
  }
  const auto key_port = asks->second ? std::optional(port) : std::nullopt;
  const auto [known, is_new] = compiled_.try_emplace({written.node, key_port});
  if (!is_new || (key_port && !budget_.take(written.node->count(), *written.node))) return known->second;
  compilers_.clusters.set_usual_port(port);
  known->second =
      compile_connection_route(written, service, traffic_of(written), compilers_.clusters, compilers_.names);
  compilers_.clusters.set_usual_port(std::nullopt);
  return known->second;
}

const snapshot::TcpRoute& OutboundTcpRoutes::default_route(const RegisteredPort& port) {
  const auto [known, is_new] = default_routes_.try_emplace(port.cluster);
  if (!is_new) return known->second;
  snapshot::TcpRoute& route = known->second;
  route.destinations.push_back({.cluster = port.cluster});
  route.total_weight = 1;
  route.virtual_service = compilers_.names.index_of(*port.document);
  route.place = port.document->place();
  return route;
}

}  // namespace sluice::config
