// The route tables of outbound traffic: one for each port that documents know, and one for all others. A host that is
// registered leads to its cluster, or where the VirtualService says that is for it in the mesh; everything else is let
// through or refused, as MeshConfig has it.
#pragma once

#include "config/diagnostic.h"
#include "config/http_routes.h"
#include "config/mesh_services.h"
#include "config/model.h"
#include "config/outbound_budget.h"
#include "config/outbound_settings.h"
#include "config/outbound_tcp_routes.h"
#include "config/registered_hosts.h"
#include "config/registered_ports.h"
#include "snapshot/snapshot.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice::config {

class OutboundBuilder {
 public:
  OutboundBuilder(const Model& model, const OutboundSettings& settings, RouteCompilers compilers,
                  snapshot::Snapshot& snapshot, Diagnostics& diagnostics);

  // Fills in the snapshot's Outbound, and adds its tables and clusters.
  void build();

 private:
  // By number; 0: of all ports that have none of their own.
  using Tables = std::map<uint16_t, OutboundTable>;

  void make_tables();
  void add_unregistered_hosts();
  void add_registered_hosts(OutboundTable& table);
  void add_short_names(OutboundTable& table);
  void add_host(OutboundTable& table, const std::string& pattern, uint32_t list, const SourcePlace& place);
  // Of a VirtualService for one port; nothing: none of its matches is for it.
  [[nodiscard]] std::optional<uint32_t> list_of(const VirtualService& service, uint16_t port);
  [[nodiscard]] const CompiledMatches& compiled(const VirtualService& service, uint16_t port);
  // Whether a destination leaves it to the port that is asked for.
  [[nodiscard]] bool asks_for_port(const VirtualService& service);
  // Of a registered port without VirtualService.
  [[nodiscard]] uint32_t default_list(const RegisteredPort& port);
  [[nodiscard]] uint32_t add_list(snapshot::Route route);
  [[nodiscard]] snapshot::Route route_of_others();
  // False beyond the limit, which is an error and said once.
  [[nodiscard]] bool take(size_t& left, size_t count, size_t max, const SourcePlace& place, std::string_view what);

  const OutboundSettings& settings_;
  RouteCompilers compilers_;
  snapshot::Snapshot& snapshot_;
  Diagnostics& diagnostics_;
  MeshServices services_;
  std::vector<RegisteredPort> registered_;
  Tables tables_;
  uint32_t gateway_server_ = 0;  // in whose place the outbound traffic stands, for people
  std::deque<CompiledMatches> compiled_matches_;
  std::map<const VirtualService*, bool> asks_for_port_;
  // No port: the routes are the same for each.
  std::map<std::pair<const VirtualService*, std::optional<uint16_t>>, const CompiledMatches*> compiled_;
  std::map<std::pair<const CompiledMatches*, std::optional<uint16_t>>, std::optional<uint32_t>> lists_;
  std::map<uint32_t, uint32_t> default_lists_;  // by cluster
  size_t virtual_hosts_left_;
  size_t matches_left_;
  OutboundBudget budget_;
  bool has_too_many_ = false;  // and it was said
};

}  // namespace sluice::config
