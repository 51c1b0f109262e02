#include "base/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace sluice {

std::optional<SocketAddress> SocketAddress::from_ip(std::string_view ip, uint16_t port) {
  char text[INET6_ADDRSTRLEN];
  // A NUL would end the text early for inet_pton(3).
  if (ip.size() >= sizeof text || ip.contains('\0')) return std::nullopt;
  std::memcpy(text, ip.data(), ip.size());
  text[ip.size()] = '\0';

  SocketAddress address;
  address.port = port;
  if (inet_pton(AF_INET, text, address.ip.data()) == 1) return address;
  address.family = Family::ipv6;
  if (inet_pton(AF_INET6, text, address.ip.data()) == 1) return address;
  return std::nullopt;
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view ip = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = ip.size() >= 2 && ip.front() == '[' && ip.back() == ']';
  if (bracketed) ip = ip.substr(1, ip.size() - 2);

  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;

  std::optional<SocketAddress> address = from_ip(ip, port);
  if (address && (address->family == Family::ipv6) != bracketed) return std::nullopt;
  return address;
}

std::string SocketAddress::ip_text() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family == Family::ipv4 ? AF_INET : AF_INET6, ip.data(), text, sizeof text);
  return text;
}

std::string SocketAddress::to_string() const {
  const std::string host = ip_text();
  return (family == Family::ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

size_t SocketAddressHash::operator()(const SocketAddress& address) const noexcept {
  uint64_t high = 0;
  uint64_t low = 0;
  std::memcpy(&high, address.ip.data(), 8);
  std::memcpy(&low, address.ip.data() + 8, 8);
  const uint64_t hash = (high ^ (low * 0x9e3779b97f4a7c15) ^ address.port) * 0xff51afd7ed558ccd;
  return hash ^ (hash >> 32);
}

}  // namespace sluice
