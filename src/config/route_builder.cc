#include "config/route_builder.h"

#include "base/limits.h"
#include "config/header_operations.h"
#include "config/host_name.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::config {

namespace {

using snapshot::PathMatch;

PathMatch path_match(const HttpMatch& match) {
  if (match.uri.exact) return {PathMatch::Kind::exact, std::string(match.uri.exact.value)};
  if (match.uri.prefix && !match.uri.prefix.value.empty())
    return {PathMatch::Kind::prefix, std::string(match.uri.prefix.value)};
  return {};
}

bool is_catch_all(const PathMatch& match) noexcept {
  return match.kind == PathMatch::Kind::any || (match.kind == PathMatch::Kind::prefix && match.text == "/");
}

bool is_for_http(const BoundServer* server) noexcept { return server->role.kind == snapshot::ServerKind::http; }

}  // namespace

RouteBuilder::RouteBuilder(const Model& model, const std::vector<BoundServer>& servers, Credentials& credentials,
                           snapshot::Snapshot& snapshot, Diagnostics& diagnostics)
    : model_(model),
      servers_(servers),
      snapshot_(snapshot),
      diagnostics_(diagnostics),
      clusters_(model, credentials, snapshot.clusters, diagnostics),
      tcp_routes_(snapshot, clusters_, diagnostics),
      host_routes_(snapshot.route_tables.size()),
      host_pairs_left_(limits::config_host_pairs_max),
      virtual_hosts_left_(limits::config_virtual_hosts_max),
      routes_left_(limits::config_routes_max) {
  for (const BoundServer& server : servers) servers_by_gateway_[server.gateway->key()].push_back(&server);
  for (const Gateway& gateway : model.gateways) gateways_.emplace(gateway.key(), &gateway);
}

void RouteBuilder::build() {
  for (const VirtualService& service : model_.virtual_services) {
    if (!service.is_broken) add_virtual_service(service);
  }
  add_redirects();
  finish_tables();
  tcp_routes_.finish();
}

void RouteBuilder::add_virtual_service(const VirtualService& service) {
  const bool is_for_gateways =
      std::ranges::any_of(service.spec.gateways, [](const Text& gateway) { return gateway.value != "mesh"; });
  if (!is_for_gateways) {
    return diagnostics_.info(service.place(),
                             fmt::format("{} is for the mesh only: it names no Gateway", service.title()));
  }
  if (!is_exported(service.spec.export_to, service.name_space())) {
    return diagnostics_.warning(service.place(),
                                fmt::format("{} is not exported to {}, where the gateway is: it has no effect",
                                            service.title(), gateway_namespace));
  }
  warn_of_prefixes(service);
  const std::vector<const BoundServer*> servers = servers_of(service);
  if (servers.empty()) return;
  const CompiledRoutes* routes = service.spec.http.empty() ? nullptr : &compiled_.emplace_back(compile_routes(service));
  MetServers met;
  for (const Text& host : service.spec.hosts) {
    if (add_host(service, host, servers, routes, met)) continue;
    diagnostics_.warning(host.node->place(),
                         fmt::format("host {} of {} is bound to no server: no server of its Gateways has a "
                                     "host that covers it",
                                     in_quotes(host.value), service.title()));
  }
  if (met.in_order.empty()) return;
  if (routes != nullptr && std::ranges::none_of(met.in_order, is_for_http)) {
    diagnostics_.warning(
        service.spec.http.front().node->place(),
        fmt::format("the http routes of {} have no effect: {}", service.title(), what_it_does(*met.in_order.front())));
  }
  tcp_routes_.add(service, met.in_order);
}

std::vector<const BoundServer*> RouteBuilder::servers_of(const VirtualService& service) {
  std::vector<const BoundServer*> result;
  std::set<std::string> seen;
  for (const Text& reference : service.spec.gateways) {
    if (reference.value == "mesh") continue;
    const std::string key = gateway_key(reference, service);
    if (!seen.insert(key).second) continue;
    if (const auto servers = servers_by_gateway_.find(key); servers != servers_by_gateway_.end()) {
      result.insert(result.end(), servers->second.begin(), servers->second.end());
      continue;
    }
    // A Gateway that is there without servers has an error or lost them to another one, and that was said.
    if (gateways_.contains(key) || !model_.is_complete) continue;
    diagnostics_.warning(reference.node->place(),
                         fmt::format("{} is bound to no server: there is no Gateway {}", service.title(), key));
  }
  return result;
}

