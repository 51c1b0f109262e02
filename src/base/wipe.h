// Overwrites a secret that is of no more use, so that nobody finds it in memory.
#pragma once

#include <cstring>

namespace sluice {

// Of a string, a vector, a span, an array: its elements, and no spare capacity behind them. The compiler does not leave
// it out (explicit_bzero(3)).
template <typename Bytes>
void wipe(Bytes&& bytes) noexcept {
  if (bytes.size() > 0) explicit_bzero(bytes.data(), bytes.size() * sizeof *bytes.data());
}

}  // namespace sluice
