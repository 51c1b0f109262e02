// Comparing secrets so that the time it takes tells nothing of them.
#pragma once

#include "base/bytes.h"

#include <cstddef>

namespace sluice {

// But for their sizes, which are no secret.
[[nodiscard]] inline bool are_equal_in_constant_time(ConstBytes a, ConstBytes b) noexcept {
  if (a.size() != b.size()) return false;
  std::byte difference{0};
  for (size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
  // What is stored here may be read by anybody, so the loop above may not end early.
  volatile std::byte seen = difference;
  return seen == std::byte{0};
}

}  // namespace sluice
