// From VirtualServices to virtual hosts: which hosts of which servers each is for, and its routes.
#pragma once

#include "config/cluster_builder.h"
#include "config/diagnostic.h"
#include "config/listener_builder.h"
#include "config/model.h"
#include "config/tcp_route_builder.h"
#include "snapshot/snapshot.h"

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

class RouteBuilder {
 public:
  RouteBuilder(const Model& model, const std::vector<BoundServer>& servers, Credentials& credentials,
               snapshot::Snapshot& snapshot, Diagnostics& diagnostics);

  // Fills the route tables of the snapshot, and its clusters.
  void build();

 private:
  // A route, and whether every request matches it: such a route ends its VirtualService, and stands last
  // among the routes of all VirtualServices of a host.
  struct CompiledRoute {
    snapshot::Route route;
    bool is_catch_all = false;
  };
  using CompiledRoutes = std::vector<CompiledRoute>;

  // Servers that have a host in common with a VirtualService.
  struct MetServers {
    std::vector<const BoundServer*> in_order;
    std::set<const BoundServer*> all;
  };

  // What is collected for one virtual host.
  struct HostRoutes {
    std::vector<const CompiledRoutes*> parts;  // of each VirtualService, in order
  };

  void add_virtual_service(const VirtualService& service);
  // The servers of the Gateways that the VirtualService names; reports those that are not there.
  [[nodiscard]] std::vector<const BoundServer*> servers_of(const VirtualService& service);
  bool add_host(const VirtualService& service, const Text& host, const std::vector<const BoundServer*>& servers,
                const CompiledRoutes* routes, MetServers& met);
  void add_redirects();
  void finish_tables();
  void finish_virtual_host(snapshot::VirtualHost& virtual_host, const HostRoutes& routes);

  [[nodiscard]] CompiledRoutes compile_routes(const VirtualService& service);
  void compile_route(const HttpRoute& written, std::string_view name_space, CompiledRoutes& routes);
  [[nodiscard]] std::optional<uint32_t> add_operations(snapshot::HeaderOperations operations);
  void warn_of_prefixes(const VirtualService& service);

  // Nothing beyond limits::config_virtual_hosts_max.
  [[nodiscard]] std::optional<uint32_t> find_or_add_virtual_host(const BoundServer& server, const std::string& pattern,
                                                                 const SourcePlace& place);

  const Model& model_;
  const std::vector<BoundServer>& servers_;
  snapshot::Snapshot& snapshot_;
  Diagnostics& diagnostics_;
  ClusterBuilder clusters_;
  TcpRouteBuilder tcp_routes_;
  std::map<std::string, std::vector<const BoundServer*>, std::less<>> servers_by_gateway_;  // by namespace/name
  std::map<std::string, const Gateway*, std::less<>> gateways_;
  std::deque<CompiledRoutes> compiled_;               // of each VirtualService that is bound
  std::vector<std::vector<HostRoutes>> host_routes_;  // of each table, of each virtual host
  std::set<const CompiledRoute*> unreachable_;        // those that were warned about
  size_t host_pairs_left_;
  bool has_too_many_pairs_ = false;  // and it was said
  size_t virtual_hosts_left_;
  size_t routes_left_;
};

}  // namespace sluice::config
