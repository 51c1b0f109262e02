#include "control/page_parameters.h"

#include <gtest/gtest.h>

namespace sluice::control {
namespace {

constexpr std::string_view known[] = {"url", "header"};

TEST(PageParameters, AreDecodedAndKeepTheirOrder) {
  const auto found = PageParameters::parse("url=https%3A%2F%2Fa%2f%3Fb%3D1%26c&&header=a:+1&header=b%2B", known);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found->only("url"), "https://a/?b=1&c");
  EXPECT_EQ(found->all("header"), (std::vector<std::string>{"a: 1", "b+"}));
}

TEST(PageParameters, MayBeMissingAndEmpty) {
  EXPECT_EQ(*PageParameters::parse("", known)->only("url"), "");
  EXPECT_EQ(*PageParameters::parse("url", known)->only("url"), "");
  EXPECT_EQ(*PageParameters::parse("url=a=b", known)->only("url"), "a=b");
}

TEST(PageParameters, FailOnWhatIsUnknownTwiceOrBadlyEncoded) {
  const auto unknown = PageParameters::parse("urk=1", known);
  ASSERT_FALSE(unknown);
  EXPECT_TRUE(unknown.error().message.starts_with("unknown parameter \"urk\"; did you mean \"url\"?"))
      << unknown.error().message;
  for (const char* query : {"url=%", "url=%4", "url=%zz", "url=%+1", "%=1", "url=a%"})
    EXPECT_FALSE(PageParameters::parse(query, known)) << query;
  EXPECT_FALSE(PageParameters::parse("url=a&url=b", known)->only("url"));
}

}  // namespace
}  // namespace sluice::control
