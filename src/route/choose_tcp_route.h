// From a connection that is not HTTP to a decision: a pure function of the tables (no I/O, no allocation).
#pragma once

#include "snapshot/snapshot.h"

#include <cstdint>
#include <string_view>

namespace sluice::route {

struct TcpDecision {
  const snapshot::TcpRoute* route = nullptr;                   // null: no route matches, NR
  const snapshot::WeightedDestination* destination = nullptr;  // null, with a route: it is not known, NC
};

// The first route that has no server names or one that matches `server_name`, the SNI in lower case without
// trailing dot (empty: there was none), and that has no addresses or one that `address` is in: what the client has
// connected to (null: nobody says). `random` (any 64 bits) chooses among weighted destinations.
[[nodiscard]] TcpDecision choose_tcp_route(const snapshot::RouteTable& table, std::string_view server_name,
                                           const SocketAddress* address, uint64_t random) noexcept;

}  // namespace sluice::route
