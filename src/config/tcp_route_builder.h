// From the tls and tcp routes of VirtualServices to the routes of servers that are not HTTP.
#pragma once

#include "config/cluster_builder.h"
#include "config/diagnostic.h"
#include "config/document_names.h"
#include "config/listener_builder.h"
#include "config/model.h"
#include "snapshot/snapshot.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

// Why other routes than those of its kind have no effect: "server "tls" of Gateway default/gw passes TLS through, ..."
[[nodiscard]] std::string what_it_does(const BoundServer& server);

// A tls or tcp route of the VirtualService, still without names and addresses.
[[nodiscard]] snapshot::TcpRoute compile_connection_route(const TlsRoute& written, const VirtualService& service,
                                                          Traffic traffic, ClusterBuilder& clusters,
                                                          DocumentNames& names);
[[nodiscard]] snapshot::TcpRoute compile_connection_route(const TcpRoute& written, const VirtualService& service,
                                                          Traffic traffic, ClusterBuilder& clusters,
                                                          DocumentNames& names);

// As in Istio, tls routes are for the servers that pass TLS through, and tcp routes for plain TCP and for
// TLS that is terminated and is not HTTP.
class TcpRouteBuilder {
 public:
  TcpRouteBuilder(snapshot::Snapshot& snapshot, ClusterBuilder& clusters, DocumentNames& names,
                  Diagnostics& diagnostics);

  // `servers`: those of the VirtualService's Gateways that have a host in common with it. `is_for_mesh`: routes that
  // are for none of them are for outbound traffic.
  void add(const VirtualService& service, const std::vector<const BoundServer*>& servers, bool is_for_mesh);

  // Sorts what was added by names: the proxy takes the first route that matches, Envoy the most specific one.
  void finish();

 private:
  void add_tls_route(const VirtualService& service, const TlsRoute& written,
                     const std::vector<const BoundServer*>& servers);
  void add_tcp_route(const VirtualService& service, const TcpRoute& written,
                     const std::vector<const BoundServer*>& servers);
  // False beyond limits::config_host_pairs_max.
  [[nodiscard]] bool take_pairs(size_t count, const SourcePlace& place);
  void add_route(uint32_t table, const std::string& pattern, const snapshot::TcpRoute& route);
  void warn_of_unbound(std::string_view kind, const VirtualService& service, const Node& route,
                       const std::vector<const BoundServer*>& servers, bool has_server_of_kind);

  snapshot::Snapshot& snapshot_;
  ClusterBuilder& clusters_;
  DocumentNames& names_;
  Diagnostics& diagnostics_;
  std::vector<snapshot::HostMap> by_pattern_;  // of each table -> index of the route that has the pattern
  size_t host_pairs_left_;
  size_t routes_left_;
  bool has_too_many_pairs_ = false;  // and it was said
  bool is_for_mesh_ = false;         // the VirtualService that is added
};

}  // namespace sluice::config
