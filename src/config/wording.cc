#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice::config {

namespace {

constexpr size_t quoted_bytes_max = 96;
constexpr size_t name_bytes_max = 40;  // longer than any name of a field

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_utf8_continuation(char c) noexcept { return (static_cast<uint8_t>(c) & 0xc0) == 0x80; }

// "credential_name" and "credentialname" are both meant as "credentialName".
std::string folded(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (c != '_' && c != '-') result.push_back(lower(c));
  }
  return result;
}

// Edits (insert, delete, replace, swap of neighbours) between two short texts.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::array<size_t, name_bytes_max + 1>, name_bytes_max + 1> distance{};
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        distance[i][j] = i + j;
        continue;
      }
      const size_t replaced = distance[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      distance[i][j] = std::min({replaced, distance[i - 1][j] + 1, distance[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        distance[i][j] = std::min(distance[i][j], distance[i - 2][j - 2] + 1);
      }
    }
  }
  return distance[a.size()][b.size()];
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  const bool is_cut = text.size() > quoted_bytes_max;
  if (is_cut) {
    size_t size = quoted_bytes_max;
    while (size > 0 && is_utf8_continuation(text[size])) --size;
    text = text.substr(0, size);
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t byte = static_cast<uint8_t>(text[i]);
    // C1 control characters (U+0080 to U+009F) are 0xc2 0x80 to 0xc2 0x9f in UTF-8.
    const bool is_c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) < 0xa0;
    if (is_c1) {
      result += fmt::format("\\x{:02x}", static_cast<uint8_t>(text[++i]));
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      if (byte == '"' || byte == '\\') result.push_back('\\');
      result.push_back(text[i]);
    }
  }
  return result + (is_cut ? "…\"" : "\"");
}

std::string counted(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string quoted_list(std::span<const std::string_view> texts) {
  std::string result;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) result += i + 1 == texts.size() ? " and " : ", ";
    result += in_quotes(texts[i]);
  }
  return result;
}

std::optional<std::string_view> nearest_name(std::string_view name, std::span<const std::string_view> candidates) {
  if (name.empty() || name.size() > name_bytes_max) return std::nullopt;
  const std::string wanted = folded(name);
  std::optional<std::string_view> best;
  size_t best_distance = std::max<size_t>(1, name.size() / 3) + 1;  // more edits than that: another word
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > name_bytes_max) continue;
    const size_t distance = edit_distance(wanted, folded(candidate));
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string hint(std::string_view name, std::span<const std::string_view> candidates) {
  const std::optional<std::string_view> nearest = nearest_name(name, candidates);
  return nearest ? fmt::format("did you mean {}?", in_quotes(*nearest)) : "";
}

std::string to_lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), lower);
  return result;
}

std::string to_upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; });
  return result;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace sluice::config
