// The handshake of WebSocket (RFC 6455 4) as a gateway between versions of HTTP needs it: with HTTP/1 a client proves
// that it was understood by a key and its answer, with HTTP/2 it does not (RFC 8441 5). Pure functions.
#pragma once

#include "http/head.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::http {

// "websocket", in any case: a value of Upgrade or :protocol.
[[nodiscard]] bool is_websocket(std::string_view protocol) noexcept;

// The value of Sec-WebSocket-Key, made of 128 random bits.
class WebSocketKey {
 public:
  explicit WebSocketKey(const uint64_t (&random)[2]) noexcept;
  [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), text_.size()}; }

 private:
  std::array<char, 24> text_;
};

// The value of Sec-WebSocket-Accept that answers `key`, whatever is written there.
class WebSocketAccept {
 public:
  explicit WebSocketAccept(std::string_view key);
  [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), text_.size()}; }

 private:
  std::array<char, 28> text_;
};

// Whether `response`, a 101, agrees to the protocol that was asked for and, if that is WebSocket, answers the key: what
// a client of HTTP/1 checks itself.
[[nodiscard]] bool agrees_to_upgrade(const RequestHead& request, const ResponseHead& response);

}  // namespace sluice::http
