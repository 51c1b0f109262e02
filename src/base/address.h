// The address of a socket: what listeners bind, endpoints are and clients come from. An IP address with a port, or the
// name of a Unix socket (unix(7)). 20 bytes, no system headers; io/ converts it to and from a sockaddr.
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
  enum class Family : uint8_t { ipv4, ipv6, unix_socket };

  // Network order; IPv4 uses the first four bytes, the rest is zero. Of a Unix socket which name it has, zero for none:
  // names are kept once, as long as the process lives.
  std::array<uint8_t, 16> ip{};
  uint16_t port = 0;  // host order; 0 with Unix sockets
  Family family = Family::ipv4;

  // `ip` is an IPv4 or IPv6 literal without brackets or zone. Nothing when it is neither.
  [[nodiscard]] static std::optional<SocketAddress> from_ip(std::string_view ip, uint16_t port);

  // "1.2.3.4:80" or "[::1]:80". Nothing when it is neither.
  [[nodiscard]] static std::optional<SocketAddress> parse(std::string_view text);

  // "unix:///an/absolute/path", or "unix://@name" in the abstract namespace: visible ASCII without quotes and
  // backslashes. Nothing when it is neither, when its name is longer than the kernel takes (107 bytes), and when the
  // process has seen limits::unix_socket_names_max of them. For documents only: names are kept, so a peer's must not
  // come here.
  [[nodiscard]] static std::optional<SocketAddress> from_unix(std::string_view text);

  [[nodiscard]] bool is_ip() const noexcept { return family != Family::unix_socket; }
  [[nodiscard]] bool is_any() const noexcept { return is_ip() && ip == std::array<uint8_t, 16>{}; }
  [[nodiscard]] bool is_known() const noexcept { return port != 0 || !is_ip(); }  // false: never filled in

  [[nodiscard]] std::string ip_text() const;         // "1.2.3.4", "::1"; of IP addresses only
  [[nodiscard]] std::string_view unix_name() const;  // "/a/path", "@name"; empty: a client's, or no Unix socket
  [[nodiscard]] std::string to_string() const;       // "1.2.3.4:80", "[::1]:80", "unix:///a/path"

  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

struct SocketAddressHash {
  [[nodiscard]] size_t operator()(const SocketAddress& address) const noexcept;
};

}  // namespace sluice
