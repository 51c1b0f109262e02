#include "config/schema.h"

#include "config/duration.h"
#include "config/field_path.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace sluice::config {

namespace {

bool is_true(std::string_view text) noexcept {
  return equals_ignoring_case(text, "true") || equals_ignoring_case(text, "yes") || equals_ignoring_case(text, "on");
}

bool is_false(std::string_view text) noexcept {
  return equals_ignoring_case(text, "false") || equals_ignoring_case(text, "no") || equals_ignoring_case(text, "off");
}

// Whether a plain scalar means a number in YAML: decimal, hexadecimal, octal or floating point.
bool is_number(std::string_view text) noexcept {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || (text.front() != '.' && (text.front() < '0' || text.front() > '9'))) return false;
  if (text.starts_with("0x") || text.starts_with("0o")) {
    uint64_t number = 0;
    const char* end = text.data() + text.size();
    return std::from_chars(text.data() + 2, end, number, text[1] == 'x' ? 16 : 8).ptr == end && text.size() > 2;
  }
  double number = 0;
  const char* end = text.data() + text.size();
  return std::from_chars(text.data(), end, number).ptr == end;
}

bool has_control_character(std::string_view text) noexcept {
  return std::ranges::any_of(text, [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; });
}

std::string_view what_it_is(const Node& node) {
  if (node.kind == Node::Kind::list) return "a list";
  if (node.kind == Node::Kind::mapping) return "an object";
  return "a text";
}

// "not a list", "not \"abc\""
std::string not_this(const Node& node) {
  return node.kind == Node::Kind::scalar ? "not " + in_quotes(node.text) : fmt::format("not {}", what_it_is(node));
}

// A value of a planned field that changes nothing.
bool is_accepted(const Node& value, const FieldSchema& field) {
  if (value.kind == Node::Kind::list)
    return std::ranges::all_of(value.items, [&](const Node& item) { return is_accepted(item, field); });
  return value.kind == Node::Kind::scalar &&
         std::ranges::find(field.accepted, std::string_view(value.text)) != field.accepted.end();
}

std::vector<std::string_view> names_of(std::span<const FieldSchema> fields) {
  std::vector<std::string_view> names;
  for (const FieldSchema& field : fields) names.push_back(field.name);
  return names;
}

}  // namespace

bool is_refused(const KindSchema& kind) noexcept {
  return kind.support == Support::planned &&
         (kind.group == "security.istio.io" || kind.group == "gateway.kyma-project.io");
}

std::span<const KindSchema> all_kinds() noexcept {
  static const std::vector<KindSchema> kinds = [] {
    std::vector<KindSchema> all;
    for (const auto& some : {istio_kinds(), kubernetes_kinds(), kyma_kinds(), gardener_kinds()})
      all.insert(all.end(), some.begin(), some.end());
    return all;
  }();
  return kinds;
}

std::string Reader::path() const {
  std::string result;
  for (const Step& step : path_) {
    if (step.name.empty()) {
      result += fmt::format("[{}]", step.index);
    } else {
      result += (result.empty() ? "" : ".") + std::string(step.name);
    }
  }
  return result;
}

void Reader::error(const Node& node, std::string_view message, std::string hint) {
  std::string where = path();
  std::string text = where.empty() ? std::string(message) : fmt::format("{}: {}", where, message);
  diagnostics_.error(node.place(), std::move(text), std::move(hint), std::move(where));
}

void Reader::read_object(const Node& node, void* object, const ObjectSchema& schema) {
  if (node.kind != Node::Kind::mapping)
    return error(node, fmt::format("must be an object ({}), {}", schema.name, not_this(node)));
  for (size_t i = 0; i < node.keys.size(); ++i) read_field(node, i, object, schema);
  for (const FieldSchema& field : schema.fields) {
    if (field.is_required && !node.has(field.name))
      error(node, fmt::format("the field {} is missing", in_quotes(field.name)));
  }
}

void Reader::read_field(const Node& node, size_t index, void* object, const ObjectSchema& schema) {
  const std::string_view key = node.keys[index].text;
  const Node& value = node.items[index];
  const auto field = std::ranges::find(schema.fields, std::string_view(key), &FieldSchema::name);
  if (field == schema.fields.end()) {
    const std::string where = path();
    std::string unknown = where;
    append_key(unknown, key);
    diagnostics_.error(node.place_of_key(index),
                       fmt::format("unknown field {} in {}", in_quotes(key), where.empty() ? schema.name : where),
                       hint(key, names_of(schema.fields)), std::move(unknown));
    return;
  }
  if (value.is_null()) return;  // as in Kubernetes: not given
  enter(field->name);
  if (field->support == Support::planned && !is_accepted(value, *field)) {
    diagnostics_.error(node.place_of_key(index),
                       fmt::format("{} is not supported yet by this version of sluice ({})", path(), field->doc), {},
                       path());
  }
  if (field->support == Support::built) field->read(*this, value, object, *field);
  leave();
}

void Reader::read_text(const Node& node, Text& value, const FieldSchema& field) {
  if (node.kind != Node::Kind::scalar) return error(node, fmt::format("must be a text, {}", not_this(node)));
  if (node.is_plain && (is_true(node.text) || is_false(node.text) || is_number(node.text) || node.is_null())) {
    return error(node, fmt::format("must be a text: write it in quotes, {}", in_quotes(node.text)));
  }
  if (!field.is_content && has_control_character(node.text))
    return error(node, fmt::format("{} has a control character", in_quotes(node.text)));
  value = {node.text, &node};
  if (!field.choices.empty()) check_choice(node, field);
}

