#include "snapshot/path_trie.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace sluice::snapshot {
namespace {

std::vector<uint32_t> found_by(const PathTrie& trie, std::string_view path) {
  std::vector<uint32_t> result;
  trie.walk(path,
            [&](std::span<const uint32_t> numbers) { result.insert(result.end(), numbers.begin(), numbers.end()); });
  return result;
}

using Numbers = std::vector<uint32_t>;

PathTrie::Entry exact(std::string_view text, uint32_t number) { return {text, false, number}; }
PathTrie::Entry prefix(std::string_view text, uint32_t number) { return {text, true, number}; }

TEST(PathTrie, FindsNothingWhenEmpty) { EXPECT_EQ(found_by(PathTrie(), "/a"), Numbers{}); }

TEST(PathTrie, FindsPrefixesFromShortToLongAndTheExactTextLast) {
  const PathTrie trie({prefix("/a/b", 0), exact("/a/b", 1), prefix("/a", 2), prefix("/", 3), exact("/a", 4),
                       prefix("/a/b", 5), prefix("/b", 6)},
                      /*ignores_case=*/false);
  EXPECT_EQ(found_by(trie, "/a/b"), (Numbers{3, 2, 0, 5, 1}));
  EXPECT_EQ(found_by(trie, "/a/bc"), (Numbers{3, 2, 0, 5}));
  EXPECT_EQ(found_by(trie, "/a"), (Numbers{3, 2, 4}));
  EXPECT_EQ(found_by(trie, "/"), (Numbers{3}));
  EXPECT_EQ(found_by(trie, "/A"), (Numbers{3}));
  EXPECT_EQ(found_by(trie, ""), Numbers{});
  EXPECT_EQ(found_by(trie, "x"), Numbers{});
}

TEST(PathTrie, KnowsTheEmptyText) {
  const PathTrie trie({exact("", 0), prefix("", 1), prefix("/a", 2)}, /*ignores_case=*/false);
  EXPECT_EQ(found_by(trie, ""), (Numbers{1, 0}));
  EXPECT_EQ(found_by(trie, "/a"), (Numbers{1, 2}));
}

TEST(PathTrie, IgnoresTheCaseOfLettersOnly) {
  const PathTrie trie({prefix("/Foo", 0), exact("/fOO[", 1), exact("/foo{", 2)}, /*ignores_case=*/true);
  EXPECT_EQ(found_by(trie, "/FOO["), (Numbers{0, 1}));
  EXPECT_EQ(found_by(trie, "/foo{"), (Numbers{0, 2}));
  EXPECT_EQ(found_by(trie, "/fo"), Numbers{});
}

TEST(PathTrie, TakesBytesAsTheyAre) {
  const PathTrie trie({prefix("/\xff", 0), prefix(std::string_view("/\0", 2), 1), prefix("/z", 2)}, false);
  EXPECT_EQ(found_by(trie, "/\xff\xfe"), (Numbers{0}));
  EXPECT_EQ(found_by(trie, std::string_view("/\0x", 3)), (Numbers{1}));
  EXPECT_EQ(found_by(trie, "/z"), (Numbers{2}));
}

TEST(PathTrie, AgreesWithALoopOverAllTexts) {
  constexpr uint64_t kSeed = 7;
  Random random(kSeed);
  const auto random_text = [&] {
    std::string text;
    for (uint32_t size = random.below(7); size > 0; --size) text += "aAb/"[random.below(4)];
    return text;
  };
  for (int round = 0; round < 500; ++round) {
    const bool ignores_case = random.below(2) == 0;
    const auto folded = [&](std::string text) {
      if (ignores_case) std::ranges::replace(text, 'A', 'a');
      return text;
    };
    std::vector<std::string> texts(random.below(30));
    std::vector<PathTrie::Entry> entries;
    for (std::string& text : texts) {
      text = random_text();
      entries.push_back({text, random.below(2) == 0, static_cast<uint32_t>(entries.size())});
    }
    const PathTrie trie(entries, ignores_case);
    for (int i = 0; i < 20; ++i) {
      const std::string path = random_text();
      Numbers expected;
      for (const PathTrie::Entry& entry : entries) {
        const std::string text = folded(std::string(entry.text));
        if (entry.is_prefix ? folded(path).starts_with(text) : folded(path) == text) expected.push_back(entry.number);
      }
      Numbers found = found_by(trie, path);
      std::ranges::sort(found);
      EXPECT_EQ(found, expected) << path;
    }
  }
}

}  // namespace
}  // namespace sluice::snapshot
