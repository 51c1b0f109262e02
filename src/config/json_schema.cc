#include "config/json_schema.h"

#include "config/model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <utility>

namespace sluice::config {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view dialect = "https://json-schema.org/draft/2020-12/schema";
constexpr std::string_view not_supported = "not supported yet by this version of sluice";
// As parse_duration() reads it; a plain 0 is a number in YAML.
constexpr std::string_view duration_pattern = R"(^(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$)";

// Null is "not given", as in Kubernetes: where a field may be left out, it may be null.
Json or_null(Json schema) {
  if (const auto values = schema.find("enum"); values != schema.end()) values->push_back(nullptr);
  if (const auto type = schema.find("type"); type != schema.end()) {
    if (!type->is_array()) *type = Json::array({*type});
    type->push_back("null");
    return schema;
  }
  if (const auto alternatives = schema.find("anyOf"); alternatives != schema.end()) {
    alternatives->push_back({{"type", "null"}});
    return schema;
  }
  return {{"anyOf", Json::array({std::move(schema), {{"type", "null"}}})}};
}

Json integer(uint32_t min, uint32_t max) { return {{"type", "integer"}, {"minimum", min}, {"maximum", max}}; }

// "[Hh][Tt][Tt][Pp]": JSON Schema has no comparison regardless of case.
std::string in_any_case(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isalpha(letter) != 0) {
      pattern +=
          fmt::format("[{}{}]", static_cast<char>(std::toupper(letter)), static_cast<char>(std::tolower(letter)));
    } else {
      pattern += c;
    }
  }
  return pattern;
}

Json choice_schema(const FieldSchema& field) {
  std::vector<std::string_view> names;
  std::vector<std::string> patterns;
  for (const Choice& choice : field.choices) {
    if (choice.support == Support::planned || choice.support == Support::refused) continue;
    names.push_back(choice.name);
    patterns.push_back(in_any_case(choice.name));
  }
  if (!field.ignores_case) return {{"type", "string"}, {"enum", names}};
  // The enumeration is for editors, which offer it; the pattern is what fits.
  return {{"anyOf", Json::array({{{"type", "string"}, {"enum", names}},
                                 {{"type", "string"}, {"pattern", fmt::format("^({})$", fmt::join(patterns, "|"))}}})}};
}

// What is done anyway, as the text and as what YAML makes of it.
Json accepted_values(const FieldSchema& field) {
  Json values = Json::array();
  for (const std::string_view text : field.accepted) {
    values.push_back(text);
    if (text == "true" || text == "false") values.push_back(text == "true");
  }
  return values;
}

// Nothing fits but what asks for nothing: null, an empty list, and what is done anyway.
Json planned_schema(const FieldSchema& field) {
  const Json accepted = accepted_values(field);
  Json fitting = Json::array({{{"type", "null"}}});
  if (accepted.empty()) {
    fitting.push_back({{"type", "array"}, {"maxItems", 0}});
  } else {
    fitting.push_back({{"enum", accepted}});
    fitting.push_back({{"type", "array"}, {"items", {{"enum", accepted}}}});
  }
  return {{"description", fmt::format("{}: {}", not_supported, field.doc)},
          {"deprecated", true},
          {"anyOf", std::move(fitting)}};
}

std::string description_of(const FieldSchema& field) {
  if (field.support == Support::no_effect) return fmt::format("accepted, without effect: {}", field.doc);
  std::vector<std::string_view> later;
  for (const Choice& choice : field.choices) {
    if (choice.support == Support::planned) later.push_back(choice.name);
  }
  if (later.empty()) return std::string(field.doc);
  return fmt::format("{} ({}: {})", field.doc, not_supported, fmt::join(later, ", "));
}

class JsonSchemaWriter {
 public:
  Json of_kind(const KindSchema& kind);
  Json of_object(const ObjectSchema& object) { return {{"$ref", reference(object)}}; }
  Json of_any_document();
  [[nodiscard]] Json take_definitions() { return std::move(definitions_); }

 private:
  Json object_schema(const ObjectSchema& object);
  Json property(const FieldSchema& field);
  Json value(const FieldSchema& field);
  std::string reference(const ObjectSchema& object);

  Json definitions_ = Json::object();
  std::map<const ObjectSchema*, std::string> names_;
  std::set<std::string> taken_;  // of names_: two groups have a ServicePort each
};

std::string JsonSchemaWriter::reference(const ObjectSchema& object) {
  const auto [name, is_new] = names_.try_emplace(&object, object.name);
  if (is_new) {
    for (int number = 2; !taken_.insert(name->second).second; ++number)
      name->second = fmt::format("{}-{}", object.name, number);
    const std::string key = name->second;
    definitions_[key] = nullptr;  // its place: an object may refer to itself
    definitions_[key] = object_schema(object);
  }
  return "#/$defs/" + name->second;
}

