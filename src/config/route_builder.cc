#include "config/route_builder.h"

#include "base/limits.h"
#include "config/gateway_key.h"
#include "config/host_name.h"
#include "config/mesh_services.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::config {

namespace {

bool is_for_http(const BoundServer* server) noexcept { return server->role.kind == snapshot::ServerKind::http; }

}  // namespace

RouteBuilder::RouteBuilder(const Model& model, const std::vector<BoundServer>& servers, RouteCompilers compilers,
                           bool has_outbound_traffic, snapshot::Snapshot& snapshot, Diagnostics& diagnostics)
    : model_(model),
      servers_(servers),
      snapshot_(snapshot),
      diagnostics_(diagnostics),
      has_outbound_traffic_(has_outbound_traffic),
      http_routes_(compilers.http),
      tcp_routes_(snapshot, compilers.clusters, compilers.names, diagnostics),
      parts_(snapshot.route_tables.size()),
      host_pairs_left_(limits::config_host_pairs_max),
      virtual_hosts_left_(limits::config_virtual_hosts_max),
      matches_left_(limits::config_routes_max) {
  snapshot.route_lists.reserve(model.virtual_services.size());
  for (const BoundServer& server : servers) servers_by_gateway_[server.gateway->key()].push_back(&server);
  for (const Gateway& gateway : model.gateways) gateways_.emplace(gateway.key(), &gateway);
}

void RouteBuilder::build() {
  for (const VirtualService& service : model_.virtual_services) {
    if (!service.is_broken && !is_delegate(service)) add_virtual_service(service);
  }
  add_redirects();
  finish_tables();
  warn_of_unused_matches();
  tcp_routes_.finish();
}

void RouteBuilder::add_virtual_service(const VirtualService& service) {
  const bool is_for_gateways =
      std::ranges::any_of(service.spec.gateways, [](const Text& gateway) { return gateway.value != "mesh"; });
  if (!is_for_gateways) {
    if (has_outbound_traffic_) return;
    return diagnostics_.info(service.place(),
                             fmt::format("{} is for the mesh only: it names no Gateway", service.title()));
  }
  if (!is_exported(service.spec.export_to, service.name_space())) {
    return diagnostics_.warning(service.place(),
                                fmt::format("{} is not exported to {}, where the gateway is: it has no effect",
                                            service.title(), gateway_namespace));
  }
  const std::vector<const BoundServer*> servers = servers_of(service);
  if (servers.empty()) return;
  const CompiledMatches* matches =
      service.spec.http.empty() ? nullptr : &compiled_.emplace_back(&service, http_routes_.compile(service)).matches;
  const bool is_server_specific = matches != nullptr && std::ranges::any_of(*matches, [](const CompiledMatch& match) {
                                    return match.server_specific != nullptr;
                                  });
  MetServers met;
  for (const Text& host : service.spec.hosts) {
    if (add_host(service, host, servers, matches, is_server_specific, met)) continue;
    diagnostics_.warning(host.node->place(),
                         fmt::format("host {} of {} is bound to no server: no server of its Gateways has a "
                                     "host that covers it",
                                     in_quotes(host.value), service.title()));
  }
  if (met.in_order.empty()) return;
  if (matches != nullptr && !is_for_mesh(service) && std::ranges::none_of(met.in_order, is_for_http)) {
    diagnostics_.warning(
        service.spec.http.front().node->place(),
        fmt::format("the http routes of {} have no effect: {}", service.title(), what_it_does(*met.in_order.front())));
  }
  if (matches != nullptr) warn_of_scheme_loops(*matches, service, met);
  tcp_routes_.add(service, met.in_order, is_for_mesh(service));
}

bool RouteBuilder::is_for_mesh(const VirtualService& service) const {
  return has_outbound_traffic_ && names_mesh(service.spec.gateways);
}

