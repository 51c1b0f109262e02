#include "http/head.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::http {
namespace {

std::string text_of(const HeaderList& list) {
  std::string text;
  for (const auto& [name, value] : list) text += std::string(name) + "=" + std::string(value) + " ";
  return text;
}

TEST(HeaderList, KeepsFieldsInTheOrderInWhichTheyCame) {
  Arena arena(64 * 1024);
  HeaderList list(arena);
  EXPECT_EQ(list.size(), 0U);
  EXPECT_EQ(list.find("a"), std::nullopt);
  EXPECT_TRUE(list.add("a", "1") && list.add("b", "2") && list.add("a", "3") && list.add("empty", ""));
  EXPECT_EQ(text_of(list), "a=1 b=2 a=3 empty= ");
  EXPECT_EQ(list.find("a"), "1");
  EXPECT_EQ(list.find("empty"), "");
  EXPECT_EQ(list.find("A"), std::nullopt);
  EXPECT_EQ(list.count("a"), 2U);
  EXPECT_EQ(list.count("c"), 0U);
}

TEST(HeaderList, SetsAFieldWhereItsFirstStood) {
  Arena arena(64 * 1024);
  HeaderList list(arena);
  EXPECT_TRUE(list.add("a", "1") && list.add("b", "2") && list.add("a", "3"));
  EXPECT_TRUE(list.set("a", "4"));
  EXPECT_EQ(text_of(list), "a=4 b=2 ");
  EXPECT_TRUE(list.set("c", "5"));
  EXPECT_EQ(text_of(list), "a=4 b=2 c=5 ");
}

TEST(HeaderList, RemovesEveryFieldOfAName) {
  Arena arena(64 * 1024);
  HeaderList list(arena);
  EXPECT_TRUE(list.add("a", "1") && list.add("b", "2") && list.add("a", "3"));
  list.remove("a");
  list.remove("not there");
  EXPECT_EQ(text_of(list), "b=2 ");
}

TEST(HeaderList, GrowsToItsBoundAndNoFurther) {
  Arena arena(64 * 1024);
  HeaderList list(arena);
  std::string expected;
  for (unsigned i = 0; i < limits::header_list_count_max; ++i) {
    ASSERT_TRUE(list.add("n", i % 2 == 0 ? "even" : "odd"));
    expected += i % 2 == 0 ? "n=even " : "n=odd ";
  }
  EXPECT_FALSE(list.add("n", "too many"));
  EXPECT_EQ(text_of(list), expected);
}

TEST(HeaderList, SaysWhenTheArenaIsFull) {
  Arena arena(1024);
  HeaderList list(arena);
  unsigned added = 0;
  while (added < limits::header_list_count_max && list.add("n", "v")) ++added;
  EXPECT_LT(added, limits::header_list_count_max);
  EXPECT_EQ(list.size(), added);
}

}  // namespace
}  // namespace sluice::http
