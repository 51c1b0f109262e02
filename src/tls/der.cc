#include "tls/der.h"

namespace sluice::tls::der {

std::optional<Element> take(ConstBytes& bytes) noexcept {
  if (bytes.size() < 2) return std::nullopt;
  const auto tag = std::to_integer<uint8_t>(bytes[0]);
  const auto first = std::to_integer<uint8_t>(bytes[1]);
  if ((tag & 0x1f) == 0x1f) return std::nullopt;
  size_t header_size = 2;
  size_t size = first;
  if (first >= 0x80) {  // the long form: so many bytes of length follow
    const size_t length_size = first & 0x7f;
    if (length_size == 0 || length_size > 3 || bytes.size() < 2 + length_size) return std::nullopt;
    size = 0;
    for (size_t i = 0; i < length_size; ++i) size = (size << 8) | std::to_integer<size_t>(bytes[2 + i]);
    header_size += length_size;
  }
  if (size > bytes.size() - header_size) return std::nullopt;
  const Element element{tag, bytes.subspan(header_size, size), bytes.first(header_size + size)};
  bytes = bytes.subspan(header_size + size);
  return element;
}

}  // namespace sluice::tls::der
