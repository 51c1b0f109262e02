#include "http/path.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::http {
namespace {

std::string normalized(std::string_view path) {
  Arena arena(256 * 1024);
  std::string_view result = path;
  return normalize_path(result, arena) == PathResult::ok ? std::string(result) : "bad";
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

TEST(Path, StaysWhereItIsWhenItIsNormal) {
  Arena arena(1024);
  std::string_view path = "/a/b.c/-_~!$&'()*+,;=:@";
  const char* before = path.data();
  EXPECT_EQ(normalize_path(path, arena), PathResult::ok);
  EXPECT_EQ(path.data(), before);
  EXPECT_EQ(arena.used_bytes(), 0U);
}

// Every path over a small alphabet: the normal form is a fixed point and holds no dot segment.
TEST(Path, IsNotChangedBySecondNormalization) {
  const std::vector<std::string_view> pieces = {"/", ".", "a", "%2e", "%2F", "\\", "%41", "|"};
  size_t count = 0;
  for (size_t code = 0; code < 8 * 8 * 8 * 8 * 8 * 8; ++code) {
    std::string path = "/";
    for (size_t rest = code; rest != 0; rest /= 8) path += pieces[rest % 8];
    const std::string once = normalized(path);
    ASSERT_NE(once, "bad") << path;
    ASSERT_EQ(normalized(once), once) << path;
    ASSERT_TRUE(once.starts_with('/')) << path;
    ASSERT_EQ((once + "/").find("/./"), std::string::npos) << path;
    ASSERT_EQ((once + "/").find("/../"), std::string::npos) << path;
    ++count;
  }
  EXPECT_EQ(count, 262144U);
}

TEST(Path, SaysWhenTheArenaIsFull) {
  Arena arena(16);
  std::string_view path = "/a/../long/enough";
  EXPECT_EQ(normalize_path(path, arena), PathResult::too_large);
}

}  // namespace
}  // namespace sluice::http
