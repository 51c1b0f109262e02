// What texts of people and peers need before they are looked at.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice {

// Without the characters of `space` at both ends; a part of `text`.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text, std::string_view space = " \t\r\n") noexcept {
  const size_t first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

}  // namespace sluice
