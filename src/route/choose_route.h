// From a request head to a decision: a pure function of the tables (no I/O). It does not allocate, but
// for regular expressions.
#pragma once

#include "http/head.h"
#include "snapshot/snapshot.h"

#include <cstdint>
#include <string_view>

namespace sluice::route {

enum class Outcome : uint8_t {
  acme_challenge,   // 200 with `key_authorization`
  forward,          // to `destination`
  redirect,         // route->redirect
  direct_response,  // route->direct_response
  https_redirect,   // 301, http::https_location()
  not_found,        // no virtual host or no route: 404 NR
  no_cluster,       // the route's destination is not known: 503 NC
  misdirected,      // the host is another TLS server's than the connection's (route/serving_server.h): 421
};

struct Decision {
  Outcome outcome = Outcome::not_found;
  const snapshot::WeightedDestination* destination = nullptr;  // exactly when forward
  const snapshot::Route* route = nullptr;                      // null: https_redirect, not_found
  const snapshot::RequestMatch* match = nullptr;               // the same: which of the route's
  const snapshot::VirtualHost* virtual_host = nullptr;         // null: the host is not known
  std::string_view key_authorization;                          // exactly when acme_challenge; the snapshot's

  // %ROUTE_NAME%; empty: there is no route, or it has none.
  [[nodiscard]] std::string_view route_name() const noexcept {
    if (route == nullptr) return {};
    return snapshot::route_name(*route, *match);
  }
};

// For a request on a connection to a listener of `tables`: without TLS what an ACME server asks for comes before every
// route and redirect, when it is known; then among its routes, or, where the connection's SNI has chosen
// a TLS server, among those of the server that serves the request's host on such a connection (route/serving_server.h).
[[nodiscard]] Decision choose_route(const snapshot::Snapshot& tables, const snapshot::Listener& listener,
                                    const snapshot::TlsServer* connected, const http::RequestHead& head,
                                    uint64_t random) noexcept;

// `table` is one of `tables`. `random` (any 64 bits) chooses among weighted destinations. The head is one that hygiene
// has prepared (http/hygiene.h).
[[nodiscard]] Decision choose_route(const snapshot::Snapshot& tables, const snapshot::RouteTable& table,
                                    const http::RequestHead& head, uint64_t random) noexcept;

}  // namespace sluice::route
