#include "config/utf8.h"

#include <cstdint>

namespace sluice::config {

namespace {

bool is_continuation(uint8_t byte) noexcept { return (byte & 0xc0) == 0x80; }

// The size of the well-formed sequence at the start of `text`, 0 when there is none (RFC 3629 4).
size_t sequence_size(std::string_view text) noexcept {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return is_continuation(byte(1)) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool is_overlong = first == 0xe0 && byte(1) < 0xa0;
    const bool is_surrogate = first == 0xed && byte(1) > 0x9f;
    return is_continuation(byte(1)) && is_continuation(byte(2)) && !is_overlong && !is_surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool is_overlong = first == 0xf0 && byte(1) < 0x90;
    const bool is_beyond = first == 0xf4 && byte(1) > 0x8f;
    const bool continues = is_continuation(byte(1)) && is_continuation(byte(2)) && is_continuation(byte(3));
    return continues && !is_overlong && !is_beyond ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::optional<BadByte> find_bad_byte(std::string_view text) noexcept {
  for (size_t i = 0; i < text.size();) {
    const uint8_t byte = static_cast<uint8_t>(text[i]);
    if (byte == 0) return BadByte{i, "a NUL byte"};
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) {
      return BadByte{i, "a control character"};
    }
    const size_t size = sequence_size(text.substr(i));
    if (size == 0) return BadByte{i, "bytes that are not UTF-8"};
    i += size;
  }
  return std::nullopt;
}

}  // namespace sluice::config
