#include "tls/private_key.h"

#include "base/check.h"
#include "base/locked_memory.h"
#include "base/wipe.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/rsa.h>

#ifdef SLUICE_HAS_CRYPTO_MB
#include <crypto_mb/cpu_features.h>
#include <crypto_mb/rsa.h>
#endif

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

namespace sluice::tls {

namespace {

constexpr size_t kKeyDerBytesMax = 8 * 1024;  // RSA-4096 in PKCS#8 takes 2 400
constexpr size_t kWords = PrivateKey::rsa_bytes_max / 8;
constexpr size_t kHalfWords = kWords / 2;

const byte* as_wolfcrypt(const std::byte* bytes) noexcept { return reinterpret_cast<const byte*>(bytes); }
byte* as_wolfcrypt(std::byte* bytes) noexcept { return reinterpret_cast<byte*>(bytes); }

// A number as crypto_mb wants it: 64-bit words, the lowest first.
template <size_t count>
using Words = std::array<uint64_t, count>;

template <size_t count>
bool write_words(const mp_int& number, Words<count>& words) noexcept {
  static_assert(std::endian::native == std::endian::little);
  std::array<byte, count * 8> bytes{};
  auto& source = const_cast<mp_int&>(number);  // wolfCrypt's functions lack const
  if (mp_to_unsigned_bin_len(&source, bytes.data(), static_cast<int>(bytes.size())) != MP_OKAY) return false;
  std::ranges::reverse(bytes);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  wipe(bytes);
  return true;
}

int bit_count(const mp_int& number) noexcept { return mp_count_bits(&const_cast<mp_int&>(number)); }

struct RsaParts {
  RsaParts() { wc_InitRsaKey(&key, nullptr); }
  RsaParts(const RsaParts&) = delete;
  RsaParts& operator=(const RsaParts&) = delete;
  ~RsaParts() {
    wc_FreeRsaKey(&key);  // wipes it
    explicit_bzero(&factors, sizeof factors);
  }

  RsaKey key;
  bool can_batch = false;  // the words below are set, and the public exponent is 65537
  Words<kWords> n;
  struct Factors {
    Words<kHalfWords> p, q, dp, dq, q_inverse;
  } factors;
};

struct EcdsaParts {
  EcdsaParts() { wc_ecc_init(&key); }
  EcdsaParts(const EcdsaParts&) = delete;
  EcdsaParts& operator=(const EcdsaParts&) = delete;
  ~EcdsaParts() { wc_ecc_free(&key); }  // wipes it

  ecc_key key;
};

}  // namespace

// One of the two, in locked memory.
struct PrivateKey::Parts {
  struct Destroy {
    template <typename T>
    void operator()(T* object) const noexcept {
      object->~T();
    }
  };

