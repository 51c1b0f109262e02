#include "config/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::config {
namespace {

TEST(Utf8, AcceptsTextOfEveryLength) {
  EXPECT_FALSE(find_bad_byte(""));
  EXPECT_FALSE(find_bad_byte("a\tb\r\nü€𝄞\xf4\x8f\xbf\xbf"));
}

TEST(Utf8, RefusesMalformedSequences) {
  const std::string_view malformed[] = {"\x80",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xe0\x9f\xbf",
                                        "\xed\xa0\x80",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xff",
                                        "\xc3",
                                        "\xe2\x82",
                                        "\xf0\x9d\x84",
                                        "\xc3(",
                                        "\xe2(\xa1"};
  for (const std::string_view text : malformed) {
    const auto bad = find_bad_byte("ab" + std::string(text));
    ASSERT_TRUE(bad);
    EXPECT_EQ(bad->offset, 2u);
  }
}

TEST(Utf8, RefusesControlCharactersAndNul) {
  const auto nul = find_bad_byte(std::string_view("a\0", 2));
  ASSERT_TRUE(nul);
  EXPECT_EQ(nul->offset, 1u);
  EXPECT_EQ(nul->reason, "a NUL byte");
  EXPECT_TRUE(find_bad_byte("\x1b"));
  EXPECT_TRUE(find_bad_byte("\x7f"));
}

}  // namespace
}  // namespace sluice::config
