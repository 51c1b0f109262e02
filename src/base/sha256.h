// SHA-256 (FIPS 180-4 6.2), where no TLS library may be included: digests of credentials in the configuration.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sluice {

// Takes as long for each text of a size.
[[nodiscard]] std::array<uint8_t, 32> sha256(std::string_view text);

}  // namespace sluice
