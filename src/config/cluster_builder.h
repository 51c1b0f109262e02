// From a route's destination to a cluster: Services and ServiceEntries by their host names.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"
#include "snapshot/snapshot.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

class ClusterBuilder {
 public:
  // Clusters are added to `clusters` as destinations ask for them.
  ClusterBuilder(const Model& model, std::vector<snapshot::Cluster>& clusters, Diagnostics& diagnostics);

  // The cluster of a destination of a VirtualService in `name_space`, or nothing: it is not known (a
  // warning), or it cannot be used (an error).
  [[nodiscard]] std::optional<uint32_t> cluster_of(const Destination& destination, std::string_view name_space);

  // A cluster without endpoints, for the share of a destination that is not known: 503.
  [[nodiscard]] uint32_t empty_cluster_of(const Destination& destination, std::string_view name_space);

 private:
  using Index = std::optional<uint32_t>;

  [[nodiscard]] Index of_service(const Service& service, const Destination& destination, const std::string& host);
  [[nodiscard]] Index of_entry(const std::vector<const ServiceEntry*>& entries, const Destination& destination,
                               const std::string& host);
  [[nodiscard]] const ServicePort* choose_port(const Service& service, const Destination& destination);
  void add_endpoints(snapshot::Cluster& cluster, const Service& service, const ServicePort& port);
  void add_endpoints(snapshot::Cluster& cluster, const ServiceEntry& entry, const ServiceEntryPort& port);
  void add_endpoint(snapshot::Cluster& cluster, std::string_view address, uint32_t port, uint32_t weight);
  void check_protocol(std::string_view protocol, const Destination& destination);
  void warn_of_unknown(const Destination& destination, const std::string& host);
  [[nodiscard]] Index find(const std::string& name) const;
  [[nodiscard]] snapshot::Cluster& add(const std::string& name, const std::string& host);

  Diagnostics& diagnostics_;
  bool all_are_known_;
  std::vector<snapshot::Cluster>& clusters_;
  size_t endpoint_count_ = 0;  // over all clusters
  std::map<std::string, uint32_t, std::less<>> by_name_;
  std::map<std::string, const Service*, std::less<>> services_;                   // by full host name
  std::map<std::string, std::vector<const ServiceEntry*>, std::less<>> entries_;  // by host name
};

}  // namespace sluice::config
