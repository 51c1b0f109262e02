#include "certs/signing_key.h"

#include "base/limits.h"
#include "base/wipe.h"
#include "certs/der_writer.h"
#include "certs/object_identifiers.h"
#include "tls/der.h"
#include "tls/pem.h"
#include "tls/random_source.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/signature.h>

#include <fmt/format.h>

#include <array>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace sluice::certs {
namespace {

constexpr size_t kKeyDerBytesMax = 4096;    // RSA-4096 in PKCS#8 takes 2 400
constexpr size_t kSignatureBytesMax = 512;  // RSA-4096
constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 4096;

constexpr std::string_view kPkcs8Label = "PRIVATE KEY";
constexpr std::string_view kPkcs1Label = "RSA PRIVATE KEY";
constexpr std::string_view kSec1Label = "EC PRIVATE KEY";

constexpr std::string_view kUsableKeys = "use RSA with 2048, 3072 or 4096 bits, or ECDSA on P-256 or P-384";

const byte* as_wolfcrypt(ConstBytes bytes) noexcept { return reinterpret_cast<const byte*>(bytes.data()); }
word32 size_of(ConstBytes bytes) noexcept { return static_cast<word32>(bytes.size()); }

Error error_of(std::string_view what, int code) {
  return {fmt::format("{} failed: {}", what, wc_GetErrorString(code))};
}

// Bytes of a key: wiped when they go.
struct SecretBytes {
  SecretBytes() = default;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { wipe(bytes); }

  std::array<byte, kKeyDerBytesMax> bytes;
};

// A key of one of the two kinds, private or public.
struct Key {
  explicit Key(bool is_rsa_key) : is_rsa(is_rsa_key) {
    if (is_rsa) {
      wc_InitRsaKey(&rsa, nullptr);
    } else {
      wc_ecc_init(&ecc);
    }
  }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  ~Key() {  // both wipe the private part
    if (is_rsa) {
      wc_FreeRsaKey(&rsa);
    } else {
      wc_ecc_free(&ecc);
    }
  }

  [[nodiscard]] const void* address() const noexcept {
    return is_rsa ? static_cast<const void*>(&rsa) : static_cast<const void*>(&ecc);
  }
  [[nodiscard]] word32 size() const noexcept { return is_rsa ? sizeof rsa : sizeof ecc; }
  [[nodiscard]] wc_SignatureType signature_type() const noexcept {
    return is_rsa ? WC_SIGNATURE_TYPE_RSA_W_ENC : WC_SIGNATURE_TYPE_ECC;
  }

  bool is_rsa;
  union {
    RsaKey rsa;
    ecc_key ecc;
  };
};

Status check_strength(Key& key) {
  if (key.is_rsa) {
    const int bits = mp_count_bits(&key.rsa.n);
    if (bits >= kRsaBitsMin && bits <= kRsaBitsMax && bits % 8 == 0) return {};
    return failure(fmt::format("is an RSA key of {} bits: {}", bits, kUsableKeys));
  }
  const int curve = key.ecc.dp == nullptr ? ECC_CURVE_INVALID : key.ecc.dp->id;
  if (curve == ECC_SECP256R1 || curve == ECC_SECP384R1) return {};
  return failure(fmt::format("is an ECDSA key on another curve: {}", kUsableKeys));
}

Result<std::string> write_public_key(Key& key) {
  std::array<byte, 1024> der;  // RSA-4096 takes 550
  const int size = key.is_rsa ? wc_RsaKeyToPublicDer(&key.rsa, der.data(), der.size())
                              : wc_EccPublicKeyToDer(&key.ecc, der.data(), der.size(), 1);
  if (size <= 0) return std::unexpected(error_of("writing the public key", size));
  return std::string(reinterpret_cast<const char*>(der.data()), static_cast<size_t>(size));
}

}  // namespace

struct SigningKey::Parts {
  explicit Parts(bool is_rsa) : key(is_rsa) {}

  mutable Key key;  // wolfCrypt's functions lack const
  std::string public_key;
};

