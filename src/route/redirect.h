// Where a redirect sends a request (Envoy's RedirectAction): a pure function.
#pragma once

#include "http/head.h"
#include "snapshot/route_actions.h"

#include <cstdint>
#include <string_view>

namespace sluice::route {

// The Location: an absolute URI (RFC 9110 10.2.2), in the arena of the head. `request_port` is the port of the
// Gateway's server. A port that the scheme has anyway is left out; the port of the request's Host stays while redirect
// says nothing of ports, unless it was that of the scheme before. Empty: the request has no Host, or the arena is full.
[[nodiscard]] std::string_view redirect_location(const snapshot::Redirect& redirect, const http::RequestHead& head,
                                                 uint16_t request_port);

}  // namespace sluice::route
