// host[":" port] of a Host field, an absolute-form or an authority-form target (RFC 3986 3.2, RFC 9110
// 7.2). Pure functions.
#pragma once

#include "base/arena.h"

#include <optional>
#include <string_view>

namespace sluice::http {

struct Authority {
  std::string_view host;  // brackets of an IPv6 literal included; as received
  std::string_view port;  // digits, at most 65535; may be empty
  bool has_port = false;  // a ":" follows the host
};

// Nothing when it is invalid. An empty text is valid: no host. User information, percent-encodings and
// sub-delims are refused: no host that DNS or a certificate can name has them, and they confuse readers.
[[nodiscard]] std::optional<Authority> parse_authority(std::string_view text) noexcept;

// Of a host that is an IPv6 literal, as addresses are written elsewhere (RFC 3986 3.2.2 puts brackets around it).
[[nodiscard]] constexpr std::string_view without_brackets(std::string_view host) noexcept {
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

// Ignoring case, and nothing else: "a" and "a:80" differ.
[[nodiscard]] bool is_same_authority(std::string_view a, std::string_view b) noexcept;

// Lower case, without the trailing dot: what routes are looked up by. A view of `host` when nothing is to
// be changed, else in the arena; .data() is nullptr when the arena is full.
[[nodiscard]] std::string_view lookup_host(std::string_view host, Arena& arena) noexcept;

}  // namespace sluice::http
