#include "tls/record_cipher.h"

#include "openssl_gcm.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace sluice::tls {
namespace {

std::vector<std::byte> random_bytes(size_t size, Random& random) {
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next() >> 56);
  return bytes;
}

class RecordCipher : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    if (!can_protect_records()) GTEST_SKIP() << "this processor has no VAES: the TLS library encrypts alone";
  }

  Random random{7};
  std::vector<std::byte> nonce = random_bytes(gcm_nonce_bytes, random);
  std::vector<std::byte> associated = random_bytes(13, random);
};

TEST_P(RecordCipher, AgreesWithOpensslForEverySize) {
  const std::vector<std::byte> key = random_bytes(GetParam(), random);
  for (const size_t size : {0U, 1U, 15U, 16U, 17U, 255U, 256U, 1000U, 16384U}) {
    const std::vector<std::byte> plain = random_bytes(size, random);
    std::vector<std::byte> sealed(size + gcm_tag_bytes);
    encrypt_record(key, nonce.data(), associated, plain, sealed.data(), sealed.data() + size);
    EXPECT_EQ(sealed, test::encrypt_with_openssl(key, nonce, associated, plain)) << size;

    std::vector<std::byte> opened(size);
    EXPECT_TRUE(decrypt_record(key, nonce.data(), associated, ConstBytes(sealed).first(size), sealed.data() + size,
                               opened.data()));
    EXPECT_EQ(opened, plain);
  }
}

TEST_P(RecordCipher, PutsTheTypeBehindTheContent) {
  const std::vector<std::byte> key = random_bytes(GetParam(), random);
  for (const size_t size : {0U, 1U, 15U, 16U, 17U, 255U, 256U, 1000U, 16384U}) {
    std::vector<std::byte> plain = random_bytes(size, random);
    std::vector<std::byte> sealed(size + 1 + gcm_tag_bytes);
    encrypt_record(key, nonce.data(), associated, plain, std::byte{23}, sealed.data(), sealed.data() + size + 1);
    plain.push_back(std::byte{23});
    EXPECT_EQ(sealed, test::encrypt_with_openssl(key, nonce, associated, plain)) << size;
  }
}

TEST_P(RecordCipher, WorksInPlace) {
  const std::vector<std::byte> key = random_bytes(GetParam(), random);
  const std::vector<std::byte> plain = random_bytes(500, random);
  std::vector<std::byte> bytes = plain;
  std::vector<std::byte> tag(gcm_tag_bytes);
  encrypt_record(key, nonce.data(), associated, bytes, bytes.data(), tag.data());
  EXPECT_NE(bytes, plain);
  EXPECT_TRUE(decrypt_record(key, nonce.data(), associated, bytes, tag.data(), bytes.data()));
  EXPECT_EQ(bytes, plain);
}

TEST_P(RecordCipher, GivesNothingOfARecordThatWasChanged) {
  const std::vector<std::byte> key = random_bytes(GetParam(), random);
  const std::vector<std::byte> plain = random_bytes(100, random);
  const std::vector<std::byte> sealed = test::encrypt_with_openssl(key, nonce, associated, plain);
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::vector<std::byte> changed = sealed;
    changed[i] ^= std::byte{0x10};
    std::vector<std::byte> opened(100, std::byte{1});
    EXPECT_FALSE(decrypt_record(key, nonce.data(), associated, ConstBytes(changed).first(100), changed.data() + 100,
                                opened.data()));
    EXPECT_EQ(opened, std::vector<std::byte>(100));
  }
}

// More keys than the cache has places, in turns: each must find or make its own schedule.
TEST_P(RecordCipher, KeepsTheKeysOfManyConnectionsApart) {
  std::vector<std::vector<std::byte>> keys;
  for (int i = 0; i < 1500; ++i) keys.push_back(random_bytes(i % 2 == 0 ? 16 : 32, random));
  // The same first bytes, and so the same place: shorter, longer, different at the end.
  keys.push_back(std::vector<std::byte>(keys[1].begin(), keys[1].begin() + 16));
  keys.push_back(keys[1]);
  keys.back().back() ^= std::byte{1};
  const std::vector<std::byte> plain = random_bytes(40, random);
  for (int round = 0; round < 2; ++round) {
    for (const auto& key : keys) {
      std::vector<std::byte> sealed(plain.size() + gcm_tag_bytes);
      encrypt_record(key, nonce.data(), associated, plain, sealed.data(), sealed.data() + plain.size());
      ASSERT_EQ(sealed, test::encrypt_with_openssl(key, nonce, associated, plain));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(BothKeySizes, RecordCipher, testing::Values(16U, 32U));

}  // namespace
}  // namespace sluice::tls
