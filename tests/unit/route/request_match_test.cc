#include "route/request_match.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sluice::route {
namespace {

using snapshot::Condition;
using snapshot::TextMatch;
using Subject = Condition::Subject;
using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

TextMatch any() { return {}; }
TextMatch exact(std::string text) { return {TextMatch::Kind::exact, false, std::move(text)}; }
TextMatch prefix(std::string text) { return {TextMatch::Kind::prefix, false, std::move(text)}; }
TextMatch regex(std::string_view text) {
  return {TextMatch::Kind::regex, false, {}, snapshot::Regex::compile(text).value()};
}

bool holds(Condition condition, const Fields& fields, std::string_view query = {}, std::string_view method = "GET",
           bool is_arena_full = false) {
  Arena arena(16 * 1024);
  http::RequestHead head(arena);
  head.method = method;
  head.authority = "a.example.com:8080";
  head.query = query;
  head.is_https = true;
  for (const auto& [name, value] : fields) EXPECT_TRUE(head.headers.add(name, value));
  snapshot::RequestMatch match;
  match.conditions.push_back(std::move(condition));
  while (is_arena_full && arena.allocate(16, 1) != nullptr) {
  }
  return conditions_hold(match, head);
}

bool field_holds(TextMatch text, const Fields& fields) {
  return holds({Subject::field, false, "x", std::move(text)}, fields);
}
bool without_holds(TextMatch text, const Fields& fields) {
  return holds({Subject::field, true, "x", std::move(text)}, fields);
}
bool parameter_holds(TextMatch text, std::string_view query) {
  return holds({Subject::query_parameter, false, "p", std::move(text)}, {}, query);
}

TEST(Conditions, OfAFieldNeedTheField) {
  EXPECT_TRUE(field_holds(any(), {{"x", ""}}));
  EXPECT_FALSE(field_holds(any(), {{"y", "1"}}));
  EXPECT_TRUE(field_holds(exact("1"), {{"y", "2"}, {"x", "1"}}));
  EXPECT_FALSE(field_holds(exact("1"), {{"x", "12"}}));
  EXPECT_FALSE(field_holds(exact(""), {}));
  EXPECT_TRUE(field_holds(exact(""), {{"x", ""}}));
  EXPECT_TRUE(field_holds(prefix("1"), {{"x", "12"}}));
  EXPECT_TRUE(field_holds(regex("1.*"), {{"x", "12"}}));
  EXPECT_FALSE(field_holds(regex("2"), {{"x", "12"}}));
  EXPECT_FALSE(field_holds(regex(".*"), {}));
}

TEST(Conditions, ThatAreInvertedTakeAMissingFieldForAnEmptyOne) {
  EXPECT_TRUE(without_holds(any(), {}));
  EXPECT_FALSE(without_holds(any(), {{"x", ""}}));
  EXPECT_TRUE(without_holds(exact("1"), {}));
  EXPECT_TRUE(without_holds(exact("1"), {{"x", "2"}}));
  EXPECT_FALSE(without_holds(exact("1"), {{"x", "1"}}));
  EXPECT_FALSE(without_holds(exact(""), {}));
  EXPECT_FALSE(without_holds(regex(".*"), {}));
  EXPECT_TRUE(without_holds(regex(".+"), {}));
}

TEST(Conditions, SeeSeveralFieldsOfANameAsOne) {
  EXPECT_TRUE(field_holds(exact("1,2"), {{"x", "1"}, {"y", "0"}, {"x", "2"}}));
  EXPECT_FALSE(field_holds(exact("1"), {{"x", "1"}, {"x", "2"}}));
  EXPECT_TRUE(field_holds(exact(",,"), {{"x", ""}, {"x", ""}, {"x", ""}}));
}

// Neither the field nor its absence may be concluded from memory that has run out.
TEST(Conditions, DoNotHoldWhenTheArenaIsFull) {
  const std::string half(400, 'a');
  const Fields fields = {{"x", half}, {"x", half}};
  for (const bool is_inverted : {false, true})
    EXPECT_FALSE(holds({Subject::field, is_inverted, "x", prefix(is_inverted ? "b" : "a")}, fields, {}, "GET", true));
}

TEST(Conditions, OfParametersTakeTheFirstAsItIsWritten) {
  EXPECT_TRUE(parameter_holds(any(), "p"));
  EXPECT_TRUE(parameter_holds(any(), "a=1&p="));
  EXPECT_FALSE(parameter_holds(any(), ""));
  EXPECT_FALSE(parameter_holds(any(), "pp=1&ap=2&P=3"));
  EXPECT_TRUE(parameter_holds(exact("1"), "p=1&p=2"));
  EXPECT_FALSE(parameter_holds(exact("2"), "p=1&p=2"));
  EXPECT_TRUE(parameter_holds(exact("a=b"), "p=a=b"));
  EXPECT_TRUE(parameter_holds(exact("%20"), "p=%20"));
  EXPECT_FALSE(parameter_holds(exact(" "), "p=%20"));
  EXPECT_TRUE(parameter_holds(exact(""), "p"));
  EXPECT_TRUE(parameter_holds(regex("[0-9]+"), "&&x&p=12"));
}

TEST(Conditions, OfSchemeMethodAndAuthority) {
  EXPECT_TRUE(holds({Subject::scheme, false, {}, exact("https")}, {}));
  EXPECT_FALSE(holds({Subject::scheme, false, {}, exact("http")}, {}));
  EXPECT_TRUE(holds({Subject::method, false, {}, regex("GET|POST")}, {}, {}, "POST"));
  EXPECT_FALSE(holds({Subject::method, false, {}, exact("GET")}, {}, {}, "get"));
  EXPECT_TRUE(holds({Subject::authority, false, {}, exact("a.example.com:8080")}, {}));
  EXPECT_FALSE(holds({Subject::authority, false, {}, exact("a.example.com")}, {}));
}

TEST(Conditions, MustAllHold) {
  Arena arena(1024);
  http::RequestHead head(arena);
  head.method = "GET";
  snapshot::RequestMatch match;
  EXPECT_TRUE(conditions_hold(match, head));
  match.conditions = {{Subject::method, false, {}, exact("GET")}, {Subject::scheme, false, {}, exact("https")}};
  EXPECT_FALSE(conditions_hold(match, head));
  head.is_https = true;
  EXPECT_TRUE(conditions_hold(match, head));
}

}  // namespace
}  // namespace sluice::route
