#include "base/base64.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {
namespace {

std::string encoded(std::string_view text) {
  std::string result(base64_size(text.size()), '\0');
  write_base64(as_bytes(text), result);
  return result;
}

// Nothing: it is no base64, or not all of one.
std::optional<std::string> decoded(std::string_view text, size_t piece) {
  Base64Reader reader;
  std::string result;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    const std::string_view part = text.substr(0, piece);
    std::vector<std::byte> room(part.size() / 4 * 3 + 3);
    size_t size = 0;
    if (!reader.read(part, room, size)) return std::nullopt;
    result += as_text(ConstBytes(room).first(size));
  }
  if (!reader.is_complete()) return std::nullopt;
  return result;
}

// RFC 4648 10.
TEST(Base64, IsTheStandards) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff\xfe", "+//+"},
  };
  for (const auto& [text, code] : cases) {
    EXPECT_EQ(encoded(text), code);
    for (const size_t piece : {1U, 2U, 3U, 5U, 100U}) EXPECT_EQ(decoded(code, piece), text) << piece;
  }
}

TEST(Base64, TextsMayFollowOneAnother) {
  for (const size_t piece : {1U, 3U, 4U, 100U}) EXPECT_EQ(decoded("Zg==Zm8=Zm9v", piece), "ffofoo");
}

TEST(Base64, NothingElseIsRead) {
  for (const std::string_view text :
       {"Z", "Zg", "Zg=", "=", "====", "Z===", "Zg=a", "Zg==Z", "Zm9v\n", "Zm9-", "Zm 9", "Zm9\x80"})
    for (const size_t piece : {1U, 100U}) EXPECT_EQ(decoded(text, piece), std::nullopt) << text;
}

TEST(Base64, EveryByteComesBack) {
  std::string text;
  for (int i = 0; i < 3 * 256; ++i) text += static_cast<char>(i % 256 + i / 256);
  EXPECT_EQ(decoded(encoded(text), 7), text);
}

TEST(Base64Url, IsThatOfRfc7515) {
  const std::string bytes = {3, '\xec', '\xff', '\xe0', '\xc1'};  // its appendix C
  EXPECT_EQ(to_base64url(as_bytes(bytes)), "A-z_4ME");
  EXPECT_EQ(read_base64url("A-z_4ME"), bytes);
  EXPECT_EQ(read_base64url("A-z_4ME="), bytes);  // some print it padded
  EXPECT_EQ(to_base64url({}), "");
  EXPECT_EQ(read_base64url(""), "");
}

TEST(Base64Url, RefusesWhatIsNone) {
  for (const std::string_view text : {"A", "A+z/4ME", "A-z_4M=E", "A z_", "A-z_4", "\xff\xff\xff\xff"})
    EXPECT_FALSE(read_base64url(text)) << text;
}

TEST(Base64Url, EveryByteComesBack) {
  std::string text;
  for (int i = 0; i < 256; ++i) {
    text += static_cast<char>(i);
    EXPECT_EQ(read_base64url(to_base64url(as_bytes(text))), text);
  }
}

}  // namespace
}  // namespace sluice
