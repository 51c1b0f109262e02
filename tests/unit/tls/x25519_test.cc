#include "tls/x25519.h"

#include "tls/private_key.h"
#include "tls/random_source.h"

#include <openssl/evp.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace sluice::tls {
namespace {

const unsigned char* openssl(const std::array<std::byte, x25519_bytes>& key) {
  return reinterpret_cast<const unsigned char*>(key.data());
}

TEST(X25519Keys, ArePairsEachOfWhichIsGivenOutOnce) {
  if (!can_use_crypto_mb()) GTEST_SKIP() << "this processor has no AVX-512 IFMA: the TLS library makes the keys";
  const RandomSource random;
  std::set<std::string> seen;
  for (int i = 0; i < 30; ++i) {
    X25519KeyPair pair;
    ASSERT_TRUE(take_x25519_key_pair(pair, random.get()));
    EXPECT_TRUE(seen.emplace(as_text(pair.private_key)).second);

    EVP_PKEY* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, openssl(pair.private_key), x25519_bytes);
    std::array<std::byte, x25519_bytes> expected;
    size_t size = x25519_bytes;
    EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(expected.data()), &size);
    EVP_PKEY_free(key);
    EXPECT_EQ(pair.public_key, expected) << i;
  }
}

}  // namespace
}  // namespace sluice::tls