Json JsonSchemaWriter::object_schema(const ObjectSchema& object) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const FieldSchema& field : object.fields) {
    properties[std::string(field.name)] = property(field);
    if (field.is_required) required.push_back(field.name);
  }
  Json schema = {{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

Json JsonSchemaWriter::property(const FieldSchema& field) {
  if (field.support == Support::planned) return planned_schema(field);
  Json schema = {{"description", description_of(field)}};
  if (field.support == Support::no_effect) return schema;
  Json of_field = value(field);
  if (field.shape == FieldSchema::Shape::list) of_field = {{"type", "array"}, {"items", std::move(of_field)}};
  if (field.shape == FieldSchema::Shape::map) {
    // A null in a map of texts is an empty one.
    if (field.type == "string") of_field = or_null(std::move(of_field));
    of_field = {{"type", "object"}, {"additionalProperties", std::move(of_field)}};
  }
  schema.update(field.is_required ? of_field : or_null(std::move(of_field)));
  return schema;
}

Json JsonSchemaWriter::value(const FieldSchema& field) {
  if (field.object != nullptr) return of_object(*field.object);
  if (!field.choices.empty()) return choice_schema(field);
  if (field.type == "integer") return integer(field.min, field.max);
  if (field.type == "percentage") return {{"type", "number"}, {"minimum", 0}, {"maximum", 100}};
  if (field.type == "boolean") return {{"type", "boolean"}};
  if (field.type == "duration")
    return {{"anyOf", Json::array({{{"type", "string"}, {"pattern", duration_pattern}}, {{"const", 0}}})}};
  if (field.type == "integer or string") return {{"anyOf", Json::array({integer(1, 65535), {{"type", "string"}}})}};
  return {{"type", "string"}};
}

// What a document says of itself has no effect, and must be this.
Json JsonSchemaWriter::of_kind(const KindSchema& kind) {
  Json versions = Json::array();
  for (const std::string_view version : kind.versions) {
    versions.push_back(kind.group.empty() ? std::string(version) : fmt::format("{}/{}", kind.group, version));
  }
  Json schema = of_object(*kind.object);
  Json& definition = definitions_[names_.at(kind.object)];
  definition["properties"]["apiVersion"] = {{"enum", std::move(versions)}};
  definition["properties"]["kind"] = {{"const", kind.kind}};
  definition["required"].insert(definition["required"].begin(), {"apiVersion", "kind"});
  definition["description"] = kind.doc;
  return schema;
}

// Documents of kinds that are not known fit. "if" and "then", not "oneOf": an editor then complains of the field that
// is wrong, and not that none of the kinds fits.
Json JsonSchemaWriter::of_any_document() {
  Json conditions = Json::array();
  for (const KindSchema& kind : all_kinds()) {
    const std::string group = kind.group.empty() ? "^[^/]*$" : fmt::format("^{}/", kind.group);
    const Json condition = {{"properties", {{"apiVersion", {{"pattern", group}}}, {"kind", {{"const", kind.kind}}}}},
                            {"required", {"apiVersion", "kind"}}};
    if (kind.support == Support::built) {
      conditions.push_back({{"if", condition}, {"then", of_kind(kind)}});
    } else if (is_refused(kind)) {
      conditions.push_back(
          {{"if", condition},
           {"then", {{"description", fmt::format("{}: {}", not_supported, kind.doc)}, {"not", Json::object()}}}});
    }
  }
  conditions.push_back(
      {{"if", {{"properties", {{"kind", {{"pattern", "List$"}}}}}, {"required", {"kind", "items"}}}},
       {"then",
        {{"properties", {{"items", {{"type", {"array", "null"}}, {"items", {{"$ref", "#/$defs/Document"}}}}}}}}}});
  return {{"type", "object"},
          {"properties",
           {{"apiVersion", {{"type", "string"}, {"minLength", 1}}}, {"kind", {{"type", "string"}, {"minLength", 1}}}}},
          {"required", {"apiVersion", "kind"}},
          {"allOf", std::move(conditions)}};
}

}  // namespace

std::vector<std::string_view> kinds_with_json_schema() {
  std::vector<std::string_view> kinds;
  for (const KindSchema& kind : all_kinds()) {
    if (kind.support == Support::built) kinds.push_back(kind.kind);
  }
  kinds.push_back(MeshConfig::schema.name);
  return kinds;
}

std::string json_schema(std::string_view kind) {
  JsonSchemaWriter writer;
  Json schema = {{"$schema", dialect},
                 {"title", fmt::format("{} of sluice {}", kind.empty() ? "documents" : kind, SLUICE_VERSION)}};
  Json definitions = Json::object();
  const auto found = std::ranges::find_if(
      all_kinds(), [&](const KindSchema& some) { return some.kind == kind && some.support == Support::built; });
  if (kind.empty()) {
    definitions["Document"] = writer.of_any_document();
    schema["$ref"] = "#/$defs/Document";
  } else {
    schema.update(found == all_kinds().end() ? writer.of_object(MeshConfig::schema) : writer.of_kind(*found));
  }
  definitions.update(writer.take_definitions());
  schema["$defs"] = std::move(definitions);
  return schema.dump(2) + "\n";
}

}  // namespace sluice::config
