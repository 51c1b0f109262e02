// Bodies whose every byte tells to which stream and offset it belongs: a byte of another request, or at
// another place, is seen.
#pragma once

#include "base/bytes.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace sluice::sim {

[[nodiscard]] inline uint64_t pattern_word(uint64_t key, uint64_t index) noexcept {
  uint64_t word = (key + 1) * 0x9e3779b97f4a7c15 + index * 0xbf58476d1ce4e5b9;
  word ^= word >> 29;
  return word * 0x94d049bb133111eb;
}

// Calls use(offset in `bytes`, word, first byte of the word, count) for the words that `bytes` touches.
template <typename Use>
void for_each_pattern_word(uint64_t key, uint64_t offset, size_t size, Use use) {
  for (size_t at = 0; at < size;) {
    const size_t skip = static_cast<size_t>((offset + at) % 8);
    const size_t count = std::min<size_t>(8 - skip, size - at);
    const uint64_t word = pattern_word(key, (offset + at) / 8);
    if (!use(at, reinterpret_cast<const std::byte*>(&word) + skip, count)) return;
    at += count;
  }
}

inline void fill_pattern(uint64_t key, uint64_t offset, MutableBytes bytes) noexcept {
  for_each_pattern_word(key, offset, bytes.size(), [&](size_t at, const std::byte* word, size_t count) {
    std::memcpy(bytes.data() + at, word, count);
    return true;
  });
}

[[nodiscard]] inline bool is_pattern(uint64_t key, uint64_t offset, ConstBytes bytes) noexcept {
  bool is_equal = true;
  for_each_pattern_word(key, offset, bytes.size(), [&](size_t at, const std::byte* word, size_t count) {
    return is_equal = std::memcmp(bytes.data() + at, word, count) == 0;
  });
  return is_equal;
}

// Which stream a byte belongs to.
[[nodiscard]] inline uint64_t request_body_key(uint64_t id) noexcept { return id * 4; }
[[nodiscard]] inline uint64_t response_body_key(uint64_t id) noexcept { return id * 4 + 1; }
[[nodiscard]] inline uint64_t tunnel_up_key(uint64_t id) noexcept { return id * 4 + 2; }
[[nodiscard]] inline uint64_t tunnel_down_key(uint64_t id) noexcept { return id * 4 + 3; }

}  // namespace sluice::sim
