// The tables of a snapshot as JSON, complete: for /config_dump, /routes and `sluice routes --json`. What several hosts
// share is there once. Never a private key: a snapshot has none. Pure functions.
#pragma once

#include "snapshot/snapshot.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace sluice::control {

using Json = nlohmann::ordered_json;

// Everything.
[[nodiscard]] Json snapshot_json(const snapshot::Snapshot& snapshot);
// What decides about requests and connections: listeners, route tables, route lists.
[[nodiscard]] Json routes_json(const snapshot::Snapshot& snapshot);
[[nodiscard]] Json certificates_json(const snapshot::Snapshot& snapshot);

// Parts of these.
[[nodiscard]] Json listener_json(const snapshot::Listener& listener, const snapshot::Snapshot& snapshot);
[[nodiscard]] Json match_json(const snapshot::RequestMatch& match);
[[nodiscard]] Json fault_json(const snapshot::Fault& fault);
// A route by one of its matches. Of a long body the beginning is shown.
[[nodiscard]] Json route_json(const snapshot::RequestMatch& match, const snapshot::Snapshot& snapshot);
[[nodiscard]] Json tcp_route_json(const snapshot::TcpRoute& route, const snapshot::Snapshot& snapshot);
[[nodiscard]] std::string_view text_of(snapshot::Resolution resolution);
[[nodiscard]] Json cluster_json(const snapshot::Cluster& cluster);

[[nodiscard]] std::string_view text_of(snapshot::LoadBalancing balancing);

// Indented. Bytes that are not UTF-8, as names in certificates and header fields may hold, are replaced.
[[nodiscard]] std::string to_text(const Json& json);

}  // namespace sluice::control
