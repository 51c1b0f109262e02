#include "http/websocket.h"

#include "base/sha1.h"
#include "http/chars.h"

#include <bit>
#include <span>
#include <string>

namespace sluice::http {

namespace {

// RFC 4648 4, into exactly the room that it takes.
void write_base64(std::span<const uint8_t> bytes, std::span<char> text) noexcept {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t group = i / 4 * 3;
    uint32_t bits = 0;
    for (size_t j = group; j < group + 3; ++j) bits = bits << 8 | (j < bytes.size() ? bytes[j] : 0U);
    const bool is_padding = group + i % 4 > bytes.size();
    text[i] = is_padding ? '=' : alphabet[bits >> (18 - 6 * (i % 4)) & 63];
  }
}

}  // namespace

bool is_websocket(std::string_view protocol) noexcept { return equals_ignoring_case(protocol, "websocket"); }

WebSocketKey::WebSocketKey(const uint64_t (&random)[2]) noexcept {
  std::array<uint64_t, 2> halves{random[0], random[1]};
  write_base64(std::bit_cast<std::array<uint8_t, 16>>(halves), text_);
}

WebSocketAccept::WebSocketAccept(std::string_view key) {
  write_base64(sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), text_);
}

bool agrees_to_upgrade(const RequestHead& request, const ResponseHead& response) {
  if (!equals_ignoring_case(response.headers.find("upgrade").value_or(""), request.upgrade)) return false;
  if (!is_websocket(request.upgrade)) return true;
  const std::string_view key = request.headers.find("sec-websocket-key").value_or("");
  return response.headers.find("sec-websocket-accept") == WebSocketAccept(key).text();
}

}  // namespace sluice::http
