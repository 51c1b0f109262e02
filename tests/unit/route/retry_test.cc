#include "route/retry.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string_view>

namespace sluice::route {
namespace {

using namespace std::chrono_literals;
using snapshot::RetryOn;
using snapshot::RetryPolicy;

RetryPolicy policy_of(RetryOn condition) { return {.conditions = static_cast<uint32_t>(condition), .statuses = {}}; }

bool retries(const RetryPolicy& policy, uint16_t status, std::string_view field = {}, std::string_view value = {}) {
  Arena arena(1024);
  http::ResponseHead response(arena);
  response.status = status;
  EXPECT_TRUE(field.empty() || response.headers.add(field, value));
  return retries_response(policy, response);
}

TEST(Retry, OfResponsesByTheirStatus) {
  EXPECT_TRUE(retries(policy_of(RetryOn::any_5xx), 500));
  EXPECT_TRUE(retries(policy_of(RetryOn::any_5xx), 599));
  EXPECT_FALSE(retries(policy_of(RetryOn::any_5xx), 600));
  EXPECT_FALSE(retries(policy_of(RetryOn::any_5xx), 499));
  for (uint16_t status = 502; status <= 504; ++status) EXPECT_TRUE(retries(policy_of(RetryOn::gateway_error), status));
  EXPECT_FALSE(retries(policy_of(RetryOn::gateway_error), 501));
  EXPECT_FALSE(retries(policy_of(RetryOn::gateway_error), 505));
  EXPECT_TRUE(retries(policy_of(RetryOn::retriable_4xx), 409));
  EXPECT_FALSE(retries(policy_of(RetryOn::retriable_4xx), 408));
  EXPECT_FALSE(retries(policy_of(RetryOn::reset), 503));
  EXPECT_FALSE(retries(RetryPolicy{}, 503)) << "a response is one";
  RetryPolicy listed = policy_of(RetryOn::connect_failure);
  listed.statuses = {404, 429};
  EXPECT_TRUE(retries(listed, 429));
  EXPECT_FALSE(retries(listed, 500));
}

TEST(Retry, OfResponsesByTheirFields) {
  EXPECT_TRUE(retries(policy_of(RetryOn::envoy_ratelimited), 429, "x-envoy-ratelimited", "true"));
  EXPECT_FALSE(retries(policy_of(RetryOn::envoy_ratelimited), 429));
  EXPECT_TRUE(retries(RetryPolicy{}, 200, "grpc-status", "14"));
  EXPECT_TRUE(retries(RetryPolicy{}, 200, "grpc-status", "1"));
  EXPECT_FALSE(retries(RetryPolicy{}, 200, "grpc-status", "13"));
  EXPECT_TRUE(retries(policy_of(RetryOn::internal), 200, "grpc-status", "13"));
  EXPECT_TRUE(retries(policy_of(RetryOn::deadline_exceeded), 200, "grpc-status", "4"));
  EXPECT_TRUE(retries(policy_of(RetryOn::resource_exhausted), 200, "grpc-status", "8"));
}

TEST(Retry, OfWhatWasLostAndOfWhatCouldNotConnect) {
  EXPECT_FALSE(retries_lost(RetryPolicy{}));
  EXPECT_TRUE(retries_connect(RetryPolicy{}));
  for (const RetryOn condition : {RetryOn::reset, RetryOn::any_5xx, RetryOn::gateway_error}) {
    EXPECT_TRUE(retries_lost(policy_of(condition)));
    EXPECT_TRUE(retries_connect(policy_of(condition)));
  }
  EXPECT_FALSE(retries_connect(policy_of(RetryOn::retriable_4xx)));
}

TEST(Retry, KeepsContentOnlyWhereItMayBeSentAgain) {
  Arena arena(1024);
  http::RequestHead request(arena);
  EXPECT_FALSE(may_repeat_content(RetryPolicy{}, request));
  EXPECT_TRUE(may_repeat_content(policy_of(RetryOn::any_5xx), request));
  EXPECT_FALSE(may_repeat_content({.attempts = 0, .conditions = ~0U, .statuses = {}}, request));
  ASSERT_TRUE(request.headers.add("content-type", "application/grpc+proto"));
  EXPECT_TRUE(may_repeat_content(RetryPolicy{}, request));
}

TEST(Retry, WaitsLongerEachTimeUpToTenTimesTheBase) {
  const RetryPolicy policy{.statuses = {}, .backoff = 10ms};
  constexpr uint64_t kSeed = 1;
  Random random(kSeed);
  Duration longest[40] = {};
  for (int i = 0; i < 1000; ++i) {
    for (unsigned attempt = 2; attempt < 40; ++attempt)
      longest[attempt] = std::max(longest[attempt], retry_backoff(policy, attempt, random.next()));
  }
  EXPECT_GT(longest[2], 9ms);
  EXPECT_LE(longest[2], 10ms);
  EXPECT_GT(longest[3], 28ms);
  EXPECT_LE(longest[3], 30ms);
  EXPECT_GT(longest[4], 65ms);
  EXPECT_LE(longest[4], 70ms);
  EXPECT_GT(longest[39], 95ms);
  EXPECT_LE(longest[39], 100ms);
}

}  // namespace
}  // namespace sluice::route
