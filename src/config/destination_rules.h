// DestinationRules: how the services that routes lead to are called.
#pragma once

#include "config/credentials.h"
#include "config/diagnostic.h"
#include "config/model.h"
#include "snapshot/host_map.h"
#include "snapshot/snapshot.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

class DestinationRules {
 public:
  // Of several rules for one host the first trafficPolicy counts (as documents are sorted), and of each subset the
  // first definition, as in Istio; what does not count gets a warning.
  DestinationRules(const Model& model, Credentials& credentials, Diagnostics& diagnostics);

  // What the rule of the cluster's host says for this port and subset (or an empty name); nothing changes when there
  // is no rule. `subject_alt_names` are those of the ServiceEntry, for TLS whose rule has none.
  void apply(snapshot::Cluster& cluster, uint32_t port, std::string_view subset,
             const std::vector<Text>& subject_alt_names);

  // Null: no rule of this host defines it.
  [[nodiscard]] const Subset* find_subset(std::string_view host, std::string_view name) const;

  // Whether a rule of this host has errors: it may define any subset.
  [[nodiscard]] bool is_broken(std::string_view host) const { return broken_hosts_.find(host).has_value(); }

 private:
  struct DefinedSubset {
    const DestinationRule* rule;
    const Subset* subset;
  };

  struct HostRules {
    const DestinationRule* first;
    const DestinationRule* with_policy = nullptr;
    std::map<std::string_view, DefinedSubset> subsets;  // by name
  };

  // What holds for one port; null: nothing was said.
  struct Policy {
    const LoadBalancer* load_balancer = nullptr;
    const ConnectionPool* connection_pool = nullptr;
    const ClientTls* tls = nullptr;
    const DestinationRule* rule_of_tls = nullptr;
    const UpstreamProxyProtocol* proxy_protocol = nullptr;
    const RetryBudget* retry_budget = nullptr;
  };

  void add(const DestinationRule& rule, HostRules& rules);
  static void override(Policy& policy, const DestinationRule& rule, const TrafficPolicy& by, uint32_t port);
  [[nodiscard]] const snapshot::UpstreamTls& upstream_tls(const DestinationRule& rule, const ClientTls& tls);
  void read_secret(const DestinationRule& rule, const ClientTls& tls, snapshot::UpstreamTls& result);
  void read_files(const ClientTls& tls, snapshot::UpstreamTls& result);

  Credentials& credentials_;
  Diagnostics& diagnostics_;
  std::vector<HostRules> rules_;
  snapshot::HostMap by_host_;                               // -> index into rules_
  snapshot::HostMap broken_hosts_;                          // only whether they are there
  std::map<const ClientTls*, snapshot::UpstreamTls> made_;  // several clusters share a rule
};

}  // namespace sluice::config
