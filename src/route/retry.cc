#include "route/retry.h"

#include <algorithm>
#include <string_view>

namespace sluice::route {

namespace {

using snapshot::RetryOn;
using snapshot::RetryPolicy;

bool retries_grpc_status(const RetryPolicy& policy, const http::ResponseHead& response) noexcept {
  if (!policy.has_any(snapshot::retry_on_grpc_statuses)) return false;
  const std::string_view status = response.headers.find("grpc-status").value_or(std::string_view());
  return (status == "1" && policy.has(RetryOn::cancelled)) ||
         (status == "4" && policy.has(RetryOn::deadline_exceeded)) ||
         (status == "8" && policy.has(RetryOn::resource_exhausted)) ||
         (status == "13" && policy.has(RetryOn::internal)) || (status == "14" && policy.has(RetryOn::unavailable));
}

}  // namespace

bool retries_response(const RetryPolicy& policy, const http::ResponseHead& response) noexcept {
  const uint16_t status = response.status;
  if (policy.has(RetryOn::any_5xx) && status >= 500 && status < 600) return true;
  if (policy.has(RetryOn::gateway_error) && (status == 502 || status == 503 || status == 504)) return true;
  if (policy.has(RetryOn::retriable_4xx) && status == 409) return true;
  if (policy.has(RetryOn::envoy_ratelimited) && response.headers.count("x-envoy-ratelimited") > 0) return true;
  if (std::ranges::find(policy.statuses, status) != policy.statuses.end()) return true;
  return retries_grpc_status(policy, response);
}

bool retries_lost(const RetryPolicy& policy) noexcept {
  return policy.has(RetryOn::reset) || policy.has(RetryOn::any_5xx) || policy.has(RetryOn::gateway_error);
}

bool retries_connect(const RetryPolicy& policy) noexcept {
  return policy.has(RetryOn::connect_failure) || retries_lost(policy);
}

bool may_repeat_content(const RetryPolicy& policy, const http::RequestHead& request) noexcept {
  if (policy.attempts == 0) return false;
  if (retries_lost(policy) || !policy.statuses.empty() || policy.has(RetryOn::retriable_4xx) ||
      policy.has(RetryOn::envoy_ratelimited))
    return true;
  return policy.has_any(snapshot::retry_on_grpc_statuses) &&
         request.headers.find("content-type").value_or(std::string_view()).starts_with("application/grpc");
}

Duration retry_backoff(const RetryPolicy& policy, unsigned attempt, uint64_t random) noexcept {
  constexpr unsigned doublings_max = 4;  // 2^4 - 1 is beyond ten times the base
  const Duration base = std::max(policy.backoff, Duration(1));
  const Duration ceiling = std::min(base * 10, base * ((1U << std::min(attempt - 1, doublings_max)) - 1));
  return Duration(static_cast<int64_t>(random % static_cast<uint64_t>(ceiling.count() + 1)));
}

}  // namespace sluice::route
