// Rules that every line of the tables keeps, so that what comes from them (errors, hints, documentation)
// is complete.
#include "config/schema.h"

#include "config/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace sluice::config {
namespace {

void check_object(const ObjectSchema& schema, std::set<const ObjectSchema*>& seen);

void check_field(const ObjectSchema& schema, const FieldSchema& field, std::set<const ObjectSchema*>& seen) {
  SCOPED_TRACE(std::string(schema.name) + "." + std::string(field.name));
  EXPECT_FALSE(field.name.empty());
  EXPECT_FALSE(field.doc.empty());
  EXPECT_FALSE(field.doc.ends_with('.')) << "doc lines stand inside of messages";
  EXPECT_EQ(field.support == Support::built, field.read != nullptr);
  EXPECT_EQ(field.support == Support::built, !field.type.empty());
  EXPECT_EQ(field.type == "object", field.object != nullptr);
  if (!field.choices.empty()) {
    EXPECT_EQ(field.type, "string");
  }
  EXPECT_LE(field.min, field.max);
  if (field.object != nullptr) check_object(*field.object, seen);
}

void check_object(const ObjectSchema& schema, std::set<const ObjectSchema*>& seen) {
  if (!seen.insert(&schema).second) return;
  EXPECT_FALSE(schema.name.empty());
  std::set<std::string_view> names;
  for (const FieldSchema& field : schema.fields) {
    EXPECT_TRUE(names.insert(field.name).second) << schema.name << " has " << field.name << " twice";
    check_field(schema, field, seen);
  }
}

TEST(Rare, ReadsAsEmptyWhereItIsNotGiven) {
  Rare<Redirect> redirect;
  EXPECT_EQ(redirect.get(), nullptr);
  EXPECT_EQ(redirect->node, nullptr);
  redirect.emplace().port.value = 80;
  Rare<Redirect> copy = redirect;
  redirect.get()->port.value = 81;
  EXPECT_EQ(copy->port.value, 80U);
  copy = redirect;
  EXPECT_EQ(copy->port.value, 81U);
  copy = Rare<Redirect>();
  EXPECT_EQ(copy->port.value, 0U);
}

TEST(Schema, EveryFieldHasADocLineATypeAndOneName) {
  std::set<const ObjectSchema*> seen;
  for (const KindSchema& kind : all_kinds()) {
    SCOPED_TRACE(kind.kind);
    EXPECT_FALSE(kind.doc.empty());
    EXPECT_FALSE(kind.versions.empty());
    EXPECT_EQ(kind.support == Support::built, kind.read != nullptr);
    EXPECT_EQ(kind.support == Support::built, kind.object != nullptr);
    if (kind.object != nullptr) check_object(*kind.object, seen);
  }
  check_object(MeshConfig::schema, seen);
  EXPECT_GE(seen.size(), 20u) << "the walk reaches nested objects";
}

TEST(Schema, EveryBuiltKindHasWhatADocumentHas) {
  for (const KindSchema& kind : all_kinds()) {
    if (kind.object == nullptr) continue;
    for (const std::string_view name : {"apiVersion", "kind", "metadata"}) {
      EXPECT_NE(std::ranges::find(kind.object->fields, name, &FieldSchema::name), kind.object->fields.end())
          << kind.kind << " " << name;
    }
  }
}

TEST(Schema, DescribesShapesForDocumentation) {
  const auto field = [](const ObjectSchema& schema, std::string_view name) {
    return *std::ranges::find(schema.fields, name, &FieldSchema::name);
  };
  EXPECT_EQ(field(GatewaySpec::schema, "servers").shape, FieldSchema::Shape::list);
  EXPECT_EQ(field(GatewaySpec::schema, "servers").object, &Server::schema);
  EXPECT_EQ(field(GatewaySpec::schema, "selector").shape, FieldSchema::Shape::map);
  EXPECT_EQ(field(ServerTls::schema, "cipherSuites").type, "string");
  EXPECT_EQ(field(Port::schema, "number").max, 65535u);
}

}  // namespace
}  // namespace sluice::config
