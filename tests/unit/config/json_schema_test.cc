// What the schema says of documents is tested with a validator: tests/integration/test_print_schema.py.
#include "config/json_schema.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>

namespace sluice::config {
namespace {

using Json = nlohmann::json;

void check_references(const Json& schema, const Json& part, size_t& count) {
  if (part.is_object() && part.contains("$ref") && part["$ref"].is_string()) {
    const std::string reference = part["$ref"];
    ASSERT_TRUE(reference.starts_with("#/")) << reference;
    EXPECT_TRUE(schema.contains(Json::json_pointer(reference.substr(1)))) << reference;
    ++count;
  }
  if (part.is_structured()) {
    for (const Json& item : part) check_references(schema, item, count);
  }
}

TEST(JsonSchema, IsThereForEachKindThatIsRead) {
  const std::vector<std::string_view> kinds = kinds_with_json_schema();
  for (const std::string_view kind : {"Gateway", "Secret", "MeshConfig"})
    EXPECT_NE(std::ranges::find(kinds, kind), kinds.end()) << kind;
  EXPECT_EQ(std::ranges::find(kinds, "EnvoyFilter"), kinds.end());
}

TEST(JsonSchema, RefersOnlyToWhatItDefines) {
  std::vector<std::string_view> kinds = kinds_with_json_schema();
  kinds.emplace_back();  // all of them
  for (const std::string_view kind : kinds) {
    SCOPED_TRACE(kind);
    const std::string text = json_schema(kind);
    EXPECT_TRUE(text.ends_with("}\n"));
    const Json schema = Json::parse(text);
    EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    size_t count = 0;
    check_references(schema, schema, count);
    EXPECT_GT(count, 0u);
  }
}

// ServiceEntry and Service have an object of this name each.
TEST(JsonSchema, KeepsObjectsOfOneNameApart) {
  const Json definitions = Json::parse(json_schema(""))["$defs"];
  EXPECT_TRUE(definitions["ServicePort"]["properties"].contains("number"));
  EXPECT_TRUE(definitions["ServicePort-2"]["properties"].contains("port"));
}

}  // namespace
}  // namespace sluice::config
