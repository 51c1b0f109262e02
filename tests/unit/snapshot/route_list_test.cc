#include "snapshot/route_list.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace sluice::snapshot {
namespace {

using Kind = TextMatch::Kind;

RequestMatch path_match(Kind kind, std::string text, bool ignores_case = false) {
  RequestMatch match;
  if (kind == Kind::regex) {
    match.path = {kind, false, {}, Regex::compile(text).value()};
  } else {
    match.path = {kind, ignores_case, std::move(text)};
  }
  return match;
}

size_t index_in(const RouteList& list, const RequestMatch* match) {
  return match == nullptr ? list.matches().size() : static_cast<size_t>(match - list.matches().data());
}

constexpr auto always = [](const RequestMatch&) { return true; };

TEST(RouteList, FindsNothingWhenEmpty) { EXPECT_EQ(RouteList().find("/", always), nullptr); }

TEST(RouteList, KeepsTheOrderOfDifferentKinds) {
  std::vector<RequestMatch> matches;
  matches.push_back(path_match(Kind::prefix, "/api/v2"));
  matches.push_back(path_match(Kind::regex, "/api/.*/x"));
  matches.push_back(path_match(Kind::exact, "/api/v1/x"));
  matches.push_back(path_match(Kind::prefix, "/API", /*ignores_case=*/true));
  matches.push_back(path_match(Kind::any, ""));
  matches.push_back(path_match(Kind::exact, "/never"));
  const RouteList list(std::move(matches));
  struct {
    std::string_view path;
    size_t index;
  } cases[] = {{"/api/v2/x", 0}, {"/api/v1/x", 1}, {"/api/v1/y", 3}, {"/aPi", 3}, {"/never", 4}, {"", 4}};
  for (const auto& [path, index] : cases) EXPECT_EQ(index_in(list, list.find(path, always)), index) << path;
}

TEST(RouteList, GoesOnWhereConditionsDoNotHold) {
  std::vector<RequestMatch> matches(4, path_match(Kind::exact, "/a"));
  for (uint32_t i = 0; i < 4; ++i) matches[i].route = i;
  const RouteList list(std::move(matches));
  EXPECT_EQ(list.find("/a", [](const RequestMatch& match) { return match.route >= 2; })->route, 2U);
  EXPECT_EQ(list.find("/a", [](const RequestMatch&) { return false; }), nullptr);
}

bool fits_slowly(const TextMatch& match, std::string_view path) {
  const auto same = [&](std::string_view a, std::string_view b) {
    return std::ranges::equal(
        a, b, [&](char x, char y) { return match.ignores_case ? std::tolower(x) == std::tolower(y) : x == y; });
  };
  switch (match.kind) {
    case Kind::any: return true;
    case Kind::exact: return same(path, match.text);
    case Kind::prefix: return path.size() >= match.text.size() && same(path.substr(0, match.text.size()), match.text);
    case Kind::regex: return match.regex->matches(path);
  }
  return false;
}

TEST(RouteList, AgreesWithReadingFromTopToBottom) {
  constexpr uint64_t kSeed = 11;
  Random random(kSeed);
  const std::string_view expressions[] = {"/a.*", ".*b", "/[ab]/?", ".*", "/A(?i)a"};
  const auto random_path = [&] {
    std::string path = "/";
    for (uint32_t size = random.below(5); size > 0; --size) path += "aAb/"[random.below(4)];
    return path;
  };
  for (int round = 0; round < 2000; ++round) {
    std::vector<RequestMatch> matches(random.below(12));
    for (RequestMatch& match : matches) {
      const auto kind = static_cast<Kind>(random.below(4));
      match = path_match(kind, kind == Kind::regex ? std::string(expressions[random.below(5)]) : random_path(),
                         random.below(3) == 0);
      match.route = random.below(2);  // stands for a condition
    }
    const auto holds = [](const RequestMatch& match) { return match.route == 0; };
    const RouteList list(matches);
    for (int i = 0; i < 10; ++i) {
      const std::string path = random_path();
      size_t expected = 0;
      while (expected < matches.size() && !(holds(matches[expected]) && fits_slowly(matches[expected].path, path)))
        ++expected;
      EXPECT_EQ(index_in(list, list.find(path, holds)), expected) << path;
    }
  }
}

}  // namespace
}  // namespace sluice::snapshot
