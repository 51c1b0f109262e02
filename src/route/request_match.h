// Whether a request is one that a route is for: a pure function (no I/O).
#pragma once

#include "http/head.h"
#include "snapshot/request_match.h"

namespace sluice::route {

// The conditions of `match`, not its path. A field that came several times is compared as one value, joined by ","
// (RFC 9110 5.3), which is made in the head's arena; when that is full the condition does not hold. Of several query
// parameters of one name the first counts; names and values are compared as they are written, not decoded. All of this
// is as in Envoy.
[[nodiscard]] bool conditions_hold(const snapshot::RequestMatch& match, const http::RequestHead& head);

}  // namespace sluice::route
