// Addresses and CIDR blocks as documents write them.
#pragma once

#include "base/address_range.h"
#include "config/schema.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

// "10.0.0.0/8", or an address. Bits beyond the prefix say nothing, as in Istio: 10.1.2.3/8 is 10.0.0.0/8. Nothing: it
// is neither.
[[nodiscard]] inline std::optional<AddressRange> address_block(std::string_view text) {
  if (const std::optional<AddressRange> exact = AddressRange::parse(text)) return exact;
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::optional<SocketAddress> address = SocketAddress::from_ip(text.substr(0, slash), 0);
  if (!address) return std::nullopt;
  const bool is_v4 = address->family == SocketAddress::Family::ipv4;
  std::optional<AddressRange> block = AddressRange::parse((is_v4 ? "0.0.0.0" : "::") + std::string(text.substr(slash)));
  if (!block) return std::nullopt;
  for (unsigned bit = 0; bit < block->prefix_bits; ++bit) {
    const auto mask = static_cast<uint8_t>(0x80U >> (bit % 8));
    block->network.ip[bit / 8] = static_cast<uint8_t>(block->network.ip[bit / 8] | (address->ip[bit / 8] & mask));
  }
  return block;
}

// Of what validation has accepted.
[[nodiscard]] inline std::vector<AddressRange> address_blocks(const std::vector<Text>& written) {
  std::vector<AddressRange> blocks;
  for (const Text& text : written) {
    if (const std::optional<AddressRange> block = address_block(text.value)) blocks.push_back(*block);
  }
  return blocks;
}

}  // namespace sluice::config
