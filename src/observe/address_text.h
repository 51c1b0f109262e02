// "1.2.3.4:80", "[::1]:80" and "unix:///a/path" without an allocation: the access log writes three addresses per
// request. The same text as SocketAddress::to_string() (RFC 5952).
#pragma once

#include "base/address.h"

namespace sluice::observe {

// The name of a Unix socket; longer than an IPv6 address in full with brackets, colon and port.
inline constexpr size_t address_text_max = 7 + 107;

// Returns the end of what was written; at least address_text_max bytes must be there.
[[nodiscard]] char* write_address(const SocketAddress& address, char* at) noexcept;
// Without the port and the brackets; of a Unix socket the same.
[[nodiscard]] char* write_ip(const SocketAddress& address, char* at) noexcept;

}  // namespace sluice::observe
