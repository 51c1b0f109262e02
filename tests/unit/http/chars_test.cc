#include "http/chars.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::http {
namespace {

TEST(Chars, LowerOneByOneAndEightAtOnceAlike) {
  std::string all;
  for (unsigned c = 0; c < 256; ++c) all += static_cast<char>(c);
  for (size_t from = 0; from < all.size(); ++from) {
    for (size_t size = 0; size <= std::min<size_t>(all.size() - from, 40); ++size) {
      std::string text = all.substr(from, size);
      std::string expected = text;
      for (char& c : expected) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      lower_in_place(text.data(), text.size());
      ASSERT_EQ(text, expected) << from << " " << size;
    }
  }
}

TEST(Chars, CompareIgnoringCase) {
  EXPECT_TRUE(equals_ignoring_case("KEEP-Alive", "keep-alive"));
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_FALSE(equals_ignoring_case("keep-aliv", "keep-alive"));
  EXPECT_FALSE(equals_ignoring_case("keep_alive", "keep-alive"));
  EXPECT_FALSE(equals_ignoring_case("\x0d", "-"));  // differs from "-" in the bit that makes lower case
}

TEST(Chars, TrimOptionalWhitespaceOnly) {
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(trim("\na\v"), "\na\v");
}

TEST(Chars, SplitListsIntoTheirElements) {
  const auto elements_of = [](std::string_view list) {
    std::vector<std::string> elements;
    for_each_element(list, [&](std::string_view element) { elements.emplace_back(element); });
    return elements;
  };
  using List = std::vector<std::string>;
  EXPECT_EQ(elements_of(""), List{});
  EXPECT_EQ(elements_of(" , ,,"), List{});
  EXPECT_EQ(elements_of("a"), List{"a"});
  EXPECT_EQ(elements_of(" a ,b\t,, c d ,"), (List{"a", "b", "c d"}));
}

TEST(Chars, AreOfTheClassesOfTheRfcs) {
  EXPECT_TRUE(is_token("M-SEARCH") && is_token("!#$%&'*+-.^_`|~09azAZ"));
  for (const char c : std::string_view("\"(),/:;<=>?@[\\]{} \t\x7f\x80")) EXPECT_FALSE(is_token_char(c)) << c;
  EXPECT_FALSE(is_token(""));
  EXPECT_TRUE(is_unreserved('~') && is_unreserved('-') && !is_unreserved('%') && !is_unreserved('/'));
}

}  // namespace
}  // namespace sluice::http
