#include "base/address_range.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <span>

namespace sluice {

namespace {

using Family = SocketAddress::Family;

constexpr unsigned bits_of(Family family) { return family == Family::ipv4 ? 32 : 128; }

bool begins_with(const std::array<uint8_t, 16>& ip, const std::array<uint8_t, 16>& network, unsigned bits) noexcept {
  const unsigned whole = bits / 8;
  if (!std::equal(ip.begin(), ip.begin() + whole, network.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((ip[whole] ^ network[whole]) >> (8 - rest)) == 0;
}

SocketAddress ipv4(std::span<const uint8_t> bytes) noexcept {
  SocketAddress address;
  std::ranges::copy(bytes.first(4), address.ip.begin());
  return address;
}

struct Block {
  std::string_view range;
  AddressScope scope;
};

// The IANA IPv4 and IPv6 Special-Purpose Address Registries; what they call globally reachable is left out.
constexpr Block special_blocks[] = {
    {"0.0.0.0/8", AddressScope::host},           // this host
    {"127.0.0.0/8", AddressScope::host},         // loopback
    {"169.254.0.0/16", AddressScope::host},      // link-local; metadata services of clouds
    {"224.0.0.0/4", AddressScope::host},         // multicast
    {"240.0.0.0/4", AddressScope::host},         // reserved, and broadcast
    {"168.63.129.16/32", AddressScope::host},    // Azure's platform service
    {"192.0.0.192/32", AddressScope::host},      // Oracle Cloud's metadata service
    {"fd20:ce::254/128", AddressScope::host},    // Google Cloud's metadata service
    {"100.100.100.200/32", AddressScope::host},  // Alibaba Cloud's metadata service
    {"10.0.0.0/8", AddressScope::site},
    {"172.16.0.0/12", AddressScope::site},
    {"192.168.0.0/16", AddressScope::site},
    {"100.64.0.0/10", AddressScope::site},  // carrier-grade NAT
    {"192.0.0.0/24", AddressScope::site},   // IETF protocol assignments
    {"192.0.2.0/24", AddressScope::site},   // documentation
    {"198.51.100.0/24", AddressScope::site},
    {"203.0.113.0/24", AddressScope::site},
    {"198.18.0.0/15", AddressScope::site},      // benchmarks
    {"::/96", AddressScope::host},              // unspecified, loopback, and the IPv4-compatible ones of old
    {"fe80::/10", AddressScope::host},          // link-local
    {"fec0::/10", AddressScope::site},          // site-local, of old
    {"ff00::/8", AddressScope::host},           // multicast
    {"fd00:ec2::254/128", AddressScope::host},  // Amazon's metadata service
    {"fc00::/7", AddressScope::site},           // unique local
    {"64:ff9b:1::/48", AddressScope::site},     // NAT64 of a site (RFC 8215)
    {"100::/64", AddressScope::host},           // discard
    {"2001:db8::/32", AddressScope::site},      // documentation
    {"3fff::/20", AddressScope::site},
    {"5f00::/16", AddressScope::site},  // segment routing
};

struct SpecialRange {
  AddressRange range;
  AddressScope scope;
};

const auto& special_ranges() {
  static const auto ranges = [] {
    std::array<SpecialRange, std::size(special_blocks)> parsed;
    for (size_t i = 0; i < parsed.size(); ++i)
      parsed[i] = {AddressRange::parse(special_blocks[i].range).value(), special_blocks[i].scope};
    return parsed;
  }();
  return ranges;
}

AddressRange range(std::string_view text) { return AddressRange::parse(text).value(); }

// Of an IPv6 address that stands for an IPv4 one; else the address itself.
SocketAddress carried_address(const SocketAddress& address) noexcept {
  static const AddressRange mapped = range("::ffff:0:0/96");
  static const AddressRange translated = range("64:ff9b::/96");  // NAT64 (RFC 6052)
  static const AddressRange six_to_four = range("2002::/16");    // RFC 3056
  static const AddressRange teredo = range("2001::/32");         // RFC 4380: the client's, with all bits inverted
  if (address.family != Family::ipv6) return address;
  const std::span<const uint8_t> ip = address.ip;
  if (begins_with(address.ip, mapped.network.ip, 96) || begins_with(address.ip, translated.network.ip, 96))
    return ipv4(ip.subspan(12));
  if (begins_with(address.ip, six_to_four.network.ip, 16)) return ipv4(ip.subspan(2));
  if (begins_with(address.ip, teredo.network.ip, 32)) {
    SocketAddress client = ipv4(ip.subspan(12));
    for (size_t i = 0; i < 4; ++i) client.ip[i] = static_cast<uint8_t>(~client.ip[i]);
    return client;
  }
  return address;
}

// Only IPv4 in IPv6's clothes: the same host.
SocketAddress unmapped(const SocketAddress& address) noexcept {
  static const AddressRange mapped = range("::ffff:0:0/96");
  if (address.family != Family::ipv6 || !begins_with(address.ip, mapped.network.ip, 96)) return address;
  return ipv4(std::span<const uint8_t>(address.ip).subspan(12));
}

}  // namespace

std::optional<AddressRange> AddressRange::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<SocketAddress> address = SocketAddress::from_ip(text.substr(0, slash), 0);
  if (!address) return std::nullopt;
  const unsigned bits_max = bits_of(address->family);
  unsigned bits = bits_max;
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.begin(), number.end(), bits);
    if (error != std::errc() || end != number.end() || number.empty() || bits > bits_max) return std::nullopt;
    if (number.size() > 1 && number.front() == '0') return std::nullopt;
  }
  AddressRange parsed{.network = *address, .prefix_bits = static_cast<uint8_t>(bits)};
  for (unsigned bit = bits; bit < bits_max; ++bit) {
    if ((address->ip[bit / 8] & (0x80U >> (bit % 8))) != 0) return std::nullopt;
  }
  return parsed;
}

bool AddressRange::contains(const SocketAddress& address) const noexcept {
  const SocketAddress plain = network.family == Family::ipv4 ? unmapped(address) : address;
  return plain.family == network.family && begins_with(plain.ip, network.ip, prefix_bits);
}

std::string AddressRange::to_string() const { return network.ip_text() + '/' + std::to_string(prefix_bits); }

AddressScope scope_of(const SocketAddress& address) noexcept {
  if (!address.is_ip()) return AddressScope::host;
  const SocketAddress carried = carried_address(address);
  AddressScope scope = AddressScope::global;
  for (const SpecialRange& special : special_ranges()) {
    if (special.range.contains(carried)) scope = std::min(scope, special.scope);
  }
  return scope;
}

}  // namespace sluice
