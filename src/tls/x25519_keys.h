// Ephemeral X25519 key pairs (RFC 7748) for handshakes, made eight at a time where the processor can: one of
// them takes hardly longer than eight. Each is used once. Any thread; each has its own stock.
#pragma once

#include "base/bytes.h"

#include <array>
#include <cstddef>

struct WC_RNG;

namespace sluice::tls {

inline constexpr size_t x25519_bytes = 32;

struct X25519KeyPair {
  std::array<std::byte, x25519_bytes> private_key;
  std::array<std::byte, x25519_bytes> public_key;

  X25519KeyPair() = default;
  X25519KeyPair(const X25519KeyPair&) = delete;
  X25519KeyPair& operator=(const X25519KeyPair&) = delete;
  ~X25519KeyPair();  // wipes it
};

// False: this processor cannot, or there are no random numbers; the TLS library makes its own.
[[nodiscard]] bool take_x25519_key_pair(X25519KeyPair& pair, WC_RNG* random) noexcept;

}  // namespace sluice::tls
