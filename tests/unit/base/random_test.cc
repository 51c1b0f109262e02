#include "base/random.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice {
namespace {

// The first outputs of the authors' splitmix64.c and xoshiro256starstar.c for seed 0.
TEST(Random, MatchesTheReferenceImplementation) {
  Random random(0);
  EXPECT_EQ(random.next(), 0x99ec5f36cb75f2b4U);
  EXPECT_EQ(random.next(), 0xbf6e1f784956452aU);
  EXPECT_EQ(random.next(), 0x1a5f849d4933e6e0U);
  EXPECT_EQ(random.next(), 0x6aa594f1262d2d2cU);
}

TEST(Random, ReplaysFromItsSeed) {
  Random one(42), two(42), other(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = one.next();
    EXPECT_EQ(value, two.next());
    differs |= value != other.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, StaysBelowItsBound) {
  Random random(7);
  for (const uint32_t bound : {1U, 2U, 3U, 100U, 0x8000'0001U, 0xffff'ffffU}) {
    for (int i = 0; i < 1000; ++i) ASSERT_LT(random.below(bound), bound);
  }
}

TEST(Random, SpreadsEvenlyOverASmallRange) {
  Random random(11);
  std::vector<int> hits(7);
  for (int i = 0; i < 70'000; ++i) ++hits[random.below(7)];
  for (const int count : hits) EXPECT_NEAR(count, 10'000, 500);  // five standard deviations are 463
}

}  // namespace
}  // namespace sluice
