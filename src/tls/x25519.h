// X25519 (RFC 7748) for handshakes, eight at a time where the processor can: one takes hardly longer than eight.
#pragma once

#include "base/bytes.h"
#include "base/list.h"

#include <array>
#include <cstddef>

struct WC_RNG;

namespace sluice::tls {

inline constexpr size_t x25519_bytes = 32;

// --- Ephemeral keys --------------------------------------------------------------------------------

struct X25519KeyPair {
  std::array<std::byte, x25519_bytes> private_key;
  std::array<std::byte, x25519_bytes> public_key;

  X25519KeyPair() = default;
  X25519KeyPair(const X25519KeyPair&) = delete;
  X25519KeyPair& operator=(const X25519KeyPair&) = delete;
  ~X25519KeyPair();  // wipes it
};

// Each is given out once. Any thread; each has its own stock. False: this processor cannot, or there are no random
// numbers; the TLS library makes its own.
[[nodiscard]] bool take_x25519_key_pair(X25519KeyPair& pair, WC_RNG* random) noexcept;

// --- Shared secrets --------------------------------------------------------------------------------

// One shared secret that a handshake waits for.
struct X25519Agreement : ListNode<X25519Agreement> {
  const std::byte* private_key = nullptr;
  const std::byte* peer_key = nullptr;
  std::byte* secret = nullptr;
  bool has_succeeded = false;  // false: not done, for whatever reason; the TLS library does it, or refuses it
  void (*on_done)(void* owner) = nullptr;
  void* owner = nullptr;
};

// Those of one turn. The shard's thread only.
class X25519Agreements {
 public:
  void add(X25519Agreement& agreement) noexcept { waiting_.push_back(agreement); }
  // At the end of each turn: calls every on_done.
  void run() noexcept;

 private:
  List<X25519Agreement> waiting_;
};

}  // namespace sluice::tls
