#include "config/base64.h"

#include "base/base64.h"

#include <cstddef>
#include <cstdint>

namespace sluice::config {

std::optional<std::string> decode_base64(std::string_view text) {
  std::string result;
  result.reserve(text.size() / 4 * 3 + 3);  // once: a private key leaves no copies behind
  uint32_t bits = 0;
  size_t digits = 0;
  size_t padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const int value = base64_digit(c);
    if (value < 0 || padding > 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (++digits % 4 != 0) continue;
    result.push_back(static_cast<char>(bits >> 16 & 0xff));
    result.push_back(static_cast<char>(bits >> 8 & 0xff));
    result.push_back(static_cast<char>(bits & 0xff));
  }
  const size_t rest = digits % 4;
  if (rest == 1 || padding != (4 - rest) % 4) return std::nullopt;
  if (rest == 2) result.push_back(static_cast<char>(bits >> 4 & 0xff));
  if (rest == 3) {
    result.push_back(static_cast<char>(bits >> 10 & 0xff));
    result.push_back(static_cast<char>(bits >> 2 & 0xff));
  }
  return result;
}

}  // namespace sluice::config
