// Destinations whose addresses are not in the documents, and not looked up beforehand: who connects finds them
// (ServiceEntries of resolution NONE, DYNAMIC_DNS and DNS_ROUND_ROBIN, and what no document registers).
#pragma once

#include "config/model.h"
#include "snapshot/snapshot.h"

#include <string_view>

namespace sluice::config {

// Says in the cluster how its addresses are found. False, and nothing is changed: they are configured. The cluster has
// its host: one of the entry's, or a name that only a wildcard of the entry covers. A name in a document is never taken
// from a request: whoever may write a Host field would choose where the request goes.
bool add_requested_target(snapshot::Cluster& cluster, const ServiceEntry& entry, const ServiceEntryPort& port);

// Istio's name.
inline constexpr std::string_view passthrough_cluster = "PassthroughCluster";

// Makes the cluster that of everything that no document registers.
void make_passthrough(snapshot::Cluster& cluster);

}  // namespace sluice::config
