#include "http/head.h"

#include "base/limits.h"

#include <algorithm>
#include <cstring>

namespace sluice::http {

namespace {
constexpr uint32_t kFieldsAtFirst = 24;
}

bool HeaderList::add(std::string_view name, std::string_view value) noexcept {
  if (size_ == capacity_ && !grow()) return false;
  fields_[size_++] = {.name = name, .value = value};
  return true;
}

bool HeaderList::grow() noexcept {
  constexpr auto most = static_cast<uint32_t>(limits::header_list_count_max);
  if (capacity_ == most) return false;
  const uint32_t wanted = std::min(capacity_ == 0 ? kFieldsAtFirst : 2 * capacity_, most);
  auto* fields = arena_->allocate_array<HeaderField>(wanted);
  if (fields == nullptr) return false;
  if (size_ != 0) std::memcpy(fields, fields_, size_ * sizeof(HeaderField));
  fields_ = fields;
  capacity_ = wanted;
  return true;
}

bool HeaderList::set(std::string_view name, std::string_view value) noexcept {
  bool is_set = false;
  filter([&](HeaderField& field) {
    if (field.name != name) return true;
    if (is_set) return false;
    field.value = value;
    return is_set = true;
  });
  return is_set || add(name, value);
}

void HeaderList::remove(std::string_view name) noexcept {
  filter([name](const HeaderField& field) { return field.name != name; });
}

std::optional<std::string_view> HeaderList::find(std::string_view name) const noexcept {
  for (const HeaderField& field : *this) {
    if (field.name == name) return field.value;
  }
  return std::nullopt;
}

size_t HeaderList::count(std::string_view name) const noexcept {
  return static_cast<size_t>(
      std::ranges::count_if(*this, [name](const HeaderField& field) { return field.name == name; }));
}

}  // namespace sluice::http
