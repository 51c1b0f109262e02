#include "config/base64.h"

#include "base/base64.h"

#include <array>

namespace sluice::config {

std::optional<std::string> decode_base64(std::string_view text) {
  std::string result;
  result.reserve(text.size() / 4 * 3 + 3);  // once: a private key leaves no copies behind
  Base64Reader reader;
  bool has_ended = false;  // padding is the end of it
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    std::array<std::byte, 3> bytes;
    size_t size = 0;
    if (has_ended || !reader.read({&c, 1}, bytes, size)) return std::nullopt;
    result += as_text(ConstBytes(bytes).first(size));
    has_ended = c == '=' && reader.is_complete();
  }
  if (!reader.is_complete()) return std::nullopt;
  return result;
}

}  // namespace sluice::config
