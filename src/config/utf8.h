// What may stand in a configuration file.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sluice::config {

struct BadByte {
  size_t offset = 0;
  std::string_view reason;
};

// The first byte that is not well-formed UTF-8 (RFC 3629 4) or is a control character other than tab and
// line ends (YAML 1.2 5.1), or nothing.
[[nodiscard]] std::optional<BadByte> find_bad_byte(std::string_view text) noexcept;

}  // namespace sluice::config
