// Routes for snapshots that tests make by hand.
#pragma once

#include "snapshot/snapshot.h"

#include <string>
#include <utility>
#include <vector>

namespace sluice::test {

// A route and what leads to it; without matches: every request.
struct TestRoute {
  snapshot::Route route;
  std::vector<snapshot::RequestMatch> matches{{}};
};

inline snapshot::RequestMatch exact(std::string path) {
  return {.path = {snapshot::TextMatch::Kind::exact, false, std::move(path)}};
}
inline snapshot::RequestMatch prefix(std::string path) {
  return {.path = {snapshot::TextMatch::Kind::prefix, false, std::move(path)}};
}

// The index of the list, for VirtualHost::route_list. Sums up the weights of the destinations.
inline uint32_t add_route_list(snapshot::Snapshot& snapshot, std::vector<TestRoute> routes) {
  std::vector<snapshot::RequestMatch> list;
  for (TestRoute& each : routes) {
    for (snapshot::RequestMatch& match : each.matches) {
      match.route = static_cast<uint32_t>(snapshot.routes.size());
      list.push_back(std::move(match));
    }
    each.route.total_weight = 0;
    for (const auto& destination : each.route.destinations) each.route.total_weight += destination.weight;
    snapshot.routes.push_back(std::move(each.route));
  }
  snapshot.route_lists.emplace_back(std::move(list));
  return static_cast<uint32_t>(snapshot.route_lists.size() - 1);
}

}  // namespace sluice::test