// Redirects to https on a server that is https already, or to http on one of http.
void RouteBuilder::warn_of_scheme_loops(const CompiledMatches& matches, const VirtualService& service,
                                        const MetServers& met) {
  for (const CompiledMatch& compiled : matches) {
    const snapshot::Redirect* redirect = snapshot_.routes[compiled.match.route].redirect.get();
    if (redirect == nullptr || !redirect->changes_scheme_only()) continue;
    const auto leads_to_itself = [&](const BoundServer* server) {
      return is_for_http(server) && server->role.is_tls == (redirect->scheme == "https") &&
             (compiled.server_specific == nullptr || is_for(*compiled.server_specific, *server, service));
    };
    const auto server = std::ranges::find_if(met.in_order, leads_to_itself);
    if (server == met.in_order.end()) continue;
    diagnostics_.warning(
        compiled.node->place(),
        fmt::format("this redirect leads to itself on {}, which is {} already; give the match the port "
                    "of the other server, or use httpsRedirect there",
                    server_title(*(*server)->gateway, *(*server)->server), redirect->scheme));
  }
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
  // As they are in servers_, by the age of their Gateways: the order in which a VirtualService names Gateways says
  // nothing, in Istio neither.
  std::ranges::sort(result);
  return result;
}

// True when a server covers the host (or the host a server's); such servers are added to `met`. Without
// `matches` there are none for HTTP; `is_server_specific`: some are for certain servers only.
bool RouteBuilder::add_host(const VirtualService& service, const Text& host,
                            const std::vector<const BoundServer*>& servers, const CompiledMatches* matches,
                            bool is_server_specific, MetServers& met) {
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
      if (matches == nullptr || !is_for_http(server)) continue;
      const std::optional<uint32_t> index = find_or_add_virtual_host(*server, std::string(*both), host.node->place());
      if (!index) return true;
      Parts& parts = parts_[server->route_table][*index];
      const Part part{&service, matches, is_server_specific ? server : nullptr};
      // Several servers or hosts can lead a VirtualService to the same virtual host.
      if (parts.empty() || parts.back() != part) parts.push_back(part);
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
    added.gateway_server = server.index;
    added.place = place;
    parts_[server.route_table].emplace_back();
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
      const Parts& parts = parts_[table][i];
      if (parts.empty() || (virtual_hosts[i].https_redirect && !trusts_proxies)) continue;
      virtual_hosts[i].route_list = route_list_of(parts, virtual_hosts[i]);
    }
  }
}

// All matches of the parts in order, and one that takes everything last: it ends its VirtualService only.
uint32_t RouteBuilder::route_list_of(const Parts& parts, const snapshot::VirtualHost& virtual_host) {
  const auto [known, is_new] = route_lists_.try_emplace(parts, static_cast<uint32_t>(snapshot_.route_lists.size()));
  if (!is_new) return known->second;
  std::vector<snapshot::RequestMatch> list;
  const CompiledMatch* catch_all = nullptr;
  for (const auto& [service, matches, server] : parts) {
    for (const CompiledMatch& compiled : *matches) {
      if (compiled.server_specific != nullptr) {
        if (!is_for(*compiled.server_specific, *server, *service)) continue;
        used_.insert(compiled.server_specific);
      }
      if (!compiled.match.takes_everything()) {
        list.push_back(compiled.match);
        continue;
      }
      if (catch_all == nullptr) {
        catch_all = &compiled;
      } else if (unreachable_.insert(&compiled).second) {
        diagnostics_.warning(
            compiled.node->place(),
            fmt::format("this route is never reached for host {}: the one at {} already takes every request",
                        in_quotes(virtual_host.pattern), catch_all->node->place().to_string()));
      }
      break;
    }
  }
  if (catch_all != nullptr) list.push_back(catch_all->match);
  if (list.size() > matches_left_) {
    if (matches_left_ > 0)
      diagnostics_.error(virtual_host.place,
                         fmt::format("more than {} matches over all hosts", limits::config_routes_max));
    list.clear();
    matches_left_ = 0;
  }
  matches_left_ -= list.size();
  snapshot_.route_lists.emplace_back(std::move(list));
  return known->second;
}

void RouteBuilder::warn_of_unused_matches() {
  for (const auto& [service, matches] : compiled_) {
    for (const CompiledMatch& compiled : matches) {
      if (compiled.server_specific == nullptr || used_.contains(compiled.server_specific)) continue;
      if (is_for_mesh(*service) && names_mesh(compiled.server_specific->gateways)) continue;
      diagnostics_.warning(compiled.node->place(),
                           "this match is for none of the servers (its port, gateways, sourceLabels, sourceNamespace)");
    }
  }
}

}  // namespace sluice::config
