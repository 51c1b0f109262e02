// AES-GCM by OpenSSL, which every processor can: what the multi-buffer library must agree with.
#pragma once

#include "base/bytes.h"
#include "tls/record_cipher.h"

#include <openssl/evp.h>

#include <cstddef>
#include <vector>

namespace sluice::test {

// The ciphertext, with the tag at its end.
inline std::vector<std::byte> encrypt_with_openssl(ConstBytes key, ConstBytes nonce, ConstBytes associated,
                                                   ConstBytes plain) {
  const auto in = [](ConstBytes bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); };
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  std::vector<std::byte> result(plain.size() + tls::gcm_tag_bytes);
  auto* out = reinterpret_cast<unsigned char*>(result.data());
  int size = 0;
  EVP_EncryptInit_ex(context, key.size() == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), nullptr, in(key), in(nonce));
  EVP_EncryptUpdate(context, nullptr, &size, in(associated), static_cast<int>(associated.size()));
  EVP_EncryptUpdate(context, out, &size, in(plain), static_cast<int>(plain.size()));
  EVP_EncryptFinal_ex(context, out + size, &size);
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, tls::gcm_tag_bytes, out + plain.size());
  EVP_CIPHER_CTX_free(context);
  return result;
}

}  // namespace sluice::test
