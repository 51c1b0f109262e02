#include "base/base64.h"

#include "base/check.h"

#include <algorithm>
#include <array>

namespace sluice {

namespace {

// 0 to 63; -1: it is no digit of it ("=" is none).
int digit_of(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

}  // namespace

void write_base64(ConstBytes bytes, std::span<char> text) noexcept {
  CHECK(text.size() == base64_size(bytes.size()));
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t at = 0;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = i; j < i + 3; ++j) bits = bits << 8 | (j < bytes.size() ? static_cast<uint8_t>(bytes[j]) : 0U);
    for (size_t j = 0; j < 4; ++j) text[at++] = i + j > bytes.size() ? '=' : digits[bits >> (18 - 6 * j) & 63];
  }
}

bool Base64Reader::read(std::span<const char> text, std::span<std::byte> bytes, size_t& size) noexcept {
  for (const char c : text) {
    const int digit = digit_of(c);
    if (c == '=') {
      if (count_ < 2) return false;
      ++padding_;
    } else if (digit < 0 || padding_ > 0) {
      return false;
    }
    bits_ = bits_ << 6 | static_cast<uint32_t>(digit < 0 ? 0 : digit);
    if (++count_ < 4) continue;
    for (unsigned i = 0; i < 3U - padding_; ++i) bytes[size++] = static_cast<std::byte>(bits_ >> (16 - 8 * i));
    *this = {};
  }
  return true;
}

std::string to_base64url(ConstBytes bytes) {
  std::string text(base64_size(bytes.size()), '\0');
  write_base64(bytes, text);
  text.erase(text.find_last_not_of('=') + 1);
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

std::optional<std::string> read_base64url(std::string_view text) {
  text = text.substr(0, text.find_last_not_of('=') + 1);
  std::string result;
  result.reserve(text.size() / 4 * 3 + 3);  // once: a key leaves no copies behind
  Base64Reader reader;
  const auto take = [&](char standard) {
    std::array<std::byte, 3> bytes;
    size_t size = 0;
    if (!reader.read({&standard, 1}, bytes, size)) return false;
    result += as_text(ConstBytes(bytes).first(size));
    return true;
  };
  for (const char c : text) {
    const bool is_of_standard = c == '+' || c == '/' || c == '=';
    if (is_of_standard || !take(c == '-' ? '+' : c == '_' ? '/' : c)) return std::nullopt;
  }
  while (!reader.is_complete()) {
    if (!take('=')) return std::nullopt;
  }
  return result;
}

}  // namespace sluice
