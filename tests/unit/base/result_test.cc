#include "base/result.h"

#include "base/check.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace sluice {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return failure("halving " + std::to_string(number) + ": it is odd; give an even number");
  return number / 2;
}

TEST(Result, HoldsAValueOrAMessage) {
  EXPECT_EQ(half(4).value(), 2);
  ASSERT_FALSE(half(3));
  EXPECT_EQ(half(3).error().message, "halving 3: it is odd; give an even number");
}

TEST(ErrnoText, GivesTextAndSymbol) {
  EXPECT_EQ(errno_text(EACCES), "Permission denied (EACCES)");
  EXPECT_EQ(errno_text(EADDRINUSE), "Address already in use (EADDRINUSE)");
}

TEST(ErrnoText, NamesTheNumberOfAnUnknownError) {
  EXPECT_EQ(errno_text(99999), "error 99999");
  EXPECT_EQ(errno_text(-1), "error -1");
}

TEST(CheckDeathTest, NamesFileLineAndExpression) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "internal error: .*result_test.cc:[0-9]+: CHECK.1 \\+ 1 == 3. failed");
  EXPECT_DEATH(UNREACHABLE(), "unreachable");
}

TEST(Check, LetsATrueExpressionPassAndEvaluatesItOnce) {
  int evaluations = 0;
  CHECK(++evaluations == 1);
  EXPECT_EQ(evaluations, 1);
}

}  // namespace
}  // namespace sluice