// True when a server covers the host (or the host a server's); such servers are added to `met`. Without
// `routes` there are none for HTTP.
bool RouteBuilder::add_host(const VirtualService& service, const Text& host,
                            const std::vector<const BoundServer*>& servers, const CompiledRoutes* routes,
                            MetServers& met) {
  const std::string pattern = normalised_host(host.value);
  bool is_bound = false;
  for (const BoundServer* server : servers) {
    if (server->hosts.size() > host_pairs_left_) {
      if (!has_too_many_pairs_) {
        diagnostics_.error(
            host.node->place(),
            fmt::format("more than {} pairs of a VirtualService's and a server's host", limits::config_host_pairs_max));
      }
      has_too_many_pairs_ = true;
      return true;
    }
    host_pairs_left_ -= server->hosts.size();
    for (const ServerHost& server_host : server->hosts) {
      if (!server_host.admits(service.name_space())) continue;
      const std::optional<std::string_view> both = intersection(server_host.pattern, pattern);
      if (!both) continue;
      is_bound = true;
      if (met.all.insert(server).second) met.in_order.push_back(server);
      if (routes == nullptr || !is_for_http(server)) continue;
      const std::optional<uint32_t> index = find_or_add_virtual_host(*server, std::string(*both), host.node->place());
      if (!index) return true;
      std::vector<const CompiledRoutes*>& parts = host_routes_[server->route_table][*index].parts;
      // Several servers or hosts can lead a VirtualService to the same virtual host.
      if (parts.empty() || parts.back() != routes) parts.push_back(routes);
    }
  }
  return is_bound;
}

std::optional<uint32_t> RouteBuilder::find_or_add_virtual_host(const BoundServer& server, const std::string& pattern,
                                                               const SourcePlace& place) {
  snapshot::RouteTable& table = snapshot_.route_tables[server.route_table];
  std::optional<uint32_t> index = table.hosts.find_pattern(pattern);
  if (!index) {
    if (virtual_hosts_left_ == 0) return std::nullopt;
    if (--virtual_hosts_left_ == 0) {
      diagnostics_.error(place, fmt::format("more than {} virtual hosts", limits::config_virtual_hosts_max));
    }
    index = static_cast<uint32_t>(table.virtual_hosts.size());
    table.hosts.add(pattern, *index);
    snapshot::VirtualHost& added = table.virtual_hosts.emplace_back();
    added.pattern = pattern;
    added.place = place;
    host_routes_[server.route_table].emplace_back();
  }
  // Where several servers of a port lead to a host, one with httpsRedirect wins.
  if (server.redirects_to_https) table.virtual_hosts[*index].https_redirect = true;
  return index;
}

// Every host of a server with httpsRedirect redirects, also without a VirtualService.
void RouteBuilder::add_redirects() {
  for (const BoundServer& server : servers_) {
    if (!server.redirects_to_https) continue;
    for (const ServerHost& host : server.hosts) {
      (void)find_or_add_virtual_host(server, host.pattern, server.server->node->place());
    }
  }
}

// A host that redirects has routes for what came over https to a proxy in front that is believed.
void RouteBuilder::finish_tables() {
  const bool trusts_proxies = snapshot_.topology.num_trusted_proxies > 0;
  for (size_t table = 0; table < snapshot_.route_tables.size(); ++table) {
    std::vector<snapshot::VirtualHost>& virtual_hosts = snapshot_.route_tables[table].virtual_hosts;
    for (size_t i = 0; i < virtual_hosts.size(); ++i) {
      if (!virtual_hosts[i].https_redirect || trusts_proxies)
        finish_virtual_host(virtual_hosts[i], host_routes_[table][i]);
    }
  }
}

