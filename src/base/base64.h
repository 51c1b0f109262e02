// Base64 (RFC 4648): with the standard alphabet and padded (4), and as it stands in URLs (5).
#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

// How many characters so many bytes become.
[[nodiscard]] constexpr size_t base64_size(size_t bytes) noexcept { return (bytes + 2) / 3 * 4; }
// Exactly base64_size(bytes.size()) characters.
void write_base64(ConstBytes bytes, std::span<char> text) noexcept;

// Reads a text that comes in pieces. Several padded texts may follow one another, as gRPC-Web has them.
class Base64Reader {
 public:
  // Appends to `bytes` what these characters complete: at most 3 bytes for every 4 characters, and one more. False: it
  // is no base64, and what is in `bytes` from now on is of no use.
  [[nodiscard]] bool read(std::span<const char> text, std::span<std::byte> bytes, size_t& size) noexcept;
  // All that was read has come out: the text may end here.
  [[nodiscard]] bool is_complete() const noexcept { return count_ == 0; }

 private:
  uint32_t bits_ = 0;
  uint8_t count_ = 0;    // of characters of a group that is not complete
  uint8_t padding_ = 0;  // of these
};

// RFC 4648 5: "-" and "_" in the place of "+" and "/", without padding.
[[nodiscard]] std::string to_base64url(ConstBytes bytes);
// With or without padding, as certificate authorities print the keys of external accounts. Nothing: it is none.
[[nodiscard]] std::optional<std::string> read_base64url(std::string_view text);

}  // namespace sluice
