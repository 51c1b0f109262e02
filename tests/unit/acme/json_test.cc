#include "acme/json.h"
#include "base/limits.h"

#include <gtest/gtest.h>

namespace sluice::acme {
namespace {

std::string nested(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += "{\"a\":";
  return text + "1" + std::string(static_cast<size_t>(depth), '}');
}

TEST(Json, IsAnObjectOfBoundedDepth) {
  EXPECT_TRUE(parse_object(nested(limits::acme_nesting_max)));
  EXPECT_FALSE(parse_object(nested(limits::acme_nesting_max + 1)));
  EXPECT_FALSE(parse_object(nested(100'000)));
  EXPECT_FALSE(parse_object(std::string(500'000, '[')));
  for (const std::string_view text : {"", "{", "[]", "7", "\"text\"", "{} {}", "{\"a\":}", "\xff", "{\"a\":\"\xff\"}"})
    EXPECT_FALSE(parse_object(text)) << text;
}

TEST(Json, OfTheWrongKindIsAsIfItWereNotThere) {
  const auto object = parse_object(R"({"number":1,"null":null,"list":["a"],"text":"a"})");
  ASSERT_TRUE(object);
  for (const char* name : {"number", "null", "list", "none"}) EXPECT_EQ(text_member(*object, name), "") << name;
  EXPECT_EQ(text_member(*object, "text"), "a");
  EXPECT_EQ(member((*object)["list"], "a"), nullptr);
}

TEST(Json, HasUrlsThatAreUsable) {
  EXPECT_TRUE(is_usable_url("https://a.test/x?y#z"));
  for (const std::string& url : {std::string("http://a.test"), std::string("https://"), std::string("https://a\nb"),
                                 std::string("https://a b"), std::string("https://a\""), std::string("file:///etc"),
                                 "https://a/" + std::string(limits::acme_url_bytes_max, 'a'), std::string()})
    EXPECT_FALSE(is_usable_url(url)) << url;
}

TEST(Problem, IsPrintableAndBounded) {
  const Json json = {{"type", "urn:ietf:params:acme:error:x\x01"}, {"detail", std::string(100'000, 'a')}};
  const Problem problem = read_problem(json);
  EXPECT_EQ(problem.type, "x?");
  EXPECT_LT(problem.text.size(), limits::acme_problem_bytes_max + 20);
  Json many = {{"detail", "d"}, {"subproblems", Json::array()}};
  for (int i = 0; i < 1000; ++i) many["subproblems"].push_back({{"detail", std::to_string(i)}});
  EXPECT_TRUE(read_problem(many).text.ends_with("; 9; and 990 more")) << read_problem(many).text;
}

}  // namespace
}  // namespace sluice::acme
