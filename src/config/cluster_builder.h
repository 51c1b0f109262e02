// From a route's destination to a cluster: Services and ServiceEntries by their host names.
#pragma once

#include "base/durations.h"
#include "config/credentials.h"
#include "config/destination_rules.h"
#include "config/diagnostic.h"
#include "config/model.h"
#include "config/service_endpoints.h"
#include "config/workload_entries.h"
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

// What a route sends to its destinations.
enum class Traffic : uint8_t { http, mirrored_http, tcp, passed_tls };

struct Share {
  const Destination& destination;
  uint32_t weight;  // counts where there are several
  std::optional<uint32_t> header_operations{};
};

// What routes of the snapshot have; no destinations: none is known.
struct WeightedClusters {
  std::vector<snapshot::WeightedDestination> destinations;
  uint64_t total_weight = 0;
};

class ClusterBuilder {
 public:
  // Clusters are added to `clusters` as destinations ask for them.
  ClusterBuilder(const Model& model, Credentials& credentials, std::vector<snapshot::Cluster>& clusters,
                 Diagnostics& diagnostics);

  // The clusters of a route (at `place`) of a document in `name_space`. A single destination gets everything,
  // whatever its weight; of several, those without weight get nothing, and the share of one that is not known
  // (a warning) goes to a cluster without endpoints. What cannot be used is an error.
  [[nodiscard]] WeightedClusters split(const std::vector<Share>& shares, std::string_view name_space, Traffic traffic,
                                       const Node& place);

  // The one of a mirror. Nothing: it is not known (a warning), or cannot be used (an error).
  [[nodiscard]] std::optional<uint32_t> mirror(const Destination& destination, std::string_view name_space) {
    return cluster_of(destination, name_space, Traffic::mirrored_http);
  }

  // Of a port that the documents register, whether a route leads there or not. `host` is one of the entry's.
  [[nodiscard]] uint32_t of_registered(const Service& service, const ServicePort& port, Traffic traffic);
  [[nodiscard]] uint32_t of_registered(const ServiceEntry& entry, const ServiceEntryPort& port, const std::string& host,
                                       Traffic traffic);
  // Where everything goes that no document registers.
  [[nodiscard]] uint32_t passthrough(const SourcePlace& place);

  // The port that destinations mean which name none, of hosts that have several: that of outbound traffic that is
  // compiled next. Nothing: they must say it.
  void set_usual_port(std::optional<uint16_t> port) noexcept { usual_port_ = port; }
  // Whether it makes a difference.
  [[nodiscard]] bool asks_for_usual_port(const Destination& destination, std::string_view name_space) const;

  [[nodiscard]] bool has_service(const std::string& host) const { return services_.contains(host); }

 private:
  using Index = std::optional<uint32_t>;

  [[nodiscard]] Index cluster_of(const Destination& destination, std::string_view name_space, Traffic traffic);
  [[nodiscard]] uint32_t empty_cluster_of(const Destination& destination, std::string_view name_space);
  // Whether a rule defines the destination's subset, if it has one; else a warning.
  [[nodiscard]] bool check_subset(const Destination& destination, const std::string& host);
  [[nodiscard]] Index of_service(const Service& service, const Destination& destination, const std::string& host);
  [[nodiscard]] Index of_entry(const std::vector<const ServiceEntry*>& entries, const Destination& destination,
                               const std::string& host);
  [[nodiscard]] uint32_t of_port(const Service& service, const ServicePort& port, std::string_view subset,
                                 const std::string& host);
  [[nodiscard]] uint32_t of_port(const ServiceEntry& entry, const ServiceEntryPort& port, std::string_view subset,
                                 const std::string& host);
  // Null: there are none. Those of the host itself, else of the longest wildcard that covers it.
  [[nodiscard]] const std::vector<const ServiceEntry*>* find_entries(const std::string& host) const;
  // The port that a destination means; nothing, and an error or a warning: it does not say which of several.
  [[nodiscard]] std::optional<uint32_t> port_meant(const Destination& destination, const Document& document,
                                                   size_t port_count);
  [[nodiscard]] const ServicePort* choose_port(const Service& service, const Destination& destination);
  void add_endpoints(snapshot::Cluster& cluster, const Service& service, const ServicePort& port);
  // Those with the labels; warnings are of `subset` unless it is null.
  void add_pods(snapshot::Cluster& cluster, const Service& service, const ServicePort& port, const Subset* subset);
  void warn_of_pods(const Service& service, const Subset& subset, const ServiceEndpoints::Found& found);
  void add_endpoints(snapshot::Cluster& cluster, const ServiceEntry& entry, const ServiceEntryPort& port,
                     const Subset* subset);
  // Of those that the entry selects. False: of none of them.
  [[nodiscard]] bool add_workloads(snapshot::Cluster& cluster, const ServiceEntry& entry, const ServiceEntryPort& port,
                                   const TextMap& labels);
  void add_endpoint(snapshot::Cluster& cluster, const WorkloadEndpoint& endpoint, const ServiceEntryPort& port);
  void add_endpoint(snapshot::Cluster& cluster, std::string_view address, uint32_t port, uint32_t weight);
  void add_address(snapshot::Cluster& cluster, const SocketAddress& address, uint32_t weight);
  [[nodiscard]] bool take_endpoint(const SourcePlace& place);  // false, and once an error: there are too many
  // Those that a cluster's endpoints are chosen from. False, and once an error: there are too many in all.
  [[nodiscard]] bool take_seen(size_t count, const SourcePlace& place);
  void check_traffic(uint32_t index, const Destination& destination);
  void warn_of_unknown(const Destination& destination, const std::string& host);
  void warn_of_useless_rule(const DestinationRule& rule);
  [[nodiscard]] std::string advice_for(const std::string& host) const;
  [[nodiscard]] Index find(const std::string& name) const;
  [[nodiscard]] snapshot::Cluster& add(const std::string& name, const std::string& host, std::string protocol);

  Diagnostics& diagnostics_;
  bool all_are_known_;
  Duration connect_timeout_;  // unless a DestinationRule says another
  std::vector<snapshot::Cluster>& clusters_;
  DestinationRules rules_;
  ServiceEndpoints pods_;
  WorkloadEntries workloads_;
  Traffic traffic_ = Traffic::http;  // of the destination that is looked for
  size_t endpoint_count_ = 0;        // over all clusters
  size_t endpoints_seen_left_;
  bool has_seen_too_many_ = false;      // and it was said
  std::vector<std::string> protocols_;  // of each cluster, lower case; may be empty
  std::set<std::pair<uint32_t, Traffic>> checked_;
  std::map<std::string, uint32_t, std::less<>> by_name_;
  std::map<std::string, const Service*, std::less<>> services_;                   // by full host name
  std::map<std::string, std::vector<const ServiceEntry*>, std::less<>> entries_;  // by host name
  snapshot::HostMap wildcards_;                                                   // of them -> index into
  std::vector<const std::vector<const ServiceEntry*>*> entries_of_wildcards_;
  std::optional<uint16_t> usual_port_;
};

}  // namespace sluice::config
