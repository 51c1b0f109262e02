#include "snapshot/host_map.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace sluice::snapshot {
namespace {

HostMap map_of(const std::vector<std::string>& patterns) {
  HostMap map;
  for (uint32_t i = 0; i < patterns.size(); ++i) EXPECT_TRUE(map.add(patterns[i], i)) << patterns[i];
  return map;
}

TEST(HostMap, FindsNothingWhileEmpty) {
  const HostMap map;
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.find("example.com"), std::nullopt);
  EXPECT_EQ(map.find(""), std::nullopt);
  EXPECT_EQ(map.find_pattern("*"), std::nullopt);
}

TEST(HostMap, PrefersExactNameThenLongestWildcardThenAny) {
  const HostMap map = map_of({"*", "*.com", "*.example.com", "*.b.example.com", "a.b.example.com"});
  EXPECT_EQ(map.find("a.b.example.com"), 4U);
  EXPECT_EQ(map.find("c.b.example.com"), 3U);
  EXPECT_EQ(map.find("b.example.com"), 2U);
  EXPECT_EQ(map.find("example.com"), 1U);
  EXPECT_EQ(map.find("com"), 0U);
  EXPECT_EQ(map.find("example.org"), 0U);
}

TEST(HostMap, MatchesAWildcardAtAnyDepth) {
  const HostMap map = map_of({"*.local.kyma.dev"});
  EXPECT_EQ(map.find("a.local.kyma.dev"), 0U);
  EXPECT_EQ(map.find("a.b.c.d.local.kyma.dev"), 0U);
}

TEST(HostMap, DoesNotMatchTheApexOfAWildcard) {
  const HostMap map = map_of({"*.example.com"});
  EXPECT_EQ(map.find("example.com"), std::nullopt);
}

TEST(HostMap, DoesNotMatchAWildcardInTheMiddleOfALabel) {
  const HostMap map = map_of({"*.example.com"});
  EXPECT_EQ(map.find("badexample.com"), std::nullopt);
  EXPECT_EQ(map.find("a.badexample.com"), std::nullopt);
}

TEST(HostMap, DoesNotLetAnEmptyLabelStandForAWildcard) {
  const HostMap map = map_of({"*.example.com"});
  EXPECT_EQ(map.find(".example.com"), std::nullopt);
}

TEST(HostMap, TakesAHostThatLooksLikeAPatternAsAName) {
  const HostMap map = map_of({"*.example.com", "example.com"});
  EXPECT_EQ(map.find("*.example.com"), 0U);  // a label as any other
  EXPECT_EQ(map.find("*"), std::nullopt);
}

TEST(HostMap, AnswersAnyHostWithTheAnyPatternEvenNone) {
  const HostMap map = map_of({"*"});
  EXPECT_FALSE(map.empty());
  EXPECT_EQ(map.find("example.com"), 0U);
  EXPECT_EQ(map.find(""), 0U);
}

TEST(HostMap, KeepsTheFirstOfTwoEqualPatterns) {
  HostMap map;
  for (const char* pattern : {"example.com", "*.example.com", "*"}) {
    EXPECT_TRUE(map.add(pattern, 1)) << pattern;
    EXPECT_FALSE(map.add(pattern, 2)) << pattern;
    EXPECT_EQ(map.find_pattern(pattern), 1U) << pattern;
  }
}

TEST(HostMap, FindsAPatternOnlyByItsOwnText) {
  const HostMap map = map_of({"example.com", "*.example.com"});
  EXPECT_EQ(map.find_pattern("example.com"), 0U);
  EXPECT_EQ(map.find_pattern("*.example.com"), 1U);
  EXPECT_EQ(map.find_pattern("a.example.com"), std::nullopt);
  EXPECT_EQ(map.find_pattern(".example.com"), std::nullopt);
  EXPECT_EQ(map.find_pattern("*"), std::nullopt);
}

TEST(HostMap, SurvivesHostileNames) {
  const HostMap map = map_of({"*.example.com", "example.com"});
  for (const char* host : {".", "..", "...", ".com", "com.", "a..b", "-", "*.", "example.com.", "\xff\xfe.example"}) {
    EXPECT_EQ(map.find(host), std::nullopt) << host;
  }
  EXPECT_EQ(map.find("..example.com"), 0U);
}

// 60 KiB of "a.a.a." is a legal request head: a lookup that hashed every suffix to its end would cost
// a quarter of a second.
TEST(HostMap, SpendsLittleOnAnEndlessHost) {
  const HostMap map = map_of({"*.example.com", "*.a.very.long.name.of.many.labels.example.org"});
  std::string host;
  while (host.size() < 60'000) host += "a.";
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(map.find(host), std::nullopt);
    EXPECT_EQ(map.find(host + "example.com"), 0U);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(100));
}

// The rule in the most obvious way: the longest of all patterns that match.
std::optional<uint32_t> find_slowly(const std::vector<std::string>& patterns, const std::string& host) {
  std::optional<uint32_t> best;
  size_t best_length = 0;
  for (uint32_t i = 0; i < patterns.size(); ++i) {
    const std::string& pattern = patterns[i];
    if (pattern == host) return i;
    const bool matches = pattern == "*" || (pattern.starts_with("*.") && host.size() >= pattern.size() &&
                                            host.ends_with(pattern.substr(1)));
    if (matches && pattern.size() > best_length) {
      best = i;
      best_length = pattern.size();
    }
  }
  return best;
}

TEST(HostMap, AgreesWithASlowSearchOnRandomNames) {
  constexpr uint64_t kSeed = 5;
  Random random(kSeed);
  const auto random_name = [&random] {
    std::string name;
    for (uint32_t labels = 1 + random.below(4); labels > 0; --labels) {
      if (!name.empty()) name += '.';
      name += static_cast<char>('a' + random.below(3));
    }
    return name;
  };
  for (int round = 0; round < 300; ++round) {
    HostMap map;
    std::vector<std::string> patterns;
    for (uint32_t i = random.below(12); i > 0; --i) {
      const std::string pattern = random.below(10) == 0 ? "*" : (random.below(2) == 0 ? "*." : "") + random_name();
      if (map.add(pattern, static_cast<uint32_t>(patterns.size()))) patterns.push_back(pattern);
    }
    for (int i = 0; i < 50; ++i) {
      const std::string host = random_name();
      ASSERT_EQ(map.find(host), find_slowly(patterns, host)) << host << ", round " << round << ", seed " << kSeed;
    }
  }
}

}  // namespace
}  // namespace sluice::snapshot
