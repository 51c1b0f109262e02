// Why a certificate is revoked (RFC 5280 5.3.1), as people write it. removeFromCRL is not among them: it ends one.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace sluice::renewal {

inline constexpr std::array<std::pair<std::string_view, int>, 9> kRevocationReasons = {{
    {"unspecified", 0},
    {"keyCompromise", 1},
    {"cACompromise", 2},
    {"affiliationChanged", 3},
    {"superseded", 4},
    {"cessationOfOperation", 5},
    {"certificateHold", 6},
    {"privilegeWithdrawn", 9},
    {"aACompromise", 10},
}};

// Its number; nothing: there is no such reason.
[[nodiscard]] constexpr std::optional<int> revocation_code(std::string_view name) noexcept {
  for (const auto& [known, code] : kRevocationReasons) {
    if (known == name) return code;
  }
  return std::nullopt;
}

}  // namespace sluice::renewal
