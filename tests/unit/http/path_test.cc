#include "http/path.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::http {
namespace {

std::string normalized(std::string_view path, PathNormalization normalization = PathNormalization::base) {
  Arena arena(256 * 1024);
  std::string_view result = path;
  return normalize_path(result, arena, normalization) == PathResult::ok ? std::string(result) : "bad";
}

// Pairs of Envoy's test/common/http/path_utility_test.cc are marked "E".
TEST(Path, IsNormalizedAsEnvoyDoes) {
  struct {
    std::string_view path, expected;
  } cases[] = {
      {"/xyz", "/xyz"},                 // E
      {"/x/y/z", "/x/y/z"},             // E
      {"/a/b/../c", "/a/c"},            // E
      {"/a/b/./c", "/a/b/c"},           // E
      {"/a/b/../../../../c", "/c"},     // E
      {"/a/..\\c", "/c"},               // E
      {"/%c0%af", "/%c0%af"},           // E
      {"/%5c%25", "/%5c%25"},           // E
      {"/a/b/%2E%2E/c", "/a/c"},        // E
      {"/a/b/%2E./c", "/a/c"},          // E
      {"/a/b/%2E/c", "/a/b/c"},         // E
      {"/../a/b", "/a/b"},              // E
      {"/./a/b", "/a/b"},               // E
      {"/A/B/C", "/A/B/C"},             // E
      {"/a/b/%2e%2e/c", "/a/c"},        // E
      {"/a/%2F%2f/c", "/a/%2F%2f/c"},   // E
      {"/xyz/.%00../abc", "bad"},       // E
      {"/xyz/%00.%00./abc", "bad"},     // E
      {"/xyz/AAAAA%%0000/abc", "bad"},  // E
      {"/", "/"},
      {"//", "//"},
      {"//a//b//", "//a//b//"},
      {"/a/", "/a/"},
      {"/.", "/"},
      {"/..", "/"},
      {"/a/.", "/a/"},
      {"/a/..", "/"},
      {"/a/b/..", "/a/"},
      {"/a/b/.", "/a/b/"},
      {"/a//../b", "/a/b"},
      {"/a/...", "/a/..."},
      {"/a/.../b", "/a/.../b"},
      {"/a/..b/c", "/a/..b/c"},
      {"/a/.b/c", "/a/.b/c"},
      {"/a./b", "/a./b"},
      {"/a../b", "/a../b"},
      {"/a.b.c", "/a.b.c"},
      {"/a/.%2e", "/"},
      {"/a/%2e%2e%2e", "/a/..."},
      {"/a/.%2e.", "/a/..."},
      {"/a%2eb", "/a.b"},
      {"/a\\b\\..\\c", "/a/c"},
      {"/\\a", "//a"},
      {"/a/.\\b", "/a/b"},
      {"/%7Euser", "/~user"},
      {"/%7euser", "/~user"},
      {"/%41%5a%61%7a%30%39%2d%5f", "/AZaz09-_"},
      {"/%2541", "/%2541"},
      {"/%252e%252e/a", "/%252e%252e/a"},
      {"/a%20b", "/a%20b"},
      {"/a%3Fb", "/a%3Fb"},
      {"/a%23b", "/a%23b"},
      {"/%c3%a4", "/%c3%a4"},
      {"/..%2Fa", "/..%2Fa"},
      {"/a/..%2f", "/a/..%2f"},
      {"/a/..;/b", "/a/..;/b"},
      {"/a;b=c/d", "/a;b=c/d"},
      {"/a\"<>^`{|}", "/a%22%3C%3E%5E%60%7B%7C%7D"},
      {"/[a]", "/[a]"},
      {"/:@!$&'()*+,;=", "/:@!$&'()*+,;="},
      {"/%", "bad"},
      {"/%a", "bad"},
      {"/%zz", "bad"},
      {"/%4", "bad"},
      {"/%%41", "bad"},
      {"/%%32%65", "bad"},
      {"/a%00", "bad"},
      {"", "bad"},
      {"a", "bad"},
      {"*", "bad"},
  };
  for (const auto& [path, expected] : cases) EXPECT_EQ(normalized(path), expected) << path;
}

// What each of Istio's settings makes of a path. "E": as in the tests of Envoy's mergeSlashes and unescapeSlashes.
TEST(Path, IsNormalizedAsFarAsIsAskedFor) {
  using enum PathNormalization;
  struct {
    std::string_view path, as_none, as_base, as_merged, as_decoded;
  } cases[] = {
      {"/", "/", "/", "/", "/"},
      {"/a/b/c/", "/a/b/c/", "/a/b/c/", "/a/b/c/", "/a/b/c/"},
      {"/a//b/c", "/a//b/c", "/a//b/c", "/a/b/c", "/a/b/c"},        // E
      {"//a/b/c", "//a/b/c", "//a/b/c", "/a/b/c", "/a/b/c"},        // E
      {"/a/b/c//", "/a/b/c//", "/a/b/c//", "/a/b/c/", "/a/b/c/"},   // E
      {"/a////b/c", "/a////b/c", "/a////b/c", "/a/b/c", "/a/b/c"},  // E
      {"//", "//", "//", "/", "/"},
      {"/a%2fb", "/a%2fb", "/a%2fb", "/a%2fb", "/a/b"},                                 // E
      {"/a%2Fb%5cc%5C", "/a%2Fb%5cc%5C", "/a%2Fb%5cc%5C", "/a%2Fb%5cc%5C", "/a/b/c/"},  // E
      {"/%2f%2Fa", "/%2f%2Fa", "/%2f%2Fa", "/%2f%2Fa", "/a"},
      {"/a%2f..%2fb", "/a%2f..%2fb", "/a%2f..%2fb", "/a%2f..%2fb", "/b"},
      {"/a%5c%2e%2e%5cb", "/a%5c%2e%2e%5cb", "/a%5c..%5cb", "/a%5c..%5cb", "/b"},
      {"/a/%252fb", "/a/%252fb", "/a/%252fb", "/a/%252fb", "/a/%252fb"},  // once
      {"/a//../b", "/a//../b", "/a/b", "/a/b", "/a/b"},                   // slashes are merged last
      {"/a\\\\b", "/a\\\\b", "/a//b", "/a/b", "/a/b"},
      {"/a/./b/%41", "/a/./b/%41", "/a/b/A", "/a/b/A", "/a/b/A"},
      {"/../%00", "/../%00", "bad", "bad", "bad"},
      {"/a%2", "/a%2", "bad", "bad", "bad"},
      {"a", "bad", "bad", "bad", "bad"},
  };
  for (const auto& [path, as_none, as_base, as_merged, as_decoded] : cases) {
    EXPECT_EQ(normalized(path, none), as_none) << path;
    EXPECT_EQ(normalized(path, base), as_base) << path;
    EXPECT_EQ(normalized(path, merge_slashes), as_merged) << path;
    EXPECT_EQ(normalized(path, decode_and_merge_slashes), as_decoded) << path;
  }
}

TEST(Path, StaysWhereItIsWhenItIsNormal) {
  Arena arena(1024);
  std::string_view path = "/a/b.c/-_~!$&'()*+,;=:@";
  const char* before = path.data();
  EXPECT_EQ(normalize_path(path, arena, PathNormalization::base), PathResult::ok);
  EXPECT_EQ(path.data(), before);
  EXPECT_EQ(arena.used_bytes(), 0U);
}

// Every path over a small alphabet: the normal form is a fixed point and holds no dot segment, and no double slash
// where these are merged.
TEST(Path, IsNotChangedBySecondNormalization) {
  using enum PathNormalization;
  const std::vector<std::string_view> pieces = {"/", ".", "a", "%2e", "%2F", "\\", "%41", "|"};
  for (const PathNormalization normalization : {base, merge_slashes, decode_and_merge_slashes}) {
    size_t count = 0;
    for (size_t code = 0; code < 8 * 8 * 8 * 8 * 8 * 8; ++code) {
      std::string path = "/";
      for (size_t rest = code; rest != 0; rest /= 8) path += pieces[rest % 8];
      const std::string once = normalized(path, normalization);
      ASSERT_NE(once, "bad") << path;
      ASSERT_EQ(normalized(once, normalization), once) << path;
      ASSERT_TRUE(once.starts_with('/')) << path;
      ASSERT_EQ((once + "/").find("/./"), std::string::npos) << path;
      ASSERT_EQ((once + "/").find("/../"), std::string::npos) << path;
      ASSERT_TRUE(normalization == base || !once.contains("//")) << path;
      ++count;
    }
    EXPECT_EQ(count, 262144U);
  }
}

TEST(Path, SaysWhenTheArenaIsFull) {
  Arena arena(16);
  std::string_view path = "/a/../long/enough";
  EXPECT_EQ(normalize_path(path, arena, PathNormalization::base), PathResult::too_large);
  path = "/slashes//long/enough";
  EXPECT_EQ(normalize_path(path, arena, PathNormalization::merge_slashes), PathResult::too_large);
  path = "/slashes%2flong/enough";
  EXPECT_EQ(normalize_path(path, arena, PathNormalization::decode_and_merge_slashes), PathResult::too_large);
}

}  // namespace
}  // namespace sluice::http
