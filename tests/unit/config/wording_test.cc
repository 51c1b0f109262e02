#include "config/wording.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

TEST(Wording, QuotesOnOneLineWithoutControlCharacters) {
  EXPECT_EQ(in_quotes("plain"), "\"plain\"");
  EXPECT_EQ(in_quotes(""), "\"\"");
  EXPECT_EQ(in_quotes("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(in_quotes("a\nb\x1b[31m\x7f"), R"("a\x0ab\x1b[31m\x7f")");
  EXPECT_EQ(in_quotes(std::string_view("a\0b", 3)), R"("a\x00b")");
}

TEST(Wording, QuotesC1ControlCharactersButNotOtherUtf8) {
  EXPECT_EQ(in_quotes("\xc2\x9b"), R"("\x9b")");
  EXPECT_EQ(in_quotes("ü€"), "\"ü€\"");
}

TEST(Wording, CutsLongTextsBetweenCharacters) {
  const std::string long_text = in_quotes(std::string(10'000, 'x'));
  EXPECT_EQ(long_text, "\"" + std::string(96, 'x') + "…\"");
  EXPECT_EQ(in_quotes(std::string(95, 'x') + "üüü"), "\"" + std::string(95, 'x') + "…\"");
}

TEST(Wording, ListsTextsAsASentenceDoes) {
  constexpr std::string_view texts[] = {"a", "b", "c"};
  EXPECT_EQ(quoted_list(texts), R"("a", "b" and "c")");
  EXPECT_EQ(quoted_list(std::span(texts, 2)), R"("a" and "b")");
  EXPECT_EQ(quoted_list(std::span(texts, 1)), R"("a")");
  EXPECT_EQ(quoted_list({}), "");
}

TEST(Wording, CountsOneWithoutAnS) {
  EXPECT_EQ(counted(0, "error"), "0 errors");
  EXPECT_EQ(counted(1, "error"), "1 error");
  EXPECT_EQ(counted(21, "certificate"), "21 certificates");
}

TEST(Wording, FindsTheNameThatWasMeant) {
  constexpr std::string_view names[] = {"hosts", "port", "credentialName", "minProtocolVersion", "maxProtocolVersion"};
  EXPECT_EQ(nearest_name("host", names), "hosts");
  EXPECT_EQ(nearest_name("hsots", names), "hosts");
  EXPECT_EQ(nearest_name("credential_name", names), "credentialName");
  EXPECT_EQ(nearest_name("CREDENTIALNAME", names), "credentialName");
  EXPECT_EQ(nearest_name("maxProtocolVersoin", names), "maxProtocolVersion");
  EXPECT_EQ(nearest_name("prot", names), "port");
}

TEST(Wording, SuggestsNothingForAnotherWord) {
  constexpr std::string_view names[] = {"hosts", "port", "tls"};
  EXPECT_EQ(nearest_name("selector", names), std::nullopt);
  EXPECT_EQ(nearest_name("", names), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(1'000'000, 'h'), names), std::nullopt);
  EXPECT_EQ(hint("selector", names), "");
  EXPECT_EQ(hint("hots", names), "did you mean \"hosts\"?");
}

TEST(Wording, ComparesAsciiRegardlessOfCase) {
  EXPECT_TRUE(equals_ignoring_case("HTTP", "http"));
  EXPECT_FALSE(equals_ignoring_case("HTTP", "HTTPS"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
  EXPECT_EQ(to_lower("AbC.Ü"), "abc.Ü");
}

}  // namespace
}  // namespace sluice::config