void RouteBuilder::finish_virtual_host(snapshot::VirtualHost& virtual_host, const HostRoutes& routes) {
  const CompiledRoute* catch_all = nullptr;
  const auto add = [&](const CompiledRoute& compiled) {
    if (--routes_left_ == 0)
      diagnostics_.error(compiled.route.place,
                         fmt::format("more than {} routes over all hosts", limits::config_routes_max));
    virtual_host.routes.push_back(compiled.route);
  };
  for (const CompiledRoutes* part : routes.parts) {
    for (const CompiledRoute& compiled : *part) {
      if (routes_left_ == 0) return;
      if (!compiled.is_catch_all) {
        add(compiled);
      } else if (catch_all == nullptr) {
        catch_all = &compiled;
      } else if (unreachable_.insert(&compiled).second) {
        diagnostics_.warning(
            compiled.route.place,
            fmt::format("this route is never reached for host {}: the one at {} already takes every request",
                        in_quotes(virtual_host.pattern), catch_all->route.place.to_string()));
      }
    }
  }
  if (catch_all != nullptr && routes_left_ > 0) add(*catch_all);
}

// --- Routes of one VirtualService ------------------------------------------------------------------

RouteBuilder::CompiledRoutes RouteBuilder::compile_routes(const VirtualService& service) {
  CompiledRoutes routes;
  for (const HttpRoute& written : service.spec.http) {
    if (!routes.empty() && routes.back().is_catch_all) {
      diagnostics_.warning(written.node->place(),
                           fmt::format("this route is never reached: the one in line {} takes every request",
                                       routes.back().route.place.line));
      continue;
    }
    compile_route(written, service.name_space(), routes);
  }
  return routes;
}

// One route, or two when only the last of its matches takes every request: that one is sorted behind the
// routes of other VirtualServices, the others are not.
void RouteBuilder::compile_route(const HttpRoute& written, std::string_view name_space, CompiledRoutes& routes) {
  snapshot::Route route;
  route.name = written.name.value;
  route.place = written.node->place();
  route.timeout = written.timeout.value;
  snapshot::HeaderOperations operations = compile_header_operations(written.headers, diagnostics_);
  std::vector<Share> shares;
  for (const RouteDestination& to : written.route) {
    snapshot::HeaderOperations of_destination = compile_header_operations(to.headers, diagnostics_);
    shares.push_back({to.destination, to.weight.value, {}});
    if (written.route.size() == 1) {
      append(operations, std::move(of_destination));
    } else {
      shares.back().header_operations = add_operations(std::move(of_destination));
    }
  }
  route.header_operations = add_operations(std::move(operations));
  WeightedClusters clusters = clusters_.split(shares, name_space, Traffic::http, *written.node);
  route.destinations = std::move(clusters.destinations);
  route.total_weight = clusters.total_weight;

  CompiledRoute catch_all{route, true};
  bool has_catch_all = written.match.empty();
  if (has_catch_all) catch_all.route.matches.emplace_back();
  for (const HttpMatch& match : written.match) {
    if (has_catch_all) {
      diagnostics_.warning(match.node->place(), "this match is never reached: the one before takes every request");
      break;
    }
    PathMatch path = path_match(match);
    has_catch_all = is_catch_all(path);
    (has_catch_all ? catch_all.route : route).matches.push_back(std::move(path));
  }
  if (!route.matches.empty()) routes.push_back({std::move(route), false});
  if (has_catch_all) routes.push_back(std::move(catch_all));
}

std::optional<uint32_t> RouteBuilder::add_operations(snapshot::HeaderOperations operations) {
  if (operations.empty()) return std::nullopt;
  snapshot_.header_operations.push_back(std::move(operations));
  return static_cast<uint32_t>(snapshot_.header_operations.size() - 1);
}

// Once for each VirtualService: prefixes are not of whole segments, which surprises.
void RouteBuilder::warn_of_prefixes(const VirtualService& service) {
  for (const HttpRoute& route : service.spec.http) {
    for (const HttpMatch& match : route.match) {
      const Text& prefix = match.uri.prefix;
      if (prefix.value.empty() || prefix.value.ends_with('/')) continue;
      return diagnostics_.warning(prefix.node->place(),
                                  fmt::format("prefix {} also matches {}: a prefix is not of whole segments",
                                              in_quotes(prefix.value), in_quotes(std::string(prefix.value) + "bar")));
    }
  }
}

}  // namespace sluice::config
