// Blocks of IP addresses (CIDR, RFC 4632 3.1), and how far an address reaches. Pure; any thread.
#pragma once

#include "base/address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

struct AddressRange {
  SocketAddress network;  // port 0; what is beyond the prefix is zero
  uint8_t prefix_bits = 0;

  // "10.0.0.0/8", "2001:db8::/32", or an address alone. Nothing when it is neither, or has bits beyond its prefix.
  [[nodiscard]] static std::optional<AddressRange> parse(std::string_view text);

  // Whatever the port; an IPv4 address in IPv6's clothes (::ffff:0:0/96, RFC 4291 2.5.5.2) counts as IPv4.
  [[nodiscard]] bool contains(const SocketAddress& address) const noexcept;

  [[nodiscard]] std::string to_string() const;  // "10.0.0.0/8"

  friend bool operator==(const AddressRange&, const AddressRange&) = default;
};

// Where an address is known (IANA's special-purpose registries, RFC 6890).
enum class AddressScope : uint8_t {
  host,    // to a host or its link: loopback, link-local with the metadata services of clouds, multicast, unspecified
  site,    // within an organisation: private use, shared (RFC 6598), unique local (RFC 4193), documentation, benchmarks
  global,  // to everybody
};

// Of one that carries an IPv4 address (mapped, NAT64 64:ff9b::/96, 6to4, Teredo), it is that one's. Unix sockets: host.
[[nodiscard]] AddressScope scope_of(const SocketAddress& address) noexcept;

}  // namespace sluice
