#include "tls/x25519.h"

#include "base/wipe.h"
#include "tls/private_key.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/wolfcrypt/random.h>

#ifdef SLUICE_HAS_CRYPTO_MB
#include <crypto_mb/x25519.h>
#endif

#include <cstring>
#include <span>

namespace sluice::tls {

X25519KeyPair::~X25519KeyPair() { wipe(private_key); }

#ifdef SLUICE_HAS_CRYPTO_MB

namespace {

constexpr size_t kLanes = 8;

struct Stock {
  std::array<X25519KeyPair, kLanes> pairs;
  size_t count = 0;  // of unused ones, at the front
};

bool refill(Stock& stock, WC_RNG* random) noexcept {
  std::array<int8u*, kLanes> public_keys;
  std::array<const int8u*, kLanes> private_keys;
  for (size_t i = 0; i < kLanes; ++i) {
    auto& key = stock.pairs[i].private_key;
    if (wc_RNG_GenerateBlock(random, reinterpret_cast<byte*>(key.data()), x25519_bytes) != 0) return false;
    key[0] &= std::byte{248};  // RFC 7748 5
    key[31] = (key[31] & std::byte{127}) | std::byte{64};
    private_keys[i] = reinterpret_cast<const int8u*>(key.data());
    public_keys[i] = reinterpret_cast<int8u*>(stock.pairs[i].public_key.data());
  }
  if (mbx_x25519_public_key_mb8(public_keys.data(), private_keys.data()) != 0) return false;
  stock.count = kLanes;
  return true;
}

}  // namespace

bool take_x25519_key_pair(X25519KeyPair& pair, WC_RNG* random) noexcept {
  static thread_local Stock stock;
  if (!can_use_crypto_mb() || (stock.count == 0 && !refill(stock, random))) return false;
  X25519KeyPair& taken = stock.pairs[--stock.count];
  pair.private_key = taken.private_key;
  pair.public_key = taken.public_key;
  explicit_bzero(taken.private_key.data(), x25519_bytes);
  return true;
}

namespace {

// A single one is left to the TLS library, which takes half the time of a batch.
void agree(std::span<X25519Agreement*> agreements) noexcept {
  if (agreements.size() < 2) return;
  std::array<int8u*, kLanes> secrets{};
  std::array<const int8u*, kLanes> private_keys{};
  std::array<const int8u*, kLanes> peer_keys{};
  std::array<std::array<int8u, x25519_bytes>, kLanes> unused;
  for (size_t i = 0; i < kLanes; ++i) {
    // Lanes that nobody needs repeat the first one.
    const X25519Agreement& agreement = *agreements[i < agreements.size() ? i : 0];
    private_keys[i] = reinterpret_cast<const int8u*>(agreement.private_key);
    peer_keys[i] = reinterpret_cast<const int8u*>(agreement.peer_key);
    secrets[i] = i < agreements.size() ? reinterpret_cast<int8u*>(agreement.secret) : unused[i].data();
  }
  const mbx_status status = mbx_x25519_mb8(secrets.data(), private_keys.data(), peer_keys.data());
  for (size_t i = 0; i < agreements.size(); ++i)
    agreements[i]->has_succeeded = MBX_GET_STS(status, static_cast<int>(i)) == MBX_STATUS_OK;
  explicit_bzero(&unused, sizeof unused);
}

}  // namespace

#else

namespace {

constexpr size_t kLanes = 8;

void agree(std::span<X25519Agreement*> /*agreements*/) noexcept {}

}  // namespace

bool take_x25519_key_pair(X25519KeyPair& /*pair*/, WC_RNG* /*random*/) noexcept { return false; }

#endif

void X25519Agreements::run() noexcept {
  while (!waiting_.empty()) {
    std::array<X25519Agreement*, kLanes> batch;
    size_t count = 0;
    while (count < kLanes && !waiting_.empty()) batch[count++] = &waiting_.pop_front();
    agree(std::span(batch).first(count));
    for (X25519Agreement* agreement : std::span(batch).first(count)) agreement->on_done(agreement->owner);
  }
}

}  // namespace sluice::tls
