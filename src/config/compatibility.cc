#include "config/compatibility.h"

#include "config/model.h"
#include "config/schema.h"
#include "config/wording.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <string_view>
#include <vector>

namespace sluice::config {

namespace {

constexpr std::string_view head = R"(# What becomes of every field

<!-- Made by `sluice check --print-compatibility` from the tables that documents are read with. Do not edit. -->

Every kind that sluice knows, and every field of those that it reads:

- **supported**: read, and acted on.
- no effect: a part of the API with nothing to do for a gateway; accepted, whatever it holds.
- **refused**: a part of the API that this version does not have. `sluice check` says so and where, and `sluice run`
  does not start with it: it is never ignored. Null and empty lists are accepted everywhere: they ask for nothing.

A field that is not here is an error; `apiVersion` and `kind` are in every document. `[]` is any item of a list, `{}`
any key of a map. The same as JSON Schema, for editors: `sluice check --print-schema`.
)";

// The text of a cell: a '|' would end it, a '*' makes it bold.
std::string cell(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '|' || c == '*') result += '\\';
    result += c;
  }
  return result;
}

std::string code(std::string_view text) { return fmt::format("`{}`", text); }

std::string codes(const std::vector<std::string_view>& texts) {
  std::vector<std::string> result;
  for (const std::string_view text : texts) result.push_back(code(text));
  return fmt::format("{}", fmt::join(result, ", "));
}

std::string_view support_of(const FieldSchema& field) noexcept {
  switch (field.support) {
    case Support::built: return field.is_required ? "**supported**, required" : "**supported**";
    case Support::no_effect: return "no effect";
    case Support::planned:
    case Support::refused: return "**refused**";
  }
  return "";
}

std::string choices_of(const FieldSchema& field) {
  std::vector<std::string_view> taken;
  std::vector<std::string_view> refused;
  for (const Choice& choice : field.choices) {
    (choice.support == Support::built || choice.support == Support::no_effect ? taken : refused).push_back(choice.name);
  }
  std::string text = codes(taken);
  if (field.ignores_case) text += " in any case";
  if (!refused.empty()) text += fmt::format("; refused: {}", codes(refused));
  return text;
}

std::string values_of(const FieldSchema& field) {
  if (field.support == Support::planned && !field.accepted.empty())
    return fmt::format("only {}, which is done anyway", codes({field.accepted.begin(), field.accepted.end()}));
  if (field.support != Support::built) return "";
  if (!field.choices.empty()) return choices_of(field);
  if (field.type == "duration") return "duration: `1h30m`, `10s`, `0.5s`";
  if (field.type == "percentage") return "number from 0 to 100";
  if (field.type == "integer or string") return "port number or name";
  if (field.type != "integer") return std::string(field.type);
  const bool is_bounded = field.max < static_cast<uint32_t>(std::numeric_limits<int32_t>::max());
  return is_bounded ? fmt::format("integer, {} to {}", field.min, field.max)
                    : fmt::format("integer from {}", field.min);
}

std::string_view suffix_of(FieldSchema::Shape shape) noexcept {
  switch (shape) {
    case FieldSchema::Shape::single: return "";
    case FieldSchema::Shape::list: return "[]";
    case FieldSchema::Shape::map: return "{}";
  }
  return "";
}

// What says which kind it is: the same everywhere.
bool is_identity(const FieldSchema& field) noexcept { return field.name == "apiVersion" || field.name == "kind"; }

constexpr std::string_view table_head = "\n| field | support | values | what it is |\n|---|---|---|---|\n";

void write_fields(std::string& out, const std::string& prefix, const ObjectSchema& object) {
  for (const FieldSchema& field : object.fields) {
    if (prefix.empty() && is_identity(field)) continue;
    const std::string path = fmt::format("{}{}{}", prefix, field.name, suffix_of(field.shape));
    // Metadata is the same everywhere and has a section of its own.
    const bool is_metadata = field.object == &Metadata::schema;
    out += fmt::format("| {} | {} | {} | {} |\n", code(path), support_of(field),
                       is_metadata ? "see below" : values_of(field), cell(field.doc));
    if (field.object != nullptr && !is_metadata) write_fields(out, path + ".", *field.object);
  }
}

void write_kinds(std::string& out) {
  out += "\n## Kinds\n\n| kind | versions | support | what it is |\n|---|---|---|---|\n";
  for (const KindSchema& kind : all_kinds()) {
    std::string support = fmt::format("[supported](#{})", to_lower(kind.kind));
    if (kind.support != Support::built) support = is_refused(kind) ? "**refused**" : "no effect yet, and a warning";
    out += fmt::format("| {} | {} {} | {} | {} |\n", code(kind.kind), kind.group.empty() ? "core" : kind.group,
                       fmt::join(kind.versions, ", "), support, cell(kind.doc));
  }
  out += "\nOther kinds are ignored, with a line that says so.\n";
}

}  // namespace

std::string compatibility_document() {
  std::string out(head);
  write_kinds(out);
  for (const KindSchema& kind : all_kinds()) {
    if (kind.support != Support::built) continue;
    out += fmt::format("\n## {}\n\n{}: {}.\n{}", kind.kind, kind.group.empty() ? "Core group" : kind.group, kind.doc,
                       table_head);
    write_fields(out, "", *kind.object);
  }
  out += fmt::format("\n## metadata\n\nOf every document.\n{}", table_head);
  write_fields(out, "metadata.", Metadata::schema);
  out += fmt::format("\n## MeshConfig\n\nThe text of the key `mesh` of the ConfigMap `istio-system/istio`.\n{}",
                     table_head);
  write_fields(out, "", MeshConfig::schema);
  return out;
}

}  // namespace sluice::config
