#include "observe/log_text.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace sluice::observe {

namespace {

enum class CharKind : uint8_t { plain, backslashed, hexadecimal };

// What a terminal or a reader of lines could take for something else, and every byte that is not ASCII
// (0x9b alone starts a terminal sequence), is written as \xHH.
constexpr auto kCharKinds = [] {
  std::array<CharKind, 256> kinds{};
  for (unsigned c = 0; c < 256; ++c) kinds[c] = c < 0x20 || c > 0x7e ? CharKind::hexadecimal : CharKind::plain;
  kinds['"'] = kinds['\\'] = CharKind::backslashed;
  return kinds;
}();

CharKind kind_of(char c) noexcept { return kCharKinds[static_cast<unsigned char>(c)]; }

constexpr uint64_t repeated(uint8_t byte) noexcept { return byte * 0x0101010101010101U; }

// The high bit of a byte is set if it is zero; exact up to the first such byte ("Hacker's Delight", 6-1).
constexpr uint64_t zero_bytes(uint64_t word) noexcept { return (word - repeated(1)) & ~word & repeated(0x80); }

// Whether all eight characters are plain: most texts are, and eight at a time costs as much as one.
bool are_plain(uint64_t word) noexcept {
  const uint64_t below_space = (word - repeated(0x20)) & ~word;
  const uint64_t special = below_space | word | zero_bytes(word ^ repeated('"')) | zero_bytes(word ^ repeated('\\')) |
                           zero_bytes(word ^ repeated(0x7f));
  return (special & repeated(0x80)) == 0;
}

char* write_special(char c, std::string_view hexadecimal_prefix, char* at) noexcept {
  constexpr char digits[] = "0123456789abcdef";
  *at++ = '\\';
  if (kind_of(c) == CharKind::backslashed) {
    *at++ = c;
    return at;
  }
  std::memcpy(at, hexadecimal_prefix.data(), hexadecimal_prefix.size());
  at += hexadecimal_prefix.size();
  *at++ = digits[static_cast<unsigned char>(c) >> 4];
  *at++ = digits[static_cast<unsigned char>(c) & 15];
  return at;
}

char* write_each_escaped(std::string_view text, std::string_view hexadecimal_prefix, char* at) noexcept {
  for (const char c : text) {
    if (kind_of(c) == CharKind::plain) {
      *at++ = c;
    } else {
      at = write_special(c, hexadecimal_prefix, at);
    }
  }
  return at;
}

char* write_escaped(std::string_view text, std::string_view hexadecimal_prefix, char* at) noexcept {
  uint64_t word = 0;
  for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
    std::memcpy(&word, text.data(), sizeof word);
    if (are_plain(word)) {
      std::memcpy(at, &word, sizeof word);
      at += sizeof word;
    } else {
      at = write_each_escaped(text.substr(0, sizeof word), hexadecimal_prefix, at);
    }
  }
  return write_each_escaped(text, hexadecimal_prefix, at);
}

}  // namespace

char* write_escaped_text(std::string_view text, char* at) noexcept { return write_escaped(text, "x", at); }

char* write_escaped_json(std::string_view text, char* at) noexcept { return write_escaped(text, "u00", at); }

}  // namespace sluice::observe
