#include "tls/crypto_device.h"

#include "base/check.h"
#include "tls/private_key.h"
#include "tls/record_cipher.h"
#include "tls/session.h"
#include "tls/x25519.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include <cstring>
#include <span>

namespace sluice::tls {

namespace {

// --- Keys ------------------------------------------------------------------------------------------

constexpr int kDeviceId = 0x736c;  // any number but INVALID_DEVID

const std::byte* as_bytes_of(const byte* data) noexcept { return reinterpret_cast<const std::byte*>(data); }
std::byte* as_bytes_of(byte* data) noexcept { return reinterpret_cast<std::byte*>(data); }

// The id of a key is its address. Null: a key that wolfSSL has itself, a peer's public key for example.
const PrivateKey* key_of(const unsigned char* id, int size) noexcept {
  const PrivateKey* key = nullptr;
  if (size != sizeof key) return nullptr;
  std::memcpy(&key, id, sizeof key);
  return key;
}

// The block is padded already. wolfSSL checks its signatures once more with the public operation, for which
// the session remembers what it has just signed.
int run_rsa(const PrivateKey& key, wc_CryptoInfo& info) {
  auto& rsa = info.pk.rsa;
  Session* session = Session::running();
  if (session == nullptr || rsa.inLen != key.size_bytes() || *rsa.outLen < key.size_bytes()) return BAD_FUNC_ARG;
  *rsa.outLen = static_cast<word32>(key.size_bytes());
  switch (rsa.type) {
    case RSA_PRIVATE_ENCRYPT:
      return session->sign_block(key, as_bytes_of(rsa.in), as_bytes_of(rsa.out), rsa.rng) ? 0 : RSA_SIGN_FAULT;
    case RSA_PUBLIC_DECRYPT:
      return session->open_block(key, as_bytes_of(rsa.in), as_bytes_of(rsa.out)) ? 0 : RSA_SIGN_FAULT;
    default: return NOT_COMPILED_IN;  // RSA key exchange is not offered
  }
}

int make_x25519_key(curve25519_key* key, WC_RNG* random) {
  X25519KeyPair pair;
  if (!take_x25519_key_pair(pair, random)) return CRYPTOCB_UNAVAILABLE;
  return wc_curve25519_import_private_raw_ex(reinterpret_cast<const byte*>(pair.private_key.data()), x25519_bytes,
                                             reinterpret_cast<const byte*>(pair.public_key.data()), x25519_bytes, key,
                                             EC25519_LITTLE_ENDIAN);
}

int agree_on_x25519(wc_CryptoInfo& info) {
  auto& agreement = info.pk.curve25519;
  Session* session = Session::running();
  if (session == nullptr || agreement.endian != EC25519_LITTLE_ENDIAN || *agreement.outlen < x25519_bytes ||
      !session->agree(as_bytes_of(agreement.private_key->k), as_bytes_of(agreement.public_key->p.point),
                      as_bytes_of(agreement.out)))
    return CRYPTOCB_UNAVAILABLE;
  *agreement.outlen = x25519_bytes;
  return 0;
}

int run_public_key(wc_CryptoInfo& info) {
  switch (info.pk.type) {
    case WC_PK_TYPE_CURVE25519: return agree_on_x25519(info);
    case WC_PK_TYPE_CURVE25519_KEYGEN: return make_x25519_key(info.pk.curve25519kg.key, info.pk.curve25519kg.rng);
    case WC_PK_TYPE_RSA: {
      const PrivateKey* key = key_of(info.pk.rsa.key->id, info.pk.rsa.key->idLen);
      return key == nullptr ? CRYPTOCB_UNAVAILABLE : run_rsa(*key, info);
    }
    case WC_PK_TYPE_RSA_GET_SIZE: {
      const PrivateKey* key = key_of(info.pk.rsa_get_size.key->id, info.pk.rsa_get_size.key->idLen);
      if (key == nullptr) return CRYPTOCB_UNAVAILABLE;
      *info.pk.rsa_get_size.keySize = static_cast<int>(key->size_bytes());
      return 0;
    }
    case WC_PK_TYPE_ECDSA_SIGN: {
      auto& ecdsa = info.pk.eccsign;
      const PrivateKey* key = key_of(ecdsa.key->id, ecdsa.key->idLen);
      if (key == nullptr) return CRYPTOCB_UNAVAILABLE;
      const size_t size =
          key->sign({as_bytes_of(ecdsa.in), ecdsa.inlen}, {as_bytes_of(ecdsa.out), *ecdsa.outlen}, ecdsa.rng);
      *ecdsa.outlen = static_cast<word32>(size);
      return size == 0 ? ECC_BAD_ARG_E : 0;
    }
    default: return CRYPTOCB_UNAVAILABLE;
  }
}

// --- Records ---------------------------------------------------------------------------------------

bool is_for_record_cipher(const Aes& aes, word32 nonce_size, word32 tag_size) noexcept {
  return (aes.keylen == 16 || aes.keylen == 32) && nonce_size == gcm_nonce_bytes && tag_size == gcm_tag_bytes &&
         can_protect_records();
}

ConstBytes key_of(const Aes& aes) noexcept {
  return std::as_bytes(std::span(aes.devKey)).first(static_cast<size_t>(aes.keylen));
}

int run_cipher(wc_CryptoInfo& info) {
  if (info.cipher.type != WC_CIPHER_AES_GCM) return CRYPTOCB_UNAVAILABLE;
  if (info.cipher.enc != 0) {
    auto& gcm = info.cipher.aesgcm_enc;
    if (!is_for_record_cipher(*gcm.aes, gcm.ivSz, gcm.authTagSz)) return CRYPTOCB_UNAVAILABLE;
    encrypt_record(key_of(*gcm.aes), as_bytes_of(gcm.iv), {as_bytes_of(gcm.authIn), gcm.authInSz},
                   {as_bytes_of(gcm.in), gcm.sz}, as_bytes_of(gcm.out), as_bytes_of(gcm.authTag));
    return 0;
  }
  auto& gcm = info.cipher.aesgcm_dec;
  if (!is_for_record_cipher(*gcm.aes, gcm.ivSz, gcm.authTagSz)) return CRYPTOCB_UNAVAILABLE;
  const bool is_genuine = decrypt_record(key_of(*gcm.aes), as_bytes_of(gcm.iv), {as_bytes_of(gcm.authIn), gcm.authInSz},
                                         {as_bytes_of(gcm.in), gcm.sz}, as_bytes_of(gcm.authTag), as_bytes_of(gcm.out));
  return is_genuine ? 0 : AES_GCM_AUTH_E;
}

int on_crypto_operation(int /*device*/, wc_CryptoInfo* info, void* /*unused*/) {
  switch (info->algo_type) {
    case WC_ALGO_TYPE_PK: return run_public_key(*info);
    case WC_ALGO_TYPE_CIPHER: return run_cipher(*info);
    default: return CRYPTOCB_UNAVAILABLE;
  }
}

// Everything else - hashes, above all, a hundred times in a handshake - is wolfCrypt's without asking.
int find_device(int device, int algorithm) {
  return algorithm == WC_ALGO_TYPE_PK || algorithm == WC_ALGO_TYPE_CIPHER ? device : INVALID_DEVID;
}

}  // namespace

Status register_crypto_device() {
  wc_CryptoCb_SetDeviceFindCb(find_device);
  if (wc_CryptoCb_RegisterDevice(kDeviceId, on_crypto_operation, nullptr) != 0)
    return failure("the TLS library refuses sluice's cryptography: it was built without crypto callbacks");
  return {};
}

Status use_crypto_device(WOLFSSL_CTX* context) {
  if (wolfSSL_CTX_SetDevId(context, kDeviceId) != WOLFSSL_SUCCESS)
    return failure("the TLS library refuses sluice's cryptography");
  return {};
}

Status use_private_key(WOLFSSL_CTX* context, const PrivateKey& key) {
  const PrivateKey* address = &key;
  if (wolfSSL_CTX_use_PrivateKey_id(context, reinterpret_cast<const unsigned char*>(&address), sizeof address,
                                    kDeviceId, static_cast<long>(key.size_bytes())) != WOLFSSL_SUCCESS) {
    return failure("the TLS library refuses the private key");
  }
  return {};
}

}  // namespace sluice::tls
