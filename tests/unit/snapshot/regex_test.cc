#include "snapshot/regex.h"

#include "base/limits.h"

#include <gtest/gtest.h>

namespace sluice::snapshot {
namespace {

TEST(Regex, MatchesTheWholeText) {
  const auto regex = Regex::compile("/v[0-9]+").value();
  EXPECT_TRUE(regex->matches("/v12"));
  EXPECT_FALSE(regex->matches("/v12/"));
  EXPECT_FALSE(regex->matches("x/v12"));
  EXPECT_FALSE(regex->matches(""));
  EXPECT_EQ(regex->expression(), "/v[0-9]+");
}

TEST(Regex, ToleratesBytesThatAreNoText) {
  const auto regex = Regex::compile("a.*").value();
  EXPECT_FALSE(regex->matches("a\xff\xfe"));
  EXPECT_TRUE(regex->matches(std::string_view("a\0b", 3)));
}

TEST(Regex, RefusesWhatItCannotDo) {
  for (const std::string_view wrong : {"(", "[z-a]", "(?=a)", "\\1", "a{1001}"})
    EXPECT_FALSE(Regex::compile(wrong).has_value()) << wrong;
  EXPECT_EQ(Regex::compile("(").error().message, "missing ): (");
  EXPECT_EQ(Regex::compile(std::string(limits::regex_bytes_max + 1, 'a')).error().message,
            "it is longer than 4096 bytes");
  EXPECT_FALSE(Regex::compile("((((a{100}){100}){100}){100})").has_value()) << "a program of 100 million steps";
}

// What makes a backtracking matcher need years.
TEST(Regex, NeedsLinearTime) {
  const auto regex = Regex::compile("(a*)*b|(a|aa)+$|(.*)*x").value();
  EXPECT_FALSE(regex->matches(std::string(16'000, 'a') + "c"));
}

std::string replaced(std::string_view expression, std::string_view substitution, std::string_view text) {
  const auto regex = Regex::compile(expression).value();
  EXPECT_TRUE(regex->check_substitution(substitution).has_value());
  return regex->replace_all(text, substitution, 1000).value_or("too much");
}

TEST(Regex, ReplacesEveryMatch) {
  EXPECT_EQ(replaced("^/service/([^/]+)(/.*)$", "\\2/instance/\\1", "/service/foo/v1/api"), "/v1/api/instance/foo");
  EXPECT_EQ(replaced("one", "two", "/xxx/one/yyy/one/zzz"), "/xxx/two/yyy/two/zzz");
  EXPECT_EQ(replaced("/aaa/bbb", "/ccc", "/nothing"), "/nothing");
  EXPECT_EQ(replaced("a", "", "banana"), "bnn");
  EXPECT_EQ(replaced("x*", "-", "abc"), "-a-b-c-");
  EXPECT_EQ(replaced("b*", "-", "abb"), "-a-");
  EXPECT_EQ(replaced("(?i)/xxx/", "/yyy\\0", "/aaa/XxX/bbb"), "/aaa/yyy/XxX/bbb");
  EXPECT_EQ(replaced("\\\\", "\\\\\\\\", "a\\b"), "a\\\\b");
}

TEST(Regex, ChecksSubstitutions) {
  const auto regex = Regex::compile("(a)").value();
  EXPECT_FALSE(regex->check_substitution("\\2").has_value());
  EXPECT_FALSE(regex->check_substitution("\\x").has_value());
  EXPECT_FALSE(regex->check_substitution("a\\").has_value());
  EXPECT_TRUE(regex->check_substitution("\\0\\1\\\\").has_value());
}

TEST(Regex, BoundsWhatReplacingMakes) {
  const auto regex = Regex::compile("a").value();
  const std::string many(limits::regex_replacements_max, 'a');
  EXPECT_EQ(regex->replace_all(many, "b", 1000), std::string(limits::regex_replacements_max, 'b'));
  EXPECT_EQ(regex->replace_all(many + "a", "b", 1000), std::nullopt);
  EXPECT_EQ(regex->replace_all("aa", std::string(50, 'b'), 100), std::string(100, 'b'));
  EXPECT_EQ(regex->replace_all("aa", std::string(50, 'b'), 99), std::nullopt);
  EXPECT_EQ(regex->replace_all("xaaaa", "", 0), std::nullopt);
}

}  // namespace
}  // namespace sluice::snapshot
