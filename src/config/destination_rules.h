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
#include <vector>

namespace sluice::config {

class DestinationRules {
 public:
  // Of several rules for one host the first one has it (as documents are sorted), and the others get a warning.
  DestinationRules(const Model& model, Credentials& credentials, Diagnostics& diagnostics);

  // What the rule of the cluster's host says for this port; nothing changes when there is no rule.
  // `subject_alt_names` are those of the ServiceEntry, for TLS whose rule has none.
  void apply(snapshot::Cluster& cluster, uint32_t port, const std::vector<Text>& subject_alt_names);

 private:
  // A rule, or its part for one port: what both have.
  struct Policy {
    const LoadBalancer& load_balancer;
    const ConnectionPool& connection_pool;
    const ClientTls& tls;
  };

  [[nodiscard]] static Policy policy_of(const DestinationRule& rule, uint32_t port);
  [[nodiscard]] const snapshot::UpstreamTls& upstream_tls(const DestinationRule& rule, const ClientTls& tls);
  void read_secret(const DestinationRule& rule, const ClientTls& tls, snapshot::UpstreamTls& result);
  void read_files(const ClientTls& tls, snapshot::UpstreamTls& result);

  Credentials& credentials_;
  Diagnostics& diagnostics_;
  std::vector<const DestinationRule*> rules_;
  snapshot::HostMap by_host_;                               // -> index into rules_
  std::map<const ClientTls*, snapshot::UpstreamTls> made_;  // several clusters share a rule
};

}  // namespace sluice::config
