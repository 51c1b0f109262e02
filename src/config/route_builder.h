// From VirtualServices to virtual hosts: which hosts of which servers each is for, and its routes.
#pragma once

#include "config/diagnostic.h"
#include "config/http_routes.h"
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
  // `has_outbound_traffic`: VirtualServices for the mesh have an effect there.
  RouteBuilder(const Model& model, const std::vector<BoundServer>& servers, RouteCompilers compilers,
               bool has_outbound_traffic, snapshot::Snapshot& snapshot, Diagnostics& diagnostics);

  // Fills the route tables of the snapshot, and its clusters.
  void build();

 private:
  // Servers that have a host in common with a VirtualService.
  struct MetServers {
    std::vector<const BoundServer*> in_order;
    std::set<const BoundServer*> all;
  };

  // What a VirtualService brings to a virtual host of a server.
  struct Part {
    const VirtualService* service = nullptr;
    const CompiledMatches* matches = nullptr;
    const BoundServer* server = nullptr;  // null: no match is for certain servers only

    friend auto operator<=>(const Part&, const Part&) = default;
  };
  using Parts = std::vector<Part>;  // in the order of the VirtualServices

  void add_virtual_service(const VirtualService& service);
  // The servers of the Gateways that the VirtualService names; reports those that are not there.
  [[nodiscard]] std::vector<const BoundServer*> servers_of(const VirtualService& service);
  bool add_host(const VirtualService& service, const Text& host, const std::vector<const BoundServer*>& servers,
                const CompiledMatches* matches, bool is_server_specific, MetServers& met);
  // Whether outbound traffic has its routes too: what no server of a Gateway takes is not without effect then.
  [[nodiscard]] bool is_for_mesh(const VirtualService& service) const;
  void warn_of_scheme_loops(const CompiledMatches& matches, const VirtualService& service, const MetServers& met);
  void add_redirects();
  void finish_tables();
  [[nodiscard]] uint32_t route_list_of(const Parts& parts, const snapshot::VirtualHost& virtual_host);
  void warn_of_unused_matches();

  // Nothing beyond limits::config_virtual_hosts_max.
  [[nodiscard]] std::optional<uint32_t> find_or_add_virtual_host(const BoundServer& server, const std::string& pattern,
                                                                 const SourcePlace& place);

  const Model& model_;
  const std::vector<BoundServer>& servers_;
  snapshot::Snapshot& snapshot_;
  Diagnostics& diagnostics_;
  bool has_outbound_traffic_;
  HttpRouteCompiler& http_routes_;
  TcpRouteBuilder tcp_routes_;
  std::map<std::string, std::vector<const BoundServer*>, std::less<>> servers_by_gateway_;  // by namespace/name
  std::map<std::string, const Gateway*, std::less<>> gateways_;
  struct Compiled {
    const VirtualService* service;
    CompiledMatches matches;
  };
  std::deque<Compiled> compiled_;               // of each VirtualService that is bound
  std::vector<std::vector<Parts>> parts_;       // of each table, of each virtual host
  std::map<Parts, uint32_t> route_lists_;       // hosts with the same parts share a list
  std::set<const CompiledMatch*> unreachable_;  // those that were warned about
  std::set<const HttpMatch*> used_;             // of those that are for certain servers only
  size_t host_pairs_left_;
  bool has_too_many_pairs_ = false;  // and it was said
  size_t virtual_hosts_left_;
  size_t matches_left_;
};

}  // namespace sluice::config
