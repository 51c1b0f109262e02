// Classes of characters of RFC 9110 5.6.2 and RFC 3986 2, and the few text operations on them. ASCII
// only, no locale.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sluice::http {

namespace char_class {
inline constexpr uint8_t token = 1;        // tchar, RFC 9110 5.6.2
inline constexpr uint8_t target = 2;       // what a request target may hold: VCHAR without "#"
inline constexpr uint8_t host = 4;         // reg-name, but neither percent-encodings nor sub-delims
inline constexpr uint8_t upper = 8;        // A to Z
inline constexpr uint8_t unreserved = 16;  // RFC 3986 2.3
inline constexpr uint8_t value = 32;       // field-content: HTAB, SP, VCHAR, obs-text (RFC 9110 5.5)

constexpr std::array<uint8_t, 256> make_table() {
  std::array<uint8_t, 256> table{};
  const auto add = [&](std::string_view characters, uint8_t bits) {
    for (const char c : characters) table[static_cast<unsigned char>(c)] |= bits;
  };
  for (unsigned c = 0x21; c < 0x7f; ++c) table[c] |= target | value;
  for (unsigned c = 0x80; c < 0x100; ++c) table[c] |= value;
  table['#'] &= static_cast<uint8_t>(~target);
  add("abcdefghijklmnopqrstuvwxyz0123456789", token | host | unreserved);
  add("ABCDEFGHIJKLMNOPQRSTUVWXYZ", token | host | unreserved | upper);
  add("-._~", host | unreserved);
  add("!#$%&'*+-.^_`|~", token);
  add(" \t", value);
  return table;
}

inline constexpr std::array<uint8_t, 256> table = make_table();
}  // namespace char_class

[[nodiscard]] constexpr uint8_t classes_of(char c) noexcept { return char_class::table[static_cast<unsigned char>(c)]; }
[[nodiscard]] constexpr bool is_token_char(char c) noexcept { return (classes_of(c) & char_class::token) != 0; }
[[nodiscard]] constexpr bool is_unreserved(char c) noexcept { return (classes_of(c) & char_class::unreserved) != 0; }
[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

[[nodiscard]] constexpr char to_lower(char c) noexcept {
  return static_cast<char>(c | ((classes_of(c) & char_class::upper) != 0 ? 0x20 : 0));
}

// The same for eight characters at once.
[[nodiscard]] constexpr uint64_t to_lower_eight(uint64_t word) noexcept {
  constexpr uint64_t each = 0x0101010101010101;
  const uint64_t low_bits = word & (0x7f * each);
  const uint64_t from_a = low_bits + (0x80 - 'A') * each;    // high bit: at least 'A'
  const uint64_t beyond_z = low_bits + (0x7f - 'Z') * each;  // high bit: more than 'Z'
  const uint64_t is_upper = (from_a ^ beyond_z) & ~word & (0x80 * each);
  return word | (is_upper >> 2);
}

inline void lower_in_place(char* text, size_t size) noexcept {
  if (size < sizeof(uint64_t)) {
    for (size_t i = 0; i < size; ++i) text[i] = to_lower(text[i]);
    return;
  }
  const auto load = [text](size_t at) {
    uint64_t word;
    std::memcpy(&word, text + at, sizeof word);
    return word;
  };
  const auto store = [text](size_t at, uint64_t word) { std::memcpy(text + at, &word, sizeof word); };
  // The last eight may overlap the ones before; loaded first, they do not wait for those to be stored.
  const size_t last_at = size - sizeof(uint64_t);
  const uint64_t last = load(last_at);
  for (size_t at = 0; at < last_at; at += sizeof(uint64_t)) store(at, to_lower_eight(load(at)));
  store(last_at, to_lower_eight(last));
}

// Every character is of one of these classes; true for an empty text.
[[nodiscard]] constexpr bool consists_of(std::string_view text, uint8_t classes) noexcept {
  for (const char c : text) {
    if ((classes_of(c) & classes) == 0) return false;
  }
  return true;
}

[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
  return !text.empty() && consists_of(text, char_class::token);
}

// `lower` is lower case already.
[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view text, std::string_view lower) noexcept {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (to_lower(text[i]) != lower[i]) return false;
  }
  return true;
}

// Without optional whitespace (RFC 9110 5.6.3) at both ends.
[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls visit(element) for the elements of a comma-separated list (RFC 9110 5.6.1), empty ones left
// out. For lists of tokens only: it does not know quoted strings.
template <typename Visit>
constexpr void for_each_element(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view element = trim(list.substr(0, comma));
    if (!element.empty()) visit(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace sluice::http