  LockedMemory memory;  // goes after what is in it
  std::unique_ptr<RsaParts, Destroy> rsa;
  std::unique_ptr<EcdsaParts, Destroy> ecdsa;
  size_t size_bytes = 0;
};

// --- Reading ---------------------------------------------------------------------------------------

namespace {

void prepare_batching(RsaParts& rsa) noexcept {
  const int bits = bit_count(rsa.key.n);
  const bool is_size_known = bits == 2048 || bits == 3072 || bits == 4096;
  const bool is_balanced = bit_count(rsa.key.p) == bits / 2 && bit_count(rsa.key.q) == bits / 2;
  if (!is_size_known || !is_balanced || !mp_isword(&rsa.key.e, 65537)) return;
  rsa.can_batch = write_words(rsa.key.n, rsa.n) && write_words(rsa.key.p, rsa.factors.p) &&
                  write_words(rsa.key.q, rsa.factors.q) && write_words(rsa.key.dP, rsa.factors.dp) &&
                  write_words(rsa.key.dQ, rsa.factors.dq) && write_words(rsa.key.u, rsa.factors.q_inverse);
}

// DER, wiped when it goes.
struct Der {
  std::array<byte, kKeyDerBytesMax> bytes;
  ~Der() { wipe(bytes); }
};

}  // namespace

Result<std::shared_ptr<const PrivateKey>> PrivateKey::read(std::string_view pem) {
  const auto der = std::make_unique<Der>();
  const int size = wc_KeyPemToDer(reinterpret_cast<const byte*>(pem.data()), static_cast<int>(pem.size()),
                                  der->bytes.data(), static_cast<int>(der->bytes.size()), nullptr);
  if (size <= 0) return failure("the private key is no PEM that can be read");

  auto parts = std::make_unique<Parts>();
  parts->memory = LockedMemory::allocate(std::max(sizeof(RsaParts), sizeof(EcdsaParts)));
  if (parts->memory.is_empty()) return failure("no memory for the private key");
  word32 at = 0;
  parts->rsa.reset(new (parts->memory.bytes().data()) RsaParts);
  if (wc_RsaPrivateKeyDecode(der->bytes.data(), &at, &parts->rsa->key, static_cast<word32>(size)) == 0) {
    const int bits = bit_count(parts->rsa->key.n);
    if (bits % 8 != 0) return failure(fmt::format("the RSA key has {} bits: use one of 2048, 3072 or 4096", bits));
    parts->size_bytes = static_cast<size_t>(bits) / 8;
    prepare_batching(*parts->rsa);
    return std::shared_ptr<const PrivateKey>(new PrivateKey(std::move(parts)));
  }
  parts->rsa = nullptr;

  at = 0;
  parts->ecdsa.reset(new (parts->memory.bytes().data()) EcdsaParts);
  if (wc_EccPrivateKeyDecode(der->bytes.data(), &at, &parts->ecdsa->key, static_cast<word32>(size)) != 0)
    return failure("the private key is neither RSA nor ECDSA");
  parts->size_bytes = static_cast<size_t>(wc_ecc_size(&parts->ecdsa->key));
  return std::shared_ptr<const PrivateKey>(new PrivateKey(std::move(parts)));
}

PrivateKey::PrivateKey(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
PrivateKey::~PrivateKey() = default;

PrivateKey::Kind PrivateKey::kind() const noexcept { return parts_->rsa != nullptr ? Kind::rsa : Kind::ecdsa; }
size_t PrivateKey::size_bytes() const noexcept { return parts_->size_bytes; }

bool PrivateKey::is_worth_queueing() const noexcept {
  return kind() == Kind::rsa && (size_bytes() == 256 || size_bytes() == 384 || size_bytes() == 512);
}

// --- One by one ------------------------------------------------------------------------------------

namespace {

// wolfCrypt only reads the key, but says so nowhere.
bool run_one(const RsaKey& key, const std::byte* input, std::byte* output, size_t size, int type,
             WC_RNG* random) noexcept {
  word32 written = static_cast<word32>(size);
  return wc_RsaFunction(as_wolfcrypt(input), static_cast<word32>(size), as_wolfcrypt(output), &written, type,
                        const_cast<RsaKey*>(&key), random) == 0 &&
         written == size;
}

}  // namespace

bool PrivateKey::run(const std::byte* input, std::byte* output, WC_RNG* random) const noexcept {
  CHECK(kind() == Kind::rsa);
  const size_t size = size_bytes();
  std::array<std::byte, rsa_bytes_max> result;
  std::array<std::byte, rsa_bytes_max> check;
  if (!run_one(parts_->rsa->key, input, result.data(), size, RSA_PRIVATE_ENCRYPT, random)) return false;
  if (!run_public(result.data(), check.data()) || std::memcmp(check.data(), input, size) != 0) return false;
  std::memcpy(output, result.data(), size);
  return true;
}

bool PrivateKey::run_public(const std::byte* input, std::byte* output) const noexcept {
  CHECK(kind() == Kind::rsa);
  return run_one(parts_->rsa->key, input, output, size_bytes(), RSA_PUBLIC_DECRYPT, nullptr);
}

size_t PrivateKey::sign(ConstBytes digest, MutableBytes signature, WC_RNG* random) const noexcept {
  CHECK(kind() == Kind::ecdsa);
  word32 size = static_cast<word32>(signature.size());
  const int code = wc_ecc_sign_hash(as_wolfcrypt(digest.data()), static_cast<word32>(digest.size()),
                                    as_wolfcrypt(signature.data()), &size, random, &parts_->ecdsa->key);
  return code == 0 ? size : 0;
}

// --- Batches ---------------------------------------------------------------------------------------

#ifdef SLUICE_HAS_CRYPTO_MB

bool can_use_crypto_mb() noexcept {
  static const bool can = mbx_is_crypto_mb_applicable(mbx_get_cpu_features()) != 0;
  return can;
}

namespace {

constexpr size_t kLanes = PrivateKey::rsa_batch_max;

// What the methods need at most, as mbx_RSA_Method_BufSize says.
constexpr size_t kScratchBytes = 112 * 1024;

bool fits(const mbx_RSA_Method* method) noexcept {
  return method != nullptr && static_cast<size_t>(mbx_RSA_Method_BufSize(method)) <= kScratchBytes;
}

struct Batch {
  std::array<const int8u*, kLanes> input{};
  std::array<int8u*, kLanes> output{};
  std::array<const int64u*, kLanes> n{}, p{}, q{}, dp{}, dq{}, q_inverse{};
  std::array<int8u, kLanes * PrivateKey::rsa_bytes_max> signatures;
  std::array<int8u, kLanes * PrivateKey::rsa_bytes_max> checks;
  std::array<int8u, kScratchBytes> scratch;
};

const int64u* words_of(const auto& words) noexcept { return reinterpret_cast<const int64u*>(words.data()); }

// Lanes beyond the operations stay null: the library reports them as such and does the rest.
void run_in_lanes(std::span<RsaOperation> operations, std::span<const RsaParts*> keys, size_t size,
                  Batch& batch) noexcept {
  const int bits = static_cast<int>(size * 8);
  const mbx_RSA_Method* private_method = mbx_RSA_private_crt_Method(bits);
  const mbx_RSA_Method* public_method = mbx_RSA_pub65537_Method(bits);
  if (!fits(private_method) || !fits(public_method)) return;

  for (size_t i = 0; i < operations.size(); ++i) {
    const RsaParts& key = *keys[i];
    batch.input[i] = reinterpret_cast<const int8u*>(operations[i].input);
    batch.output[i] = &batch.signatures[i * PrivateKey::rsa_bytes_max];
    batch.n[i] = words_of(key.n);
    batch.p[i] = words_of(key.factors.p);
    batch.q[i] = words_of(key.factors.q);
    batch.dp[i] = words_of(key.factors.dp);
    batch.dq[i] = words_of(key.factors.dq);
    batch.q_inverse[i] = words_of(key.factors.q_inverse);
  }
  const mbx_status made =
      mbx_rsa_private_crt_mb8(batch.input.data(), batch.output.data(), batch.p.data(), batch.q.data(), batch.dp.data(),
                              batch.dq.data(), batch.q_inverse.data(), bits, private_method, batch.scratch.data());

  std::array<const int8u*, kLanes> signatures{};
  for (size_t i = 0; i < operations.size(); ++i) {
    signatures[i] = batch.output[i];
    batch.output[i] = &batch.checks[i * PrivateKey::rsa_bytes_max];
  }
  const mbx_status checked = mbx_rsa_public_mb8(signatures.data(), batch.output.data(), batch.n.data(), bits,
                                                public_method, batch.scratch.data());
  for (size_t i = 0; i < operations.size(); ++i) {
    const int lane = static_cast<int>(i);
    RsaOperation& operation = operations[i];
    operation.has_succeeded = MBX_GET_STS(made, lane) == MBX_STATUS_OK && MBX_GET_STS(checked, lane) == MBX_STATUS_OK &&
                              std::memcmp(batch.output[i], operation.input, size) == 0;
    if (operation.has_succeeded) std::memcpy(operation.output, signatures[i], size);
  }
}

}  // namespace

void PrivateKey::run_batch(std::span<RsaOperation> operations, RsaBatching batching, WC_RNG* random) noexcept {
  CHECK(operations.size() <= rsa_batch_max);
  std::array<const RsaParts*, kLanes> keys{};
  const bool is_wanted =
      batching == RsaBatching::always || (batching == RsaBatching::automatic && operations.size() > 1);
  bool can_batch = is_wanted && can_use_crypto_mb();
  for (size_t i = 0; i < operations.size(); ++i) {
    CHECK(operations[i].key->is_worth_queueing() && operations[i].key->size_bytes() == operations[0].key->size_bytes());
    keys[i] = operations[i].key->parts_->rsa.get();
    can_batch = can_batch && keys[i]->can_batch;
  }
  if (can_batch) {
    Batch batch;  // 180 KiB
    run_in_lanes(operations, std::span(keys).first(operations.size()), operations[0].key->size_bytes(), batch);
    explicit_bzero(&batch, sizeof batch);
  }
  // One by one, and once more what has failed: the library may refuse what is only unusual.
  for (RsaOperation& operation : operations) {
    if (!operation.has_succeeded)
      operation.has_succeeded = operation.key->run(operation.input, operation.output, random);
  }
}

#else

bool can_use_crypto_mb() noexcept { return false; }

void PrivateKey::run_batch(std::span<RsaOperation> operations, RsaBatching /*batching*/, WC_RNG* random) noexcept {
  for (RsaOperation& operation : operations)
    operation.has_succeeded = operation.key->run(operation.input, operation.output, random);
}

#endif

}  // namespace sluice::tls
