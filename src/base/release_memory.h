#pragma once

namespace sluice {

// Empties a string or container and gives its memory back, which an assignment does not: a string keeps what it had.
template <typename Container>
void release_memory(Container& container) noexcept {
  Container().swap(container);
}

}  // namespace sluice
