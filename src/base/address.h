// An IP address with a port: what listeners bind, endpoints are and clients come from. 20 bytes, no
// system headers; io/ converts it to and from a sockaddr.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

struct SocketAddress {
  enum class Family : uint8_t { ipv4, ipv6 };

  std::array<uint8_t, 16> ip{};  // network order; IPv4 uses the first four bytes, the rest is zero
  uint16_t port = 0;             // host order
  Family family = Family::ipv4;

  // `ip` is an IPv4 or IPv6 literal without brackets or zone. Nothing when it is neither.
  [[nodiscard]] static std::optional<SocketAddress> from_ip(std::string_view ip, uint16_t port);

  // "1.2.3.4:80" or "[::1]:80". Nothing when it is neither.
  [[nodiscard]] static std::optional<SocketAddress> parse(std::string_view text);

  [[nodiscard]] std::string ip_text() const;    // "1.2.3.4", "::1"
  [[nodiscard]] std::string to_string() const;  // "1.2.3.4:80", "[::1]:80"

  [[nodiscard]] bool is_any() const noexcept { return ip == std::array<uint8_t, 16>{}; }

  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

struct SocketAddressHash {
  [[nodiscard]] size_t operator()(const SocketAddress& address) const noexcept;
};

}  // namespace sluice
