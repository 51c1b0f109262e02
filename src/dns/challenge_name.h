// Where the proof for a DNS identifier lies (RFC 8555 8.4).
#pragma once

#include <string>
#include <string_view>

namespace sluice::dns {

// "_acme-challenge.example.com." of "example.com", and of "*.example.com" too: two proofs may lie at one name.
[[nodiscard]] inline std::string challenge_name(std::string_view identifier) {
  if (identifier.starts_with("*.")) identifier.remove_prefix(2);
  return "_acme-challenge." + std::string(identifier) + (identifier.ends_with('.') ? "" : ".");
}

}  // namespace sluice::dns
