// A ClientHello by hand (RFC 8446 4.1.2), for what only looks at it: with a server name, or none, and as long as
// wanted.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::sim {

namespace hello_detail {

inline std::string number(size_t value, size_t size) {
  std::string text;
  for (size_t i = size; i > 0; --i) text += static_cast<char>(value >> (8 * (i - 1)));
  return text;
}
inline std::string vector(std::string_view content, size_t length_size) {
  return number(content.size(), length_size).append(content);
}

}  // namespace hello_detail

// In one record. `server_name` empty: none is sent. `padding`: bytes of an extension of that size (RFC 7685).
inline std::string client_hello(std::string_view server_name, size_t padding = 0) {
  using hello_detail::number;
  using hello_detail::vector;
  std::string extensions;
  if (!server_name.empty()) extensions += number(0, 2) + vector(vector(number(0, 1) + vector(server_name, 2), 2), 2);
  if (padding > 0) extensions += number(21, 2) + vector(std::string(padding, '\0'), 2);
  const std::string body = number(0x0303, 2) + std::string(32, 'r') + vector("", 1) + vector("\x13\x01", 2) +
                           vector(std::string_view("\0", 1), 1) + vector(extensions, 2);
  return number(22, 1) + number(0x0301, 2) + vector(number(1, 1) + vector(body, 3), 2);
}

}  // namespace sluice::sim
