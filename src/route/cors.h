// Cross-origin requests, answered as Envoy's CORS filter does (https://fetch.spec.whatwg.org/#http-cors-protocol): pure
// functions over heads.
#pragma once

#include "http/head.h"
#include "snapshot/route_actions.h"

#include <cstdint>
#include <string_view>

namespace sluice::route {

enum class CorsRequest : uint8_t {
  none,            // no Origin, or one that is not allowed: nothing is said
  actual,          // of an allowed origin: add_cors_fields to its response
  preflight,       // of an allowed origin: answered with add_preflight_fields
  other_preflight  // of another origin, and answered without any field
};

[[nodiscard]] CorsRequest cors_request(const snapshot::CorsPolicy& policy, const http::RequestHead& head);

// To the fields of a response; `origin` is the request's. False: there is no room.
[[nodiscard]] bool add_cors_fields(const snapshot::CorsPolicy& policy, std::string_view origin,
                                   http::HeaderList& fields);
[[nodiscard]] bool add_preflight_fields(const snapshot::CorsPolicy& policy, std::string_view origin,
                                        http::HeaderList& fields);

}  // namespace sluice::route
