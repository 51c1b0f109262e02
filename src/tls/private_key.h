// A server's or client's private key, outside of the TLS library: the library knows it by an id only and
// asks crypto_device.h for every operation, so that a key is in memory once (locked, and left out of core dumps), and
// signatures of several handshakes can be made together. Immutable; any thread may use it at the same time.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

struct WC_RNG;

namespace sluice::tls {

// One private RSA operation (RFC 8017 5.1.2) on a padded block, big-endian, of size_bytes(). `output` has
// room for the same size and may be the input.
struct RsaOperation {
  const class PrivateKey* key = nullptr;
  const std::byte* input = nullptr;
  std::byte* output = nullptr;
  bool has_succeeded = false;
};

// How several RSA operations are done at once.
enum class RsaBatching : uint8_t {
  automatic,  // several by crypto_mb where the processor can; else one by one, by wolfCrypt
  always,     // by crypto_mb, a single one too; only where can_use_crypto_mb()
  never,      // one by one, by wolfCrypt
};

class PrivateKey {
 public:
  enum class Kind : uint8_t { rsa, ecdsa };

  static constexpr size_t rsa_bytes_max = 512;  // RSA-4096
  static constexpr size_t rsa_batch_max = 8;    // operations that crypto_mb does at once

  // From PEM, PKCS#8 or PKCS#1 or SEC 1, not encrypted. Refuses RSA keys whose size is no multiple of
  // eight bits.
  [[nodiscard]] static Result<std::shared_ptr<const PrivateKey>> read(std::string_view pem);

  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;
  ~PrivateKey();  // wipes it

  [[nodiscard]] Kind kind() const noexcept;
  // Of the modulus or of the curve's field.
  [[nodiscard]] size_t size_bytes() const noexcept;
  // RSA of 2048, 3072 or 4096 bits: takes so long that it is worth a queue (signing_queue.h).
  [[nodiscard]] bool is_worth_queueing() const noexcept;

  // --- RSA ---
  // At most rsa_batch_max operations with keys of one size that is_worth_queueing(). Every result is checked with the
  // public key before has_succeeded is set: a faulty one would give the key away (Boneh, DeMillo, Lipton 1997).
  static void run_batch(std::span<RsaOperation> operations, RsaBatching batching, WC_RNG* random) noexcept;
  // One operation, checked as well. Any RSA key. `random` blinds it.
  [[nodiscard]] bool run(const std::byte* input, std::byte* output, WC_RNG* random) const noexcept;
  // The public operation: what a signature was made of.
  [[nodiscard]] bool run_public(const std::byte* input, std::byte* output) const noexcept;

  // --- ECDSA ---
  // Writes the DER signature of `digest`; 0: it failed.
  [[nodiscard]] size_t sign(ConstBytes digest, MutableBytes signature, WC_RNG* random) const noexcept;

 private:
  struct Parts;
  explicit PrivateKey(std::unique_ptr<Parts> parts) noexcept;

  std::unique_ptr<Parts> parts_;
};

// Whether this processor has what crypto_mb needs (AVX-512 IFMA).
[[nodiscard]] bool can_use_crypto_mb() noexcept;

}  // namespace sluice::tls
