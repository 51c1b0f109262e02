// What a route does with a request beside choosing a destination (Istio's HTTPRoute). All of it was checked when the
// configuration was compiled.
#pragma once

#include "base/durations.h"
#include "base/grpc_status.h"
#include "snapshot/regex.h"
#include "snapshot/request_match.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::snapshot {

// An answer with a Location; what is empty stays as the request has it.
struct Redirect {
  uint16_t status = 301;
  std::string scheme;
  std::string authority;
  uint16_t port = 0;              // 0: as below
  bool has_request_port = false;  // the port of the Gateway's server that the request came to; else the Host's stays
  std::string path;               // with a query of its own, or the request's query follows

  [[nodiscard]] bool changes_path_only() const noexcept {
    return scheme.empty() && authority.empty() && port == 0 && !has_request_port;
  }
  [[nodiscard]] bool changes_scheme_only() const noexcept {
    return authority.empty() && path.empty() && port == 0 && !has_request_port;
  }
};

struct DirectResponse {
  uint16_t status = 200;
  std::string body;
  std::string_view details = "direct_response";  // %RESPONSE_CODE_DETAILS%, a static text
};

// Of the path, without query. With `regex`, every part of the path that it matches becomes `substitution`; else
// `prefix` takes the place of the prefix that was matched, or of the whole path when another kind of match was.
struct Rewrite {
  std::string prefix;
  std::shared_ptr<const Regex> regex;
  std::string substitution;
};

// Shares are millionths of the requests.
inline constexpr uint32_t every_request = 1'000'000;
struct Fault {
  Duration delay{};
  uint32_t delay_share = 0;
  uint16_t abort_status = 0;                      // unless there is:
  std::optional<GrpcStatus> abort_grpc_status{};  // as the document says it
  uint32_t abort_share = 0;
};

// Another destination, which gets a copy of the requests.
struct Mirror {
  uint32_t cluster = 0;  // index into Snapshot::clusters
  uint32_t share = every_request;
};

// What is tried again (Envoy's retry_on). Bits of RetryPolicy::conditions.
enum class RetryOn : uint32_t {
  connect_failure = 1U << 0,
  refused_stream = 1U << 1,  // such a request is tried again whatever the policy is: it has no effect
  reset = 1U << 2,           // no response
  any_5xx = 1U << 3,         // and no response
  gateway_error = 1U << 4,   // 502, 503, 504, and no response
  retriable_4xx = 1U << 5,   // 409
  envoy_ratelimited = 1U << 6,
  cancelled = 1U << 7,  // and those that follow: statuses of gRPC
  deadline_exceeded = 1U << 8,
  internal = 1U << 9,
  resource_exhausted = 1U << 10,
  unavailable = 1U << 11,
};

struct RetryOnName {
  std::string_view name;
  RetryOn condition;
};

inline constexpr RetryOnName retry_on_names[] = {
    {"connect-failure", RetryOn::connect_failure},
    {"refused-stream", RetryOn::refused_stream},
    {"reset", RetryOn::reset},
    {"5xx", RetryOn::any_5xx},
    {"gateway-error", RetryOn::gateway_error},
    {"retriable-4xx", RetryOn::retriable_4xx},
    {"envoy-ratelimited", RetryOn::envoy_ratelimited},
    {"cancelled", RetryOn::cancelled},
    {"deadline-exceeded", RetryOn::deadline_exceeded},
    {"internal", RetryOn::internal},
    {"resource-exhausted", RetryOn::resource_exhausted},
    {"unavailable", RetryOn::unavailable},
};

inline constexpr uint32_t retry_on_grpc_statuses =
    static_cast<uint32_t>(RetryOn::cancelled) | static_cast<uint32_t>(RetryOn::deadline_exceeded) |
    static_cast<uint32_t>(RetryOn::internal) | static_cast<uint32_t>(RetryOn::resource_exhausted) |
    static_cast<uint32_t>(RetryOn::unavailable);

// The default is that of routes that say nothing, as in Istio.
struct RetryPolicy {
  uint16_t attempts = 2;  // beyond the first; 0: nothing is tried again
  uint32_t conditions = static_cast<uint32_t>(RetryOn::connect_failure) |
                        static_cast<uint32_t>(RetryOn::refused_stream) | static_cast<uint32_t>(RetryOn::unavailable) |
                        static_cast<uint32_t>(RetryOn::cancelled);
  std::vector<uint16_t> statuses;
  Duration per_try_timeout{};  // from the end of the request to that of the response's head; zero: none
  Duration backoff = std::chrono::milliseconds(25);
  bool avoids_previous_endpoint = true;

  [[nodiscard]] bool has(RetryOn condition) const noexcept { return has_any(static_cast<uint32_t>(condition)); }
  [[nodiscard]] bool has_any(uint32_t some) const noexcept { return (conditions & some) != 0; }
};

// Cross-origin requests (https://fetch.spec.whatwg.org/#http-cors-protocol). Texts are values of fields; empty ones are
// left out.
struct CorsPolicy {
  std::vector<TextMatch> origins;
  std::string allow_methods;
  std::string allow_headers;
  std::string expose_headers;
  std::string max_age;  // seconds
  bool allow_credentials = false;
  bool answers_other_origins = false;  // to their preflights, with nothing allowed; else these go to the destination
};

}  // namespace sluice::snapshot
