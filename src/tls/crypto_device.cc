#include "tls/crypto_device.h"

#include "base/check.h"
#include "tls/private_key.h"
#include "tls/session.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include <cstring>

namespace sluice::tls {

namespace {

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

int run_public_key(wc_CryptoInfo& info) {
  switch (info.pk.type) {
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

int on_crypto_operation(int /*device*/, wc_CryptoInfo* info, void* /*unused*/) {
  return info->algo_type == WC_ALGO_TYPE_PK ? run_public_key(*info) : CRYPTOCB_UNAVAILABLE;
}

}  // namespace

Status register_crypto_device() {
  if (wc_CryptoCb_RegisterDevice(kDeviceId, on_crypto_operation, nullptr) != 0)
    return failure("the TLS library refuses sluice's cryptography: it was built without crypto callbacks");
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
