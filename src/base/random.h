// Fast pseudo-random numbers for load balancing, jitter and request ids (never for keys): xoshiro256**
// by Blackman and Vigna. One owner, one thread; seeded by its owner, so that a test replays.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace sluice {

class Random {
 public:
  explicit Random(uint64_t seed) noexcept {
    for (uint64_t& word : state_) {  // splitmix64
      seed += 0x9e3779b97f4a7c15;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }

  uint64_t next() noexcept {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound); bound > 0. Lemire's multiplication, without the negligible bias correction.
  uint32_t below(uint32_t bound) noexcept {
    return static_cast<uint32_t>((static_cast<uint64_t>(static_cast<uint32_t>(next() >> 32)) * bound) >> 32);
  }

 private:
  std::array<uint64_t, 4> state_{};
};

}  // namespace sluice
