#include "proxy/header_operations.h"

#include "base/limits.h"
#include "http/chars.h"
#include "observe/format_value.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

namespace sluice::proxy {

namespace {

using http::char_class::value;
using observe::FormatValue;

// The part's text, in the arena where it has to be changed; .data() is nullptr when that is full.
std::string_view as_field_value(std::string_view text, Arena& arena) noexcept {
  if (http::consists_of(text, value)) return text;
  auto* copy = static_cast<char*>(arena.allocate(text.size(), 1));
  if (copy == nullptr) return {};
  std::ranges::replace_copy_if(text, copy, [](char c) { return (http::classes_of(c) & value) == 0; }, '_');
  return {copy, text.size()};
}

// Nothing when it does not fit.
std::optional<std::string_view> evaluate(const snapshot::Format& format, const observe::RequestRecord& record,
                                         Arena& arena) noexcept {
  if (format.parts.empty()) return std::string_view{};
  // A literal is where it has to be already.
  if (format.parts.size() == 1 && format.parts.front().op == snapshot::Operator::literal)
    return http::trim(format.parts.front().text);
  std::array<char, observe::format_room_bytes> room;
  std::string_view whole;
  for (const snapshot::FormatPart& part : format.parts) {
    const std::string_view text = observe::value_of(part, record, room).text;
    if (text.empty()) continue;
    if (whole.size() + text.size() > limits::generated_value_bytes_max) return std::nullopt;
    const std::string_view clean = as_field_value(text, arena);
    if (clean.data() != nullptr) whole = arena.append(whole, clean);
    if (clean.data() == nullptr || whole.data() == nullptr) return std::nullopt;
  }
  return http::trim(whole);
}

// The fields that the operations come to, at `at`; its end, or nullptr: one does not fit.
http::HeaderField* evaluate(const std::vector<snapshot::FieldOperation>& operations,
                            const observe::RequestRecord& record, Arena& arena, http::HeaderField* at) noexcept {
  for (const snapshot::FieldOperation& operation : operations) {
    const auto text = evaluate(operation.value, record, arena);
    if (!text) return nullptr;
    *at++ = {.name = operation.name, .value = *text};
  }
  return at;
}

}  // namespace

bool apply_operations(const snapshot::FieldOperations& operations, http::HeaderList& fields,
                      const observe::RequestRecord& record) noexcept {
  for (const std::string& name : operations.remove) fields.remove(name);
  auto* const set = fields.arena().allocate_array<http::HeaderField>(operations.set.size() + operations.add.size());
  if (set == nullptr) return false;
  auto* const add = evaluate(operations.set, record, fields.arena(), set);
  auto* const end = add == nullptr ? nullptr : evaluate(operations.add, record, fields.arena(), add);
  if (end == nullptr) return false;
  for (const http::HeaderField* field = set; field != add; ++field) {
    // Envoy leaves the field as it was. Here a client that shows no certificate would choose its own name.
    if (field->value.empty()) {
      fields.remove(field->name);
    } else if (!fields.set(field->name, field->value)) {
      return false;
    }
  }
  return std::all_of(add, end, [&fields](const http::HeaderField& field) {
    return field.value.empty() || fields.add(field.name, field.value);
  });
}

}  // namespace sluice::proxy
