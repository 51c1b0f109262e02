#include "route/choose_route.h"

#include "base/check.h"
#include "route/weighted_choice.h"

#include <algorithm>
#include <string_view>

namespace sluice::route {

namespace {

bool fits(const snapshot::PathMatch& match, std::string_view path) noexcept {
  switch (match.kind) {
    case snapshot::PathMatch::Kind::any: return true;
    case snapshot::PathMatch::Kind::exact: return path == match.text;
    case snapshot::PathMatch::Kind::prefix: return path.starts_with(match.text);
  }
  UNREACHABLE();
}

bool fits(const snapshot::Route& route, std::string_view path) noexcept {
  return std::ranges::any_of(route.matches, [path](const snapshot::PathMatch& match) { return fits(match, path); });
}

}  // namespace

Decision choose_route(const snapshot::RouteTable& table, const http::RequestHead& head, uint64_t random) noexcept {
  Decision decision;
  const auto index = table.hosts.find(head.host);
  if (!index) return decision;
  const snapshot::VirtualHost& virtual_host = table.virtual_hosts[*index];
  decision.virtual_host = &virtual_host;
  if (virtual_host.https_redirect && !head.is_https) {
    decision.outcome = Outcome::https_redirect;
    return decision;
  }
  const auto route =
      std::ranges::find_if(virtual_host.routes, [&head](const snapshot::Route& each) { return fits(each, head.path); });
  if (route == virtual_host.routes.end()) return decision;
  decision.route = &*route;
  if (route->destinations.empty()) {
    decision.outcome = Outcome::no_cluster;
    return decision;
  }
  decision.outcome = Outcome::forward;
  decision.destination = &choose_destination(route->destinations, route->total_weight, random);
  return decision;
}

}  // namespace sluice::route
