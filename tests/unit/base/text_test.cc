#include "base/text.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Trimmed, HasNoSpaceAtItsEnds) {
  EXPECT_EQ(trimmed(" \t\r\na b\tc \n"), "a b\tc");
  EXPECT_EQ(trimmed("a"), "a");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(Trimmed, KeepsWhatIsNotNamed) {
  EXPECT_EQ(trimmed(" \ta\n ", " "), "\ta\n");
  EXPECT_EQ(trimmed("//a/b/", "/"), "a/b");
}

}  // namespace
}  // namespace sluice