SigningKey::SigningKey(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

bool SigningKey::is_rsa() const noexcept { return parts_->key.is_rsa; }
const std::string& SigningKey::public_key() const noexcept { return parts_->public_key; }

// --- Making ----------------------------------------------------------------------------------------

Result<SigningKey> SigningKey::make(KeyType type) {
  WC_RNG* random = tls::RandomSource::of_thread();
  if (random == nullptr) return std::unexpected(error_of("making a key: the random number generator", RNG_FAILURE_E));
  auto parts = std::make_unique<Parts>(certs::is_rsa(type));
  Key& key = parts->key;
  int code = BAD_FUNC_ARG;
  switch (type) {
    case KeyType::rsa_2048: code = wc_MakeRsaKey(&key.rsa, 2048, WC_RSA_EXPONENT, random); break;
    case KeyType::rsa_3072: code = wc_MakeRsaKey(&key.rsa, 3072, WC_RSA_EXPONENT, random); break;
    case KeyType::rsa_4096: code = wc_MakeRsaKey(&key.rsa, 4096, WC_RSA_EXPONENT, random); break;
    case KeyType::ecdsa_p256: code = wc_ecc_make_key_ex(random, 32, &key.ecc, ECC_SECP256R1); break;
    case KeyType::ecdsa_p384: code = wc_ecc_make_key_ex(random, 48, &key.ecc, ECC_SECP384R1); break;
  }
  if (code != 0) return std::unexpected(error_of("making a key", code));
  Result<std::string> public_key = write_public_key(key);
  if (!public_key) return std::unexpected(public_key.error());
  parts->public_key = std::move(*public_key);
  return SigningKey(std::move(parts));
}

// --- PEM -------------------------------------------------------------------------------------------

namespace {

// The private key's DER in the first of the labels that `pem` has.
struct KeyBlock {
  ~KeyBlock() { wipe(der); }

  tls::Der der;
};

Status find_key_block(std::string_view pem, KeyBlock& block) {
  if (pem.size() > limits::private_key_pem_bytes_max)
    return failure(
        fmt::format("is too long: {} bytes; a key has at most {}", pem.size(), limits::private_key_pem_bytes_max));
  if (pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || pem.contains("Proc-Type: 4,ENCRYPTED"))
    return failure("is encrypted: decrypt it with 'openssl pkey -in tls.key -out plain.key' and use plain.key");
  for (const std::string_view label : {kPkcs8Label, kPkcs1Label, kSec1Label}) {
    if (!pem.contains(fmt::format("-----BEGIN {}-----", label))) continue;
    auto blocks = tls::decode_pem(pem, label);
    if (!blocks) return std::unexpected(blocks.error());
    block.der = std::move(blocks->front());
    for (tls::Der& other : *blocks) wipe(other);
    return {};
  }
  return failure("is no PEM private key ('-----BEGIN PRIVATE KEY-----')");
}

// The algorithm of a SubjectPublicKeyInfo, or of PKCS#8 after its version.
std::string_view algorithm_of(ConstBytes fields) noexcept {
  const auto algorithm = tls::der::take(fields);
  if (!algorithm || algorithm->tag != tls::der::kSequence) return {};
  ConstBytes parts = algorithm->content;
  const auto identifier = tls::der::take(parts);
  return identifier && identifier->tag == tls::der::kObjectIdentifier ? as_text(identifier->content)
                                                                      : std::string_view();
}

std::string_view pkcs8_algorithm(ConstBytes der) noexcept {
  const auto outer = tls::der::take(der);
  if (!outer || outer->tag != tls::der::kSequence) return {};
  ConstBytes fields = outer->content;
  const auto version = tls::der::take(fields);
  return version && version->tag == tls::der::kInteger ? algorithm_of(fields) : std::string_view();
}

// "is an Ed25519 key: ...", of an algorithm that is known but not supported.
std::optional<Error> refusal_of(std::string_view algorithm) {
  const std::string_view name = algorithm == oid::ed25519   ? "Ed25519"
                                : algorithm == oid::ed448   ? "Ed448"
                                : algorithm == oid::rsa_pss ? "RSA-PSS"
                                                            : "";
  if (name.empty()) return std::nullopt;
  return Error{fmt::format("is an {} key, which is not supported: {}", name, kUsableKeys)};
}

bool decode_private_key(Key& key, ConstBytes der) {
  word32 at = 0;
  if (key.is_rsa) return wc_RsaPrivateKeyDecode(as_wolfcrypt(der), &at, &key.rsa, size_of(der)) == 0;
  if (wc_EccPrivateKeyDecode(as_wolfcrypt(der), &at, &key.ecc, size_of(der)) != 0) return false;
  // SEC 1 allows to leave the public key out.
  return key.ecc.type != ECC_PRIVATEKEY_ONLY ||
         wc_ecc_make_pub_ex(&key.ecc, nullptr, tls::RandomSource::of_thread()) == 0;
}

}  // namespace

Result<SigningKey> SigningKey::read(std::string_view pem) {
  KeyBlock block;
  if (Status status = find_key_block(pem, block); !status) return std::unexpected(status.error());
  if (const auto refused = refusal_of(pkcs8_algorithm(block.der))) return std::unexpected(*refused);
  for (const bool is_rsa : {true, false}) {
    auto parts = std::make_unique<Parts>(is_rsa);
    if (!decode_private_key(parts->key, block.der)) continue;
    if (Status status = check_strength(parts->key); !status) return std::unexpected(status.error());
    Result<std::string> public_key = write_public_key(parts->key);
    if (!public_key) return std::unexpected(public_key.error());
    parts->public_key = std::move(*public_key);
    return SigningKey(std::move(parts));
  }
  return failure(fmt::format("is a private key that cannot be read: {}", kUsableKeys));
}

Result<std::string> SigningKey::to_pem(KeyEncoding encoding) const {
  Key& key = parts_->key;
  SecretBytes traditional, pkcs8;
  int size = key.is_rsa ? wc_RsaKeyToDer(&key.rsa, traditional.bytes.data(), kKeyDerBytesMax)
                        : wc_EccKeyToDer(&key.ecc, traditional.bytes.data(), kKeyDerBytesMax);
  SecretBytes* written = &traditional;
  if (size > 0 && encoding == KeyEncoding::pkcs8) {
    word32 pkcs8_size = kKeyDerBytesMax;
    size = key.is_rsa ? wc_CreatePKCS8Key(pkcs8.bytes.data(), &pkcs8_size, traditional.bytes.data(),
                                          static_cast<word32>(size), RSAk, nullptr, 0)
                      : wc_EccKeyToPKCS8(&key.ecc, pkcs8.bytes.data(), &pkcs8_size);
    written = &pkcs8;
  }
  if (size <= 0) return std::unexpected(error_of("writing the key", size));
  const std::string_view label = encoding == KeyEncoding::pkcs8 ? kPkcs8Label : (key.is_rsa ? kPkcs1Label : kSec1Label);
  return tls::encode_pem(std::as_bytes(std::span(written->bytes).first(static_cast<size_t>(size))), label);
}

// --- Signatures ------------------------------------------------------------------------------------

namespace {

struct SignatureAlgorithm {
  std::string_view oid;
  wc_HashType hash;
  bool is_rsa;
};

constexpr std::array kSignatureAlgorithms{
    SignatureAlgorithm{oid::sha256_with_rsa, WC_HASH_TYPE_SHA256, true},
    SignatureAlgorithm{oid::sha384_with_rsa, WC_HASH_TYPE_SHA384, true},
    SignatureAlgorithm{oid::sha512_with_rsa, WC_HASH_TYPE_SHA512, true},
    SignatureAlgorithm{oid::ecdsa_with_sha256, WC_HASH_TYPE_SHA256, false},
    SignatureAlgorithm{oid::ecdsa_with_sha384, WC_HASH_TYPE_SHA384, false},
    SignatureAlgorithm{oid::ecdsa_with_sha512, WC_HASH_TYPE_SHA512, false},
};

const SignatureAlgorithm& algorithm_for(const Key& key) noexcept {
  if (key.is_rsa) return kSignatureAlgorithms[0];
  return kSignatureAlgorithms[key.ecc.dp->id == ECC_SECP384R1 ? 4 : 3];
}

bool decode_public_key(Key& key, ConstBytes der) {
  word32 at = 0;
  if (key.is_rsa) return wc_RsaPublicKeyDecode(as_wolfcrypt(der), &at, &key.rsa, size_of(der)) == 0;
  return wc_EccPublicKeyDecode(as_wolfcrypt(der), &at, &key.ecc, size_of(der)) == 0 && wc_ecc_check_key(&key.ecc) == 0;
}

}  // namespace

std::string SigningKey::signature_algorithm() const {
  // RFC 4055 5: NULL parameters with RSA; RFC 5758 3.2: none with ECDSA.
  const std::string identifier = der::object_identifier(algorithm_for(parts_->key).oid);
  return is_rsa() ? der::sequence({identifier, der::element(5, "")}) : der::sequence({identifier});
}

Result<std::string> SigningKey::sign(std::string_view message) const {
  std::array<byte, kSignatureBytesMax> signature;
  const Key& key = parts_->key;
  const int wanted = wc_SignatureGetSize(key.signature_type(), key.address(), key.size());
  if (wanted <= 0 || static_cast<size_t>(wanted) > signature.size())
    return std::unexpected(error_of("signing", wanted));
  auto size = static_cast<word32>(wanted);
  const int code =
      wc_SignatureGenerate_ex(algorithm_for(key).hash, key.signature_type(), as_wolfcrypt(as_bytes(message)),
                              static_cast<word32>(message.size()), signature.data(), &size, key.address(), key.size(),
                              tls::RandomSource::of_thread(), /*verify=*/1);
  if (code != 0) return std::unexpected(error_of("signing", code));
  return std::string(reinterpret_cast<const char*>(signature.data()), size);
}

Result<PublicKey> read_public_key(ConstBytes der) {
  ConstBytes rest = der;
  const auto outer = tls::der::take(rest);
  if (!outer || outer->tag != tls::der::kSequence || !rest.empty()) return failure("is no public key");
  const std::string_view algorithm = algorithm_of(outer->content);
  if (const auto refused = refusal_of(algorithm)) return std::unexpected(*refused);
  if (algorithm != oid::rsa_key && algorithm != oid::ec_key)
    return failure(fmt::format("is a key of an unknown kind: {}", kUsableKeys));
  Key key(algorithm == oid::rsa_key);
  if (!decode_public_key(key, der)) return failure(fmt::format("is a key that cannot be read: {}", kUsableKeys));
  if (Status status = check_strength(key); !status) return std::unexpected(status.error());
  Result<std::string> canonical = write_public_key(key);
  if (!canonical) return std::unexpected(canonical.error());
  return PublicKey{key.is_rsa, std::move(*canonical)};
}

Status check_signature(const PublicKey& key, ConstBytes algorithm, ConstBytes message, ConstBytes signature) {
  const std::string_view identifier = algorithm_of(algorithm);
  for (const SignatureAlgorithm& known : kSignatureAlgorithms) {
    if (known.oid != identifier || known.is_rsa != key.is_rsa) continue;
    Key decoded(key.is_rsa);
    const bool is_right =
        decode_public_key(decoded, as_bytes(key.der)) &&
        wc_SignatureVerify(known.hash, decoded.signature_type(), as_wolfcrypt(message), size_of(message),
                           as_wolfcrypt(signature), size_of(signature), decoded.address(), decoded.size()) == 0;
    return is_right ? Status() : failure("has a wrong signature");
  }
  return failure("is signed with an algorithm that is not supported: use SHA-256 with the key's own kind");
}

}  // namespace sluice::certs
