#include "base/name_lookup.h"

#include <algorithm>
#include <utility>

namespace sluice {

namespace {

// RFC 1035 2.3.4.
constexpr size_t kNameBytesMax = 253;
constexpr size_t kLabelBytesMax = 63;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_label_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

// What inet_aton(3) takes for a number, and what only looks like one of those.
bool looks_numeric(std::string_view label) {
  return std::ranges::all_of(label, is_digit) || label.starts_with("0x") || label.starts_with("0X");
}

}  // namespace

bool is_lookup_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kNameBytesMax) return false;
  while (true) {
    const size_t dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    if (label.empty() || label.size() > kLabelBytesMax || !std::ranges::all_of(label, is_label_character)) return false;
    if (dot == std::string_view::npos) return !looks_numeric(label);
    name.remove_prefix(dot + 1);
  }
}

void NameAnswers::put(NameAnswer answer) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  answers_.push_back(std::move(answer));
  if (answers_.size() == 1) on_wake_(owner_);
}

std::vector<NameAnswer> NameAnswers::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

void NameAnswers::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  answers_.clear();
}

}  // namespace sluice
