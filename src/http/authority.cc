#include "http/authority.h"

#include "base/address.h"
#include "base/limits.h"
#include "http/chars.h"

#include <algorithm>

namespace sluice::http {

namespace {

bool is_port(std::string_view text) noexcept {
  if (text.size() > 5) return false;
  unsigned port = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port <= 65535;
}

bool is_ipv6_literal(std::string_view bracketed) noexcept {
  const auto address = SocketAddress::from_ip(bracketed.substr(1, bracketed.size() - 2), 0);
  return address && address->family == SocketAddress::Family::ipv6;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) noexcept {
  Authority authority;
  const bool is_bracketed = text.starts_with('[');
  if (is_bracketed) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    authority.host = text.substr(0, end + 1);
  } else {
    authority.host = text.substr(0, text.find(':'));
  }
  if (authority.host.size() > limits::host_bytes_max) return std::nullopt;
  if (is_bracketed ? !is_ipv6_literal(authority.host) : !consists_of(authority.host, char_class::host))
    return std::nullopt;

  const std::string_view rest = text.substr(authority.host.size());
  if (rest.empty()) return authority;
  if (rest.front() != ':' || authority.host.empty()) return std::nullopt;
  authority.has_port = true;
  authority.port = rest.substr(1);
  if (!is_port(authority.port)) return std::nullopt;
  return authority;
}

bool is_same_authority(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, to_lower, to_lower);
}

std::string_view lookup_host(std::string_view host, Arena& arena) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (std::ranges::none_of(host, [](char c) { return (classes_of(c) & char_class::upper) != 0; })) {
    return host.data() == nullptr ? std::string_view("") : host;
  }
  auto* lower = static_cast<char*>(arena.allocate(host.size(), 1));
  if (lower == nullptr) return {};
  std::ranges::transform(host, lower, to_lower);
  return {lower, host.size()};
}

}  // namespace sluice::http
