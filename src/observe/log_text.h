// Texts of clients as a line of the access log can have them, in either encoding: a line stays one line, and a value
// stays one value. Written eight bytes at a time while nothing is special.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::observe {

// What a byte may become.
inline constexpr size_t escaped_text_bytes_max = 4;
inline constexpr size_t escaped_json_bytes_max = 6;

// Quotes and backslashes as \" and \\, control characters and bytes beyond ASCII as \xHH. Returns the end.
[[nodiscard]] char* write_escaped_text(std::string_view text, char* at) noexcept;

// What stands between the quotes of a JSON string (RFC 8259 7): the same, and \u00HH for \xHH.
[[nodiscard]] char* write_escaped_json(std::string_view text, char* at) noexcept;

}  // namespace sluice::observe
