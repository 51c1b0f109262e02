// The routes of outbound connections that are not HTTP: what CONNECT, the SNI of TLS or the address that a client has
// connected to leads to.
#pragma once

#include "config/diagnostic.h"
#include "config/http_routes.h"
#include "config/mesh_services.h"
#include "config/outbound_budget.h"
#include "config/registered_hosts.h"
#include "config/registered_ports.h"
#include "snapshot/snapshot.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::config {

// A route table of outbound traffic while it is made.
struct OutboundTable {
  uint16_t port = 0;   // 0: of all ports that have none of their own
  uint32_t index = 0;  // into Snapshot::route_tables
  std::vector<const RegisteredPort*> registered;
  std::vector<const MeshHost*> other_hosts;  // with http routes, that are not registered by their own names
};

class OutboundTcpRoutes {
 public:
  OutboundTcpRoutes(const std::vector<RegisteredPort>& registered, const MeshServices& services,
                    RouteCompilers compilers, OutboundBudget& budget, snapshot::Snapshot& snapshot,
                    Diagnostics& diagnostics);

  // Everything but the last route, of what nobody has registered.
  void build(const std::map<uint16_t, OutboundTable>& tables);

 private:
  using Tables = std::map<uint16_t, OutboundTable>;

  void find_tables_of_services(const Tables& tables);
  void add_tls_routes(const OutboundTable& table, const VirtualService& service);
  void add_registered(const OutboundTable& table, const RegisteredPort& port);
  // The tcp routes of the VirtualService, for these names, and for these addresses without any name. False: one of
  // them takes everything.
  bool add_tcp_routes(const OutboundTable& table, const VirtualService& service, const std::vector<std::string>& names,
                      const std::vector<AddressRange>& addresses, bool is_opaque);
  // `node`: where it is written.
  void add(const OutboundTable& table, const std::vector<std::string>& names, const AddressRange* addresses,
           const snapshot::TcpRoute& route, const Node& node, bool is_opaque = false);
  template <typename Written>
  [[nodiscard]] const snapshot::TcpRoute& compiled(const Written& written, const VirtualService& service,
                                                   uint16_t port);
  [[nodiscard]] const snapshot::TcpRoute& default_route(const RegisteredPort& port);

  const std::vector<RegisteredPort>& registered_;
  const MeshServices& services_;
  RouteCompilers compilers_;
  OutboundBudget& budget_;
  snapshot::Snapshot& snapshot_;
  Diagnostics& diagnostics_;
  std::map<uint16_t, std::vector<const VirtualService*>> tls_services_;  // by the port of the table
  std::map<uint16_t, std::vector<const MeshHost*>> tcp_hosts_;           // the same: not registered by their own names
  std::map<std::pair<const Node*, std::optional<uint16_t>>, snapshot::TcpRoute> compiled_;
  std::map<uint32_t, snapshot::TcpRoute> default_routes_;  // by cluster
  std::set<std::string_view> hosts_;                       // registered ones of the table that is made
  std::set<std::string> taken_;                            // names and addresses of that table
  std::map<const Node*, bool> asks_for_port_;              // by route
  size_t routes_left_;
};

}  // namespace sluice::config
