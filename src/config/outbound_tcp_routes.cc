#include "config/outbound_tcp_routes.h"

#include "base/limits.h"
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

// What validation has accepted.
std::vector<AddressRange> ranges_of(const std::vector<Text>& subnets) {
  std::vector<AddressRange> ranges;
  for (const Text& subnet : subnets) {
    if (const auto range = AddressRange::parse(subnet.value)) ranges.push_back(*range);
  }
  return ranges;
}

std::vector<std::string> names_of(const RegisteredPort& port) {
  std::vector<std::string> names{port.host};
  names.insert(names.end(), port.short_names.begin(), port.short_names.end());
  for (const AddressRange& address : port.addresses) {
    if (address.is_one()) names.push_back(address.network.ip_text());
  }
  return names;
}

Traffic traffic_of(const TlsRoute&) noexcept { return Traffic::passed_tls; }
Traffic traffic_of(const TcpRoute&) noexcept { return Traffic::tcp; }

}  // namespace

OutboundTcpRoutes::OutboundTcpRoutes(const std::vector<RegisteredPort>& registered, const MeshServices& services,
                                     RouteCompilers compilers, snapshot::Snapshot& snapshot, Diagnostics& diagnostics)
    : registered_(registered),
      services_(services),
      compilers_(compilers),
      snapshot_(snapshot),
      diagnostics_(diagnostics),
      routes_left_(limits::config_routes_max),
      steps_left_(limits::config_host_pairs_max) {}

void OutboundTcpRoutes::build(const Tables& tables) {
  find_tables_of_services(tables);
  for (const auto& [port, table] : tables) {
    taken_.clear();
    for (const VirtualService* service : tls_services_[port]) add_tls_routes(table, *service);
    for (const RegisteredPort* registered : table.registered) add_registered(table, *registered);
    for (const MeshHost* host : tcp_hosts_[port]) add_tcp_routes(table, *host->service, {host->pattern}, {});
    std::ranges::stable_sort(snapshot_.route_tables[table.index].tcp_routes, {}, specificity);
  }
}

// Where a host is registered, there are its routes; where none of them is, in all tables.
void OutboundTcpRoutes::find_tables_of_services(const Tables& tables) {
  const RegisteredHosts hosts(registered_, [](const RegisteredPort&) { return true; });
  const auto take_steps = [&](const SourcePlace& place) {
    if (steps_left_ >= tables.size()) {
      steps_left_ -= tables.size();
      return true;
    }
    if (steps_left_ > 0)
      diagnostics_.error(place, fmt::format("more than {} pairs of a VirtualService's host and a port",
                                            limits::config_host_pairs_max));
    steps_left_ = 0;
    return false;
  };
  for (const VirtualService* service : services_.with_tls()) {
    RegisteredHosts::Ports ports;
    for (const Text& written : service->spec.hosts) {
      const std::string host = normalised_host(written.value);
      if (host == "*") continue;
      ports.merge(hosts.below(host, steps_left_));
      ports.merge(hosts.above(host));
    }
    if (!take_steps(service->place())) return;
    for (const auto& [port, table] : tables) {
      if (ports.empty() || ports.contains(port)) tls_services_[port].push_back(service);
    }
  }
  for (const MeshHost& host : services_.tcp_hosts()) {
    if (!hosts.below(host.pattern, steps_left_).empty()) continue;
    const RegisteredHosts::Ports ports = hosts.above(host.pattern);
    if (!take_steps(host.written->node->place())) return;
    for (const auto& [port, table] : tables) {
      if (ports.empty() || ports.contains(port)) tcp_hosts_[port].push_back(&host);
    }
  }
}

void OutboundTcpRoutes::add_tls_routes(const OutboundTable& table, const VirtualService& service) {
  for (const TlsRoute& route : service.spec.tls) {
    for (const TlsMatch& match : route.match) {
      if (!services_.is_for(match, table.port)) continue;
      const snapshot::TcpRoute& made = compiled(route, service, table.port);
      const std::vector<AddressRange> subnets = ranges_of(match.destination_subnets);
      for (const Text& sni : match.sni_hosts) {
        const std::string name = normalised_host(sni.value);
        if (subnets.empty()) add(table, {name}, nullptr, made);
        for (const AddressRange& subnet : subnets) add(table, {name}, &subnet, made);
      }
    }
  }
}

void OutboundTcpRoutes::add_registered(const OutboundTable& table, const RegisteredPort& port) {
  static const std::vector<AddressRange> none;
  // By address alone: what HTTP speaks is found by its Host.
  const std::vector<AddressRange>& addresses = port.takes_tcp() ? port.addresses : none;
  const std::vector<std::string> names = names_of(port);
  const MeshHost* routed = port.takes_tcp() ? services_.find_tcp(port.host) : nullptr;
  if (routed != nullptr && !add_tcp_routes(table, *routed->service, names, addresses)) return;
  const snapshot::TcpRoute& route = default_route(port);
  add(table, names, nullptr, route);
  for (const AddressRange& address : addresses) add(table, {}, &address, route);
}

bool OutboundTcpRoutes::add_tcp_routes(const OutboundTable& table, const VirtualService& service,
                                       const std::vector<std::string>& names,
                                       const std::vector<AddressRange>& addresses) {
  for (const TcpRoute& route : service.spec.tcp) {
    bool takes_everything = route.match.empty();
    std::vector<AddressRange> subnets;
    for (const TcpMatch& match : route.match) {
      if (!services_.is_for(match, table.port)) continue;
      if (match.destination_subnets.empty()) takes_everything = true;
      for (const AddressRange& subnet : ranges_of(match.destination_subnets)) subnets.push_back(subnet);
    }
    if (!takes_everything && subnets.empty()) continue;
    const snapshot::TcpRoute& made = compiled(route, service, table.port);
    for (const AddressRange& subnet : subnets) add(table, {}, &subnet, made);
    if (!takes_everything) continue;
    add(table, names, nullptr, made);
    for (const AddressRange& address : addresses) add(table, {}, &address, made);
    return false;
  }
  return true;
}

// The first one that has a name, or a block of addresses, keeps it.
void OutboundTcpRoutes::add(const OutboundTable& table, const std::vector<std::string>& names,
                            const AddressRange* addresses, const snapshot::TcpRoute& route) {
  const std::string of_addresses = addresses == nullptr ? "" : ' ' + addresses->to_string();
  snapshot::TcpRoute added = route;
  if (addresses != nullptr) added.addresses.push_back(*addresses);
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
  const bool depends = std::ranges::any_of(written.route, [&](const ConnectionDestination& to) {
    return compilers_.clusters.asks_for_usual_port(to.destination, service.name_space());
  });
  const auto [known, is_new] = compiled_.try_emplace({written.node, depends ? std::optional(port) : std::nullopt});
  if (!is_new) return known->second;
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
