#include "config/tcp_route_builder.h"

#include "base/limits.h"
#include "config/gateway_key.h"
#include "config/host_name.h"
#include "config/labels.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

namespace sluice::config {

namespace {

using snapshot::ServerKind;

// Whether a match of a route is for the server. The hosts are looked at elsewhere. Which address a client has connected
// to is asked of outbound traffic only: to a Gateway's server all have the gateway's.
template <typename Match>
bool is_for(const Match& match, const BoundServer& server, const VirtualService& service) {
  if (match.port && match.port.value != server.server->port.number.value) return false;
  if (!match.destination_subnets.empty()) return false;
  if (!match.gateways.empty()) return names_gateway(match.gateways, *server.gateway, service);
  return has_labels(server.gateway->spec.selector, match.source_labels) &&
         (!match.source_namespace || match.source_namespace.value == gateway_namespace);
}

// What the names of routes are compared by: exact ones first, then longer wildcards, "*" last. The name itself
// makes the order that of the names, not of the documents: no two routes of a table have the same.
std::tuple<int, size_t, std::string_view> specificity(const snapshot::TcpRoute& route) {
  if (route.server_names.empty()) return {2, 0, {}};
  const std::string_view name = route.server_names.front();
  return {is_wildcard(name) ? 1 : 0, is_wildcard(name) ? std::string_view::npos - name.size() : 0, name};
}

}  // namespace

std::string what_it_does(const BoundServer& server) {
  const std::string title = server_title(*server.gateway, *server.server);
  switch (server.role.kind) {
    case ServerKind::passthrough: return title + " passes TLS through, so only tls routes are for it";
    case ServerKind::http:
      return title + (server.role.is_tls ? " terminates TLS and" : "") + " is HTTP, so only http routes are for it";
    case ServerKind::tcp: break;
  }
  return title + (server.role.is_tls ? " terminates TLS and" : "") + " is not HTTP, so only tcp routes are for it";
}

TcpRouteBuilder::TcpRouteBuilder(snapshot::Snapshot& snapshot, ClusterBuilder& clusters, DocumentNames& names,
                                 Diagnostics& diagnostics)
    : snapshot_(snapshot),
      clusters_(clusters),
      names_(names),
      diagnostics_(diagnostics),
      by_pattern_(snapshot.route_tables.size()),
      host_pairs_left_(limits::config_host_pairs_max),
      routes_left_(limits::config_routes_max) {}

void TcpRouteBuilder::add(const VirtualService& service, const std::vector<const BoundServer*>& servers,
                          bool is_for_mesh) {
  is_for_mesh_ = is_for_mesh;
  for (const TlsRoute& route : service.spec.tls) add_tls_route(service, route, servers);
  for (const TcpRoute& route : service.spec.tcp) add_tcp_route(service, route, servers);
}

namespace {

template <typename Written>
snapshot::TcpRoute compile(const Written& written, const VirtualService& service, Traffic traffic,
                           ClusterBuilder& clusters, DocumentNames& names) {
  std::vector<Share> shares;
  for (const ConnectionDestination& to : written.route) shares.push_back({to.destination, to.weight.value});
  WeightedClusters weighted = clusters.split(shares, service.name_space(), traffic, *written.node);
  return {.destinations = std::move(weighted.destinations),
          .total_weight = weighted.total_weight,
          .virtual_service = names.index_of(service),
          .place = written.node->place()};
}

}  // namespace

snapshot::TcpRoute compile_connection_route(const TlsRoute& written, const VirtualService& service, Traffic traffic,
                                            ClusterBuilder& clusters, DocumentNames& names) {
  return compile(written, service, traffic, clusters, names);
}

snapshot::TcpRoute compile_connection_route(const TcpRoute& written, const VirtualService& service, Traffic traffic,
                                            ClusterBuilder& clusters, DocumentNames& names) {
  return compile(written, service, traffic, clusters, names);
}

void TcpRouteBuilder::add_tls_route(const VirtualService& service, const TlsRoute& written,
                                    const std::vector<const BoundServer*>& servers) {
  const snapshot::TcpRoute route = compile(written, service, Traffic::passed_tls, clusters_, names_);
  bool has_passthrough = false;
  bool is_bound = false;
  for (const BoundServer* server : servers) {
    if (server->role.kind != ServerKind::passthrough) continue;
    has_passthrough = true;
    for (const TlsMatch& match : written.match) {
      if (!is_for(match, *server, service)) continue;
      for (const Text& sni : match.sni_hosts) {
        if (!take_pairs(server->hosts.size(), sni.node->place())) return;
        const std::string name = normalised_host(sni.value);
        for (const ServerHost& host : server->hosts) {
          const auto both = host.admits(service.name_space()) ? intersection(host.pattern, name) : std::nullopt;
          if (!both) continue;
          is_bound = true;
          add_route(server->route_table, std::string(*both), route);
        }
      }
    }
  }
  if (!is_bound) warn_of_unbound("tls", service, *written.node, servers, has_passthrough);
}

void TcpRouteBuilder::add_tcp_route(const VirtualService& service, const TcpRoute& written,
                                    const std::vector<const BoundServer*>& servers) {
  const snapshot::TcpRoute route = compile(written, service, Traffic::tcp, clusters_, names_);
  bool has_tcp = false;
  bool is_bound = false;
  for (const BoundServer* server : servers) {
    if (server->role.kind != ServerKind::tcp) continue;
    has_tcp = true;
    const bool is_meant = written.match.empty() || std::ranges::any_of(written.match, [&](const TcpMatch& match) {
                            return is_for(match, *server, service);
                          });
    if (!is_meant) continue;
    is_bound = true;
    add_route(server->route_table, "*", route);
  }
  if (!is_bound) warn_of_unbound("tcp", service, *written.node, servers, has_tcp);
}

bool TcpRouteBuilder::take_pairs(size_t count, const SourcePlace& place) {
  if (count <= host_pairs_left_) {
    host_pairs_left_ -= count;
    return true;
  }
  if (!has_too_many_pairs_)
    diagnostics_.error(
        place, fmt::format("more than {} pairs of an SNI host and a server's host", limits::config_host_pairs_max));
  has_too_many_pairs_ = true;
  return false;
}

// The first route that has a name keeps it.
void TcpRouteBuilder::add_route(uint32_t table, const std::string& pattern, const snapshot::TcpRoute& route) {
  std::vector<snapshot::TcpRoute>& routes = snapshot_.route_tables[table].tcp_routes;
  if (const std::optional<uint32_t> taken = by_pattern_[table].find_pattern(pattern)) {
    const SourcePlace& first = routes[*taken].place;
    // A route may lead to a server twice, by two names or two matches.
    if (first.to_string() == route.place.to_string()) return;
    return diagnostics_.warning(
        route.place,
        fmt::format("this route is never reached{}: the one at {} already takes every connection",
                    pattern == "*" ? "" : fmt::format(" for SNI {}", in_quotes(pattern)), first.to_string()));
  }
  if (routes_left_ == 0) return;
  if (--routes_left_ == 0)
    diagnostics_.error(route.place, fmt::format("more than {} tls and tcp routes", limits::config_routes_max));
  by_pattern_[table].add(pattern, static_cast<uint32_t>(routes.size()));
  routes.push_back(route);
  if (pattern != "*") routes.back().server_names.push_back(pattern);
}

void TcpRouteBuilder::warn_of_unbound(std::string_view kind, const VirtualService& service, const Node& route,
                                      const std::vector<const BoundServer*>& servers, bool has_server_of_kind) {
  if (is_for_mesh_) return;
  std::string reason = what_it_does(*servers.front());
  if (has_server_of_kind) {
    reason = kind == "tls" ? "no server that passes TLS through fits its matches (SNI hosts, port, gateways)"
                           : "no server fits its matches (port, gateways)";
  }
  diagnostics_.warning(route.place(),
                       fmt::format("this {} route of {} has no effect: {}", kind, service.title(), reason));
}

void TcpRouteBuilder::finish() {
  for (snapshot::RouteTable& table : snapshot_.route_tables) std::ranges::sort(table.tcp_routes, {}, specificity);
}

}  // namespace sluice::config
