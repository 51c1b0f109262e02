#include "route/request_match.h"

#include "base/check.h"
#include "route/text_match.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace sluice::route {

namespace {

using snapshot::Condition;
using snapshot::TextMatch;

enum class Presence : uint8_t { absent, present, unknown };

struct FieldValue {
  Presence presence;  // unknown: the arena is full
  std::string_view value;
};

FieldValue field_value(const http::HeaderList& fields, std::string_view name) {
  const size_t count = fields.count(name);
  if (count == 0) return {Presence::absent, {}};
  if (count == 1) return {Presence::present, *fields.find(name)};
  size_t size = count - 1;
  for (const auto& field : fields) size += field.name == name ? field.value.size() : 0;
  auto* text = static_cast<char*>(fields.arena().allocate(size, 1));
  if (text == nullptr) return {Presence::unknown, {}};
  char* end = text;
  for (const auto& field : fields) {
    if (field.name != name) continue;
    end = std::ranges::copy(field.value, end).out;
    if (end != text + size) *end++ = ',';
  }
  return {Presence::present, {text, size}};
}

std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name)
      return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
  }
  return std::nullopt;
}

bool field_holds(const Condition& condition, const http::HeaderList& fields) {
  const auto [presence, value] = field_value(fields, condition.name);
  if (presence == Presence::unknown) return false;
  const bool is_present = presence == Presence::present;
  if (!condition.is_inverted) return is_present && fits(condition.text, value);
  if (condition.text.kind == TextMatch::Kind::any) return !is_present;
  return !fits(condition.text, value);
}

bool holds(const Condition& condition, const http::RequestHead& head) {
  switch (condition.subject) {
    case Condition::Subject::scheme: return fits(condition.text, head.is_https ? "https" : "http");
    case Condition::Subject::method: return fits(condition.text, head.method);
    case Condition::Subject::authority: return fits(condition.text, head.authority);
    case Condition::Subject::field: return field_holds(condition, head.headers);
    case Condition::Subject::query_parameter: {
      const std::optional<std::string_view> value = query_parameter(head.query, condition.name);
      return value && fits(condition.text, *value);
    }
  }
  UNREACHABLE();
}

}  // namespace

bool conditions_hold(const snapshot::RequestMatch& match, const http::RequestHead& head) {
  return std::ranges::all_of(match.conditions, [&](const Condition& condition) { return holds(condition, head); });
}

}  // namespace sluice::route
