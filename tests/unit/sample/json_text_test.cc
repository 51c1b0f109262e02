#include "sample/json_text.h"

#include <gtest/gtest.h>

namespace sluice::sample {
namespace {

TEST(JsonText, EscapesWhatJsonRequires) {
  EXPECT_EQ(json_string(""), "\"\"");
  EXPECT_EQ(json_string("a\"b\\c\n\x01\x7f\xe4"), "\"a\\\"b\\\\c\\u000a\\u0001\\u007f\\u00e4\"");
}

TEST(JsonText, PutsOneMemberOnALine) {
  EXPECT_EQ(json_object({}), "{}");
  EXPECT_EQ(json_object({{"a", "1"}, {"b", "\"x\""}}), "{\n  \"a\": 1,\n  \"b\": \"x\"\n}");
  EXPECT_EQ(json_object({{"a", "1"}}, 2), "{\n    \"a\": 1\n  }");
}

}  // namespace
}  // namespace sluice::sample
