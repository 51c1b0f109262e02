#include "config/shadowed_hosts.h"

#include "base/limits.h"
#include "config/gateway_key.h"
#include "config/host_name.h"
#include "config/tcp_route_builder.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::config {

namespace {

class ShadowFinder {
 public:
  ShadowFinder(const std::vector<BoundServer>& servers, const snapshot::Snapshot& snapshot, Diagnostics& diagnostics)
      : diagnostics_(diagnostics) {
    // Each TLS server has a route table of its own.
    for (const BoundServer& server : servers) {
      if (!server.role.is_tls) continue;
      by_table_.emplace(server.route_table, &server);
      by_gateway_[server.gateway->key()].push_back(&server);
    }
    for (const snapshot::Listener& listener : snapshot.listeners) {
      for (const snapshot::TlsServer& server : listener.tls_servers) listeners_.emplace(server.route_table, &listener);
    }
  }

  void check(const VirtualService& service);

 private:
  using Servers = std::vector<const BoundServer*>;  // sorted: as Gateways and their servers are

  [[nodiscard]] Servers servers_of(const VirtualService& service) const;
  bool check_host(const VirtualService& service, const Text& host, const BoundServer& server, const Servers& bound_to);

  Diagnostics& diagnostics_;
  std::map<uint32_t, const BoundServer*> by_table_;
  std::map<uint32_t, const snapshot::Listener*> listeners_;  // by the tables of their servers
  std::map<std::string, Servers, std::less<>> by_gateway_;   // by namespace/name
  size_t pairs_left_ = limits::config_host_pairs_max;
};

ShadowFinder::Servers ShadowFinder::servers_of(const VirtualService& service) const {
  Servers result;
  for (const Text& reference : service.spec.gateways) {
    const auto servers = by_gateway_.find(gateway_key(reference, service));
    if (servers != by_gateway_.end()) result.insert(result.end(), servers->second.begin(), servers->second.end());
  }
  std::ranges::sort(result);
  return result;
}

void ShadowFinder::check(const VirtualService& service) {
  if (service.spec.http.empty()) return;
  const Servers bound_to = servers_of(service);
  for (const Text& host : service.spec.hosts) {
    for (const BoundServer* server : bound_to) {
      if (server->role.kind == snapshot::ServerKind::http && check_host(service, host, *server, bound_to)) break;
    }
  }
}

// True when it was warned about the host: once is enough.
bool ShadowFinder::check_host(const VirtualService& service, const Text& host, const BoundServer& server,
                              const Servers& bound_to) {
  if (server.hosts.size() > pairs_left_) return true;  // RouteBuilder has the same limit, and says so
  pairs_left_ -= server.hosts.size();
  const snapshot::Listener& listener = *listeners_.at(server.route_table);
  const std::string pattern = normalised_host(host.value);
  for (const ServerHost& server_host : server.hosts) {
    if (!server_host.admits(service.name_space())) continue;
    const std::optional<std::string_view> both = intersection(server_host.pattern, pattern);
    if (!both) continue;
    const std::optional<uint32_t> index = listener.server_names.find(*both);
    if (!index) continue;
    const BoundServer* owner = by_table_.at(listener.tls_servers[*index].route_table);
    if (owner == &server || std::ranges::binary_search(bound_to, owner)) continue;
    diagnostics_.warning(
        host.node->place(),
        fmt::format("host {} of {} is not reached by its Gateway {}: on {} TLS connections for {} belong to {} ({}), "
                    "which has a more exact host; bind the VirtualService to that Gateway",
                    in_quotes(host.value), service.title(), server.gateway->key(), listener.address.to_string(),
                    in_quotes(*both), server_title(*owner->gateway, *owner->server),
                    owner->server->node->place().to_string()));
    return true;
  }
  return false;
}

}  // namespace

void warn_of_shadowed_hosts(const Model& model, const std::vector<BoundServer>& servers,
                            const snapshot::Snapshot& snapshot, Diagnostics& diagnostics) {
  ShadowFinder finder(servers, snapshot, diagnostics);
  for (const VirtualService& service : model.virtual_services) {
    if (!service.is_broken) finder.check(service);
  }
}

}  // namespace sluice::config