void Reader::check_choice(const Node& node, const FieldSchema& field) {
  const auto is_this = [&](const Choice& choice) {
    return field.ignores_case ? equals_ignoring_case(choice.name, node.text) : node.text == choice.name;
  };
  const auto chosen = std::ranges::find_if(field.choices, is_this);
  if (chosen != field.choices.end()) {
    if (chosen->support != Support::planned) return;
    return error(node, fmt::format("{} is not supported yet by this version of sluice", in_quotes(node.text)));
  }
  std::vector<std::string_view> names;
  for (const Choice& choice : field.choices) names.push_back(choice.name);
  std::string meant = hint(node.text, names);
  const std::string known = meant.empty() ? fmt::format("; known are {}", quoted_list(names)) : "";
  error(node, fmt::format("unknown value {}{}", in_quotes(node.text), known), std::move(meant));
}

void Reader::read_number(const Node& node, Number& value, const FieldSchema& field) {
  uint32_t number = 0;
  const std::string_view text = node.text;
  const char* end = text.data() + text.size();
  const auto [parsed_to, failed] = std::from_chars(text.data(), end, number);
  const bool is_written_as_number = node.kind == Node::Kind::scalar && node.is_plain;
  if (!is_written_as_number || failed != std::errc{} || parsed_to != end || number < field.min || number > field.max) {
    const bool is_quoted = node.kind == Node::Kind::scalar && !node.is_plain;
    return error(node, fmt::format("must be a whole number from {} to {}, {}{}", field.min, field.max,
                                   is_quoted ? "without quotes, " : "", not_this(node)));
  }
  value = {number, &node};
}

void Reader::read_flag(const Node& node, Flag& value) {
  const bool may_be = node.kind == Node::Kind::scalar && node.is_plain;
  if (!may_be || (!is_true(node.text) && !is_false(node.text))) {
    return error(node, fmt::format("must be true or false, {}", not_this(node)));
  }
  value = {is_true(node.text), &node};
}

void Reader::read_percentage(const Node& node, Percentage& value) {
  double percent = -1;
  const std::string_view text = node.text;
  const char* end = text.data() + text.size();
  const bool is_read =
      node.kind == Node::Kind::scalar && node.is_plain && std::from_chars(text.data(), end, percent).ptr == end;
  if (!is_read || !(percent >= 0 && percent <= 100))
    return error(node, fmt::format("must be a number from 0 to 100, {}", not_this(node)));
  value = {static_cast<uint32_t>(std::lround(percent * 10'000)), &node};
}

void Reader::read_time_span(const Node& node, TimeSpan& value) {
  const std::optional<Duration> duration =
      node.kind == Node::Kind::scalar ? parse_duration(node.text) : std::optional<Duration>();
  if (!duration) return error(node, fmt::format("must be a duration such as 1h30m, 10s or 0.5s, {}", not_this(node)));
  // Whoever writes more means "for ever"; a time of today and so much is a time still.
  constexpr Duration longest = std::chrono::hours(100 * 365 * 24);
  value = {std::min(*duration, longest), &node};
}

void Reader::read_port_reference(const Node& node, PortReference& value) {
  if (node.kind == Node::Kind::scalar && !node.is_plain) {
    value = {0, node.text, &node};
    return;
  }
  Number number;
  if (node.kind == Node::Kind::scalar && !is_number(node.text)) {
    value = {0, node.text, &node};
    return;
  }
  read_number(node, number, {.min = 1, .max = 65535});
  value = {number.value, {}, number.node};
}

// Values are not shown: those of a Secret are secret.
void Reader::read_text_map(const Node& node, TextMap& value) {
  if (node.kind != Node::Kind::mapping) return error(node, fmt::format("must be an object, not {}", what_it_is(node)));
  value.reserve(node.keys.size());
  for (size_t i = 0; i < node.keys.size(); ++i) {
    const Node& item = node.items[i];
    const std::string_view key = node.keys[i].text;
    if (item.kind != Node::Kind::scalar) {
      error(item, fmt::format("the value of {} must be a text, not {}", in_quotes(key), what_it_is(item)));
    } else if (item.is_plain && (is_true(item.text) || is_false(item.text) || is_number(item.text))) {
      error(item, fmt::format("the value of {} must be a text: write it in quotes", in_quotes(key)));
    } else {
      value.emplace_back(key, Text{item.text, &item});
    }
  }
}

void Reader::read_number_map(const Node& node, NumberMap& value, const FieldSchema& field) {
  if (!check_mapping(node)) return;
  for (size_t i = 0; i < node.keys.size(); ++i) {
    read_number(node.items[i], value.emplace_back(node.keys[i].text.view(), Number{}).second, field);
  }
}

bool Reader::check_mapping(const Node& node) {
  if (node.kind == Node::Kind::mapping) return true;
  error(node, fmt::format("must be an object, {}", not_this(node)));
  return false;
}

bool Reader::check_list(const Node& node) {
  if (node.kind == Node::Kind::list) return true;
  error(node, fmt::format("must be a list, {}", not_this(node)));
  return false;
}

}  // namespace sluice::config
