// What the tests of outbound traffic share: MeshConfig, and what the tables say of a host and a port.
#pragma once

#include "config_testing.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::config {

// The ConfigMap `istio` with these fields of MeshConfig and annotations (YAML on one line each).
inline std::string mesh(std::string_view fields, std::string_view annotations = "") {
  return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system, annotations: {" +
         std::string(annotations) + "}}\ndata:\n  mesh: |\n    {" + std::string(fields) + "}\n---\n";
}

inline const std::string open_mesh = mesh("proxyHttpPort: 3128");
inline const std::string closed_mesh = mesh("proxyHttpPort: 3128, outboundTrafficPolicy: {mode: REGISTRY_ONLY}");

inline std::unique_ptr<snapshot::Snapshot> outbound_snapshot(const std::string& documents) {
  Loaded loaded = load_document(documents);
  for (const std::string& line : loaded.diagnostics) EXPECT_EQ(line.find("error:"), std::string::npos) << line;
  if (loaded.snapshot != nullptr && loaded.snapshot->outbound) return std::move(loaded.snapshot);
  ADD_FAILURE() << "no outbound traffic";
  auto nothing = std::make_unique<snapshot::Snapshot>();  // that tests can go on with
  nothing->outbound.emplace();
  nothing->route_tables.resize(1);
  nothing->listeners.resize(1);
  nothing->listeners.front().tls_servers.resize(1);
  return nothing;
}

inline const snapshot::RouteTable& table_of(const snapshot::Snapshot& tables, uint16_t port) {
  return tables.route_tables.at(tables.outbound->route_table(port));
}

// Where requests for every path of a host go: the cluster's name, "502 block_all", or "nowhere".
inline std::string http_target(const snapshot::Snapshot& tables, uint16_t port, std::string_view host) {
  const snapshot::VirtualHost* found = find_host(table_of(tables, port), host);
  if (found == nullptr || !found->route_list) return "nowhere";
  const snapshot::Route& route = tables.routes.at(tables.route_lists.at(*found->route_list).matches().back().route);
  if (route.direct_response != nullptr) return std::to_string(route.direct_response->status) + " " + route.name;
  return route.destinations.empty() ? "unknown" : tables.clusters.at(route.destinations.front().cluster).name;
}

inline const snapshot::Cluster& cluster_named(const snapshot::Snapshot& tables, std::string_view name) {
  static const snapshot::Cluster none;
  for (const snapshot::Cluster& cluster : tables.clusters) {
    if (cluster.name == name) return cluster;
  }
  ADD_FAILURE() << "no cluster " << name;
  return none;
}

// Each of the table's routes of connections, in order: "a.example,10.0.0.0/8 -> cluster".
inline std::vector<std::string> tcp_routes(const snapshot::Snapshot& tables, uint16_t port) {
  std::vector<std::string> lines;
  for (const snapshot::TcpRoute& route : table_of(tables, port).tcp_routes) {
    std::string line;
    for (const std::string& name : route.server_names) line += (line.empty() ? "" : ",") + name;
    for (const AddressRange& range : route.addresses) line += (line.empty() ? "" : ",") + range.to_string();
    lines.push_back(
        (line.empty() ? "*" : line) + " -> " +
        (route.destinations.empty() ? "unknown" : tables.clusters.at(route.destinations.front().cluster).name));
  }
  return lines;
}

}  // namespace sluice::config
