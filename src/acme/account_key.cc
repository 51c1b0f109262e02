#include "acme/account_key.h"

#include "base/base64.h"
#include "base/wipe.h"
#include "tls/parsed_certificate.h"
#include "tls/random_source.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

namespace sluice::acme {

namespace {

constexpr size_t kKeyDerBytesMax = 4096;  // RSA-4096 in PKCS#8 takes 2 400
constexpr size_t kKeyPemBytesMax = 8192;
constexpr size_t kFieldBytes = 32;  // of P-256
constexpr size_t kRsaBytesMax = 512;
constexpr std::string_view kUsableKeys = "ECDSA on P-256, or RSA of 2048 to 4096 bits";

// Bytes of a key: wiped when they go.
struct SecretBytes {
  std::array<byte, kKeyDerBytesMax> bytes;
  ~SecretBytes() { wipe(bytes); }
};

std::string base64url_of(std::span<const byte> bytes) {
  return to_base64url({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

}  // namespace

// One of the two. Both wipe themselves.
struct AccountKey::Parts {
  explicit Parts(bool has_rsa) : is_rsa(has_rsa) {
    if (is_rsa) {
      wc_InitRsaKey(&rsa, nullptr);
    } else {
      wc_ecc_init(&ecc);
    }
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  ~Parts() {
    if (is_rsa) {
      wc_FreeRsaKey(&rsa);
    } else {
      wc_ecc_free(&ecc);
    }
  }

  const bool is_rsa;
  union {
    RsaKey rsa;
    ecc_key ecc;
  };
};

AccountKey::AccountKey(std::unique_ptr<Parts> parts, std::string jwk) noexcept
    : parts_(std::move(parts)), jwk_(std::move(jwk)) {}
AccountKey::AccountKey(AccountKey&&) noexcept = default;
AccountKey& AccountKey::operator=(AccountKey&&) noexcept = default;
AccountKey::~AccountKey() = default;

// --- Making and reading ----------------------------------------------------------------------------

Result<AccountKey> AccountKey::from(std::unique_ptr<Parts> parts) {
  if (parts->is_rsa) {
    std::array<byte, 8> e{};
    std::array<byte, kRsaBytesMax> n{};
    word32 e_size = e.size();
    word32 n_size = n.size();
    if (wc_RsaFlattenPublicKey(&parts->rsa, e.data(), &e_size, n.data(), &n_size) != 0)
      return failure(fmt::format("holds a key that cannot be used: it must be {}", kUsableKeys));
    std::string jwk = fmt::format(R"({{"e":"{}","kty":"RSA","n":"{}"}})", base64url_of(std::span(e).first(e_size)),
                                  base64url_of(std::span(n).first(n_size)));
    return AccountKey(std::move(parts), std::move(jwk));
  }
  std::array<byte, kFieldBytes> x{};
  std::array<byte, kFieldBytes> y{};
  word32 x_size = x.size();
  word32 y_size = y.size();
  if (wc_ecc_export_public_raw(&parts->ecc, x.data(), &x_size, y.data(), &y_size) != 0)
    return failure("holds an ECDSA key without its public part");
  std::string jwk = fmt::format(R"({{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}})", base64url_of(x), base64url_of(y));
  return AccountKey(std::move(parts), std::move(jwk));
}

Result<AccountKey> AccountKey::make() {
  auto parts = std::make_unique<Parts>(/*has_rsa=*/false);
  WC_RNG* random = tls::RandomSource::of_thread();
  if (random == nullptr || wc_ecc_make_key_ex(random, kFieldBytes, &parts->ecc, ECC_SECP256R1) != 0)
    return failure("cannot make an account key: the operating system gives no random numbers");
  return from(std::move(parts));
}

Result<AccountKey> AccountKey::read(std::string_view pem) {
  SecretBytes der;
  const int size = wc_KeyPemToDer(reinterpret_cast<const byte*>(pem.data()), static_cast<int>(pem.size()),
                                  der.bytes.data(), static_cast<int>(der.bytes.size()), nullptr);
  if (size <= 0) return failure("holds no private key in PEM that can be read ('-----BEGIN PRIVATE KEY-----')");
  const auto der_size = static_cast<word32>(size);

  word32 at = 0;
  auto rsa = std::make_unique<Parts>(/*has_rsa=*/true);
  if (wc_RsaPrivateKeyDecode(der.bytes.data(), &at, &rsa->rsa, der_size) == 0) {
    const int bits = wc_RsaEncryptSize(&rsa->rsa) * 8;
    if (bits < 2048 || bits > 4096)
      return failure(fmt::format("holds an RSA key of {} bits: it must be {}", bits, kUsableKeys));
    return from(std::move(rsa));
  }
  at = 0;
  auto ecc = std::make_unique<Parts>(/*has_rsa=*/false);
  if (wc_EccPrivateKeyDecode(der.bytes.data(), &at, &ecc->ecc, der_size) != 0 ||
      wc_ecc_get_curve_id(ecc->ecc.idx) != ECC_SECP256R1)
    return failure(fmt::format("holds a key of another kind: it must be {}", kUsableKeys));
  // SEC 1 and PKCS#8 may leave the public part out.
  if (ecc->ecc.type == ECC_PRIVATEKEY_ONLY && wc_ecc_make_pub(&ecc->ecc, nullptr) != 0)
    return failure("holds an ECDSA key that is none of P-256");
  return from(std::move(ecc));
}

std::string AccountKey::to_pem() const {
  SecretBytes pkcs8;
  auto size = static_cast<word32>(pkcs8.bytes.size());
  int code = 0;
  if (parts_->is_rsa) {
    SecretBytes pkcs1;
    const int pkcs1_size = wc_RsaKeyToDer(&parts_->rsa, pkcs1.bytes.data(), static_cast<word32>(pkcs1.bytes.size()));
    if (pkcs1_size <= 0) return {};
    code = wc_CreatePKCS8Key(pkcs8.bytes.data(), &size, pkcs1.bytes.data(), static_cast<word32>(pkcs1_size), RSAk,
                             nullptr, 0);
  } else {
    code = wc_EccKeyToPKCS8(&parts_->ecc, pkcs8.bytes.data(), &size);
  }
  if (code <= 0) return {};
  std::string pem(kKeyPemBytesMax, '\0');
  const int pem_size = wc_DerToPemEx(pkcs8.bytes.data(), size, reinterpret_cast<byte*>(pem.data()),
                                     static_cast<word32>(pem.size()), nullptr, PKCS8_PRIVATEKEY_TYPE);
  pem.resize(pem_size > 0 ? static_cast<size_t>(pem_size) : 0);
  return pem;
}

// --- Using it --------------------------------------------------------------------------------------

std::string_view AccountKey::algorithm() const noexcept { return parts_->is_rsa ? "RS256" : "ES256"; }

std::string AccountKey::thumbprint() const {
  const std::array<uint8_t, 32> digest = tls::sha256(as_bytes(jwk_));
  return to_base64url(std::as_bytes(std::span(digest)));
}

Result<std::string> AccountKey::sign(std::string_view text) const {
  const std::array<uint8_t, 32> digest = tls::sha256(as_bytes(text));
  WC_RNG* random = tls::RandomSource::of_thread();
  const auto refuse = [] { return failure("cannot sign with the account key: the cryptography library refuses"); };
  if (random == nullptr) return refuse();
  if (parts_->is_rsa) {  // RFC 8017 8.2
    std::array<byte, 64> encoded{};
    const word32 size = wc_EncodeSignature(encoded.data(), digest.data(), digest.size(), SHA256h);
    std::string signature(static_cast<size_t>(wc_RsaEncryptSize(&parts_->rsa)), '\0');
    wc_RsaSetRNG(&parts_->rsa, random);  // blinds it
    const int written = wc_RsaSSL_Sign(encoded.data(), size, reinterpret_cast<byte*>(signature.data()),
                                       static_cast<word32>(signature.size()), &parts_->rsa, random);
    if (size == 0 || written != static_cast<int>(signature.size())) return refuse();
    return signature;
  }
  std::array<byte, 80> der{};
  word32 der_size = der.size();
  std::array<byte, kFieldBytes> r{};
  std::array<byte, kFieldBytes> s{};
  word32 r_size = r.size();
  word32 s_size = s.size();
  if (wc_ecc_sign_hash(digest.data(), digest.size(), der.data(), &der_size, random, &parts_->ecc) != 0 ||
      wc_ecc_sig_to_rs(der.data(), der_size, r.data(), &r_size, s.data(), &s_size) != 0)
    return refuse();
  std::string signature(2 * kFieldBytes, '\0');  // both numbers in full, with zeros in front
  std::memcpy(signature.data() + kFieldBytes - r_size, r.data(), r_size);
  std::memcpy(signature.data() + 2 * kFieldBytes - s_size, s.data(), s_size);
  return signature;
}

}  // namespace sluice::acme
