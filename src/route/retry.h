// What of an attempt that came to nothing a route tries again (Envoy's retry_on): pure functions.
#pragma once

#include "base/durations.h"
#include "http/head.h"
#include "snapshot/route_actions.h"

#include <cstdint>

namespace sluice::route {

// A final response. Statuses of gRPC are those of a response without content (its head).
[[nodiscard]] bool retries_response(const snapshot::RetryPolicy& policy, const http::ResponseHead& response) noexcept;
// No response: the upstream is gone, or the time of the attempt is over.
[[nodiscard]] bool retries_lost(const snapshot::RetryPolicy& policy) noexcept;
// No connection could be opened.
[[nodiscard]] bool retries_connect(const snapshot::RetryPolicy& policy) noexcept;
// Whether a request that was sent, all or in part, may have to be sent again, with its content.
[[nodiscard]] bool may_repeat_content(const snapshot::RetryPolicy& policy, const http::RequestHead& request) noexcept;

// Before attempt number `attempt`, from 2 on: exponential with full jitter, at most ten times the base. `random`: any
// 64 bits.
[[nodiscard]] Duration retry_backoff(const snapshot::RetryPolicy& policy, unsigned attempt, uint64_t random) noexcept;

}  // namespace sluice::route
