#include "renewal/schedule.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sluice::renewal {
namespace {

using namespace std::chrono_literals;

constexpr WallTime start{1'800'000'000s};

Validity validity_of(Duration lifetime) { return {.not_before = start, .not_after = start + lifetime}; }

TEST(RenewalTime, IsAtTwoThirdsOfEveryLifetime) {
  for (const Duration lifetime :
       {Duration(1min), Duration(6h), Duration(24h * 7), Duration(24h * 90), Duration(24h * 3650)}) {
    const WallTime time = renewal_time(validity_of(lifetime), {}, 0);
    EXPECT_NEAR(static_cast<double>((time - start).count()), static_cast<double>(lifetime.count()) * 2 / 3, 1e9);
    const WallTime early = renewal_time(validity_of(lifetime), {}, 0.999999);
    EXPECT_LT(early, time);
    EXPECT_GT(early, time - lifetime / 49);
  }
}

TEST(RenewalTime, IsEarlierWhenTheUserWantsIt) {
  EXPECT_EQ(renewal_time(validity_of(24h * 90), {.renew_before = 24h * 60}, 0), start + 24h * 30);
  EXPECT_EQ(renewal_time(validity_of(24h * 90), {.renew_before = 24h}, 0), start + 24h * 60) << "not later";
}

// A wish for 60 days and a certificate of 45, or of 6: what other clients have renewed in a loop.
TEST(RenewalTime, IsNeverInTheFirstTenth) {
  EXPECT_EQ(renewal_time(validity_of(24h * 45), {.renew_before = 24h * 60}, 0), start + 24h * 9 / 2);
  EXPECT_GT(renewal_time(validity_of(24h * 6), {.renew_before = 24h * 30}, 0.99), start + 24h * 6 / 20);
  EXPECT_EQ(renewal_time(validity_of(1min), {.renew_before = 5min}, 0), start + 6s);
}

TEST(RenewalTime, IsInTheWindowThatTheAuthorityWants) {
  const Wishes wishes{.suggested = SuggestedWindow{start + 24h, start + 48h}};
  EXPECT_EQ(renewal_time(validity_of(24h * 90), wishes, 0), start + 24h);
  EXPECT_EQ(renewal_time(validity_of(24h * 90), wishes, 0.5), start + 36h);
  const Wishes later{.suggested = SuggestedWindow{start + 24h * 80, start + 24h * 81}};
  EXPECT_EQ(renewal_time(validity_of(24h * 90), later, 0), start + 24h * 60);
  const Wishes past{.suggested = SuggestedWindow{start - 24h, start - 23h}};
  EXPECT_LT(renewal_time(validity_of(24h * 90), past, 0.5), start) << "revoked: at once";
}

TEST(Backoff, GrowsWithEachFailureAndEndsSomewhere) {
  Backoff backoff;
  EXPECT_TRUE(backoff.is_over(start));
  Duration expected = 0s;
  for (int i = 1; i <= 300; ++i) {
    backoff = after_failure(backoff, FailureKind::passing, start);
    expected = std::min<Duration>(expected + 120s, 8h);
    EXPECT_EQ(backoff.interval, expected) << i;
  }
  EXPECT_EQ(backoff.failures, 300u);
  EXPECT_FALSE(backoff.is_over(start + 8h - 1s));
  EXPECT_TRUE(backoff.is_over(start + 8h));
}

TEST(Backoff, LetsOneOrderAnHourFail) {
  const Backoff first = after_failure({}, FailureKind::order, start);
  EXPECT_EQ(first.interval, 1h);
  Backoff many = first;
  for (int i = 0; i < 40; ++i) many = after_failure(many, FailureKind::order, start);
  EXPECT_EQ(many.interval, 41 * 120s);
}

TEST(Backoff, WaitsADayForAChangeOfTheConfiguration) {
  EXPECT_EQ(after_failure({}, FailureKind::lasting, start).interval, 24h);
}

TEST(Backoff, IsAsLongAsTheServerAsksFor) {
  EXPECT_EQ(after_failure({}, FailureKind::passing, start, 3h).interval, 3h);
  EXPECT_EQ(after_failure({}, FailureKind::passing, start, 3s).interval, 120s);
}

// A failure that a wrong clock has dated into the future does not block for years.
TEST(Backoff, IsOverWhenTheClockWasSetBack) {
  const Backoff backoff = after_failure({}, FailureKind::passing, start + 24h * 3650);
  EXPECT_TRUE(backoff.is_over(start));
}

}  // namespace
}  // namespace sluice::renewal
