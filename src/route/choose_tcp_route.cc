#include "route/choose_tcp_route.h"

#include "route/weighted_choice.h"

#include <algorithm>
#include <string>

namespace sluice::route {

namespace {

// As in snapshot/host_map: "*.b" stands for any depth below b and not for b itself, "*" for everything.
bool matches(std::string_view pattern, std::string_view server_name) noexcept {
  if (pattern == "*") return true;
  if (!pattern.starts_with("*.")) return pattern == server_name;
  const std::string_view suffix = pattern.substr(1);
  return server_name.size() > suffix.size() && server_name.ends_with(suffix);
}

bool matches(const snapshot::TcpRoute& route, std::string_view server_name, const SocketAddress* address) noexcept {
  const auto has_name = [server_name](const std::string& pattern) { return matches(pattern, server_name); };
  const auto has_address = [address](const AddressRange& range) {
    return address != nullptr && range.contains(*address);
  };
  return (route.server_names.empty() || std::ranges::any_of(route.server_names, has_name)) &&
         (route.addresses.empty() || std::ranges::any_of(route.addresses, has_address));
}

}  // namespace

TcpDecision choose_tcp_route(const snapshot::RouteTable& table, std::string_view server_name,
                             const SocketAddress* address, uint64_t random) noexcept {
  const auto route = std::ranges::find_if(
      table.tcp_routes, [&](const snapshot::TcpRoute& each) { return matches(each, server_name, address); });
  if (route == table.tcp_routes.end()) return {};
  TcpDecision decision{.route = &*route};
  if (!route->destinations.empty())
    decision.destination = &choose_destination(route->destinations, route->total_weight, random);
  return decision;
}

}  // namespace sluice::route
