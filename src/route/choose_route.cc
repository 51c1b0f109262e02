#include "route/choose_route.h"

#include "route/request_match.h"
#include "route/serving_server.h"
#include "route/weighted_choice.h"

namespace sluice::route {

namespace {

// HTTP-01. Empty: no challenge, or one that somebody else may have set.
std::string_view key_authorization(const snapshot::Snapshot& tables, const http::RequestHead& head) noexcept {
  if (tables.challenges == nullptr || !head.path.starts_with(snapshot::acme_challenge_path)) return {};
  if (head.method != "GET" && head.method != "HEAD") return {};
  const auto& known = tables.challenges->key_authorizations;
  const auto found = known.find(head.path.substr(snapshot::acme_challenge_path.size()));
  return found == known.end() ? std::string_view() : found->second;
}

}  // namespace

Decision choose_route(const snapshot::Snapshot& tables, const snapshot::Listener& listener,
                      const snapshot::TlsServer* connected, const http::RequestHead& head, uint64_t random) noexcept {
  if (connected == nullptr) {
    if (const std::string_view answer = key_authorization(tables, head); !answer.empty())
      return {.outcome = Outcome::acme_challenge, .key_authorization = answer};
  }
  uint32_t table = listener.route_table;
  if (connected != nullptr) {
    const snapshot::TlsServer* server = serving_server(listener, *connected, head.host);
    if (server == nullptr) return {.outcome = Outcome::misdirected};
    table = server->route_table;
  }
  return choose_route(tables, tables.route_tables[table], head, random);
}

Decision choose_route(const snapshot::Snapshot& tables, const snapshot::RouteTable& table,
                      const http::RequestHead& head, uint64_t random) noexcept {
  Decision decision;
  const auto index = table.hosts.find(head.host);
  if (!index) return decision;
  const snapshot::VirtualHost& virtual_host = table.virtual_hosts[*index];
  decision.virtual_host = &virtual_host;
  if (virtual_host.https_redirect && !head.is_https) {
    decision.outcome = Outcome::https_redirect;
    return decision;
  }
  if (!virtual_host.route_list) return decision;
  const snapshot::RequestMatch* match = tables.route_lists[*virtual_host.route_list].find(
      head.path, [&head](const snapshot::RequestMatch& each) { return conditions_hold(each, head); });
  if (match == nullptr) return decision;
  const snapshot::Route& route = tables.routes[match->route];
  decision.match = match;
  decision.route = &route;
  if (route.redirect != nullptr) {
    decision.outcome = Outcome::redirect;
    return decision;
  }
  if (route.direct_response != nullptr) {
    decision.outcome = Outcome::direct_response;
    return decision;
  }
  if (route.destinations.empty()) {
    decision.outcome = Outcome::no_cluster;
    return decision;
  }
  decision.outcome = Outcome::forward;
  decision.destination = &choose_destination(route.destinations, route.total_weight, random);
  return decision;
}

}  // namespace sluice::route
