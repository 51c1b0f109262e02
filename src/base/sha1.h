// SHA-1 (FIPS 180-4 6.1), for the handshake of WebSocket alone (RFC 6455 4.2.2), where it protects nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sluice {

[[nodiscard]] std::array<uint8_t, 20> sha1(std::string_view text);

}  // namespace sluice
