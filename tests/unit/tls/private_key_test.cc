#include "tls/private_key.h"

#include "test_pairs.h"
#include "tls/random_source.h"
#include "tls/server_context.h"

#include <gtest/gtest.h>

#include <array>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace sluice::tls {
namespace {

using test::Pem;

std::shared_ptr<const PrivateKey> read(const Pem& pem) {
  EXPECT_TRUE(initialize().has_value());
  auto key = PrivateKey::read(pem.key);
  EXPECT_TRUE(key.has_value());
  return key.value_or(nullptr);
}

std::string digest_of(size_t number) { return std::string(32, static_cast<char>('a' + number)); }

const std::byte* bytes_of(const std::string& text) { return as_bytes(text).data(); }

TEST(PrivateKey, KnowsItsKindAndSize) {
  EXPECT_EQ(read(test::rsa_2048())->kind(), PrivateKey::Kind::rsa);
  EXPECT_EQ(read(test::rsa_2048())->size_bytes(), 256U);
  EXPECT_EQ(read(test::rsa_4096())->size_bytes(), 512U);
  EXPECT_TRUE(read(test::rsa_3072())->is_worth_queueing());
  EXPECT_EQ(read(test::ecdsa_p256())->kind(), PrivateKey::Kind::ecdsa);
  EXPECT_EQ(read(test::ecdsa_p256())->size_bytes(), 32U);
  EXPECT_FALSE(read(test::ecdsa_p256())->is_worth_queueing());
}

TEST(PrivateKey, RefusesWhatIsNoKey) {
  ASSERT_TRUE(initialize().has_value());
  EXPECT_FALSE(PrivateKey::read("").has_value());
  EXPECT_FALSE(PrivateKey::read(test::rsa_2048().certificate).has_value());
  EXPECT_FALSE(PrivateKey::read(test::encrypted_rsa_2048_key()).has_value());
  EXPECT_FALSE(PrivateKey::read(test::rsa_2048().key.substr(0, 400)).has_value());
}

TEST(PrivateKey, SignsByEcdsa) {
  const auto key = read(test::ecdsa_p256());
  const RandomSource random;
  std::string signature(80, '\0');
  const size_t size =
      key->sign(as_bytes(digest_of(0)), {reinterpret_cast<std::byte*>(signature.data()), 80}, random.get());
  ASSERT_GT(size, 0U);
  EXPECT_TRUE(test::verifies(test::ecdsa_p256(), digest_of(0), signature.substr(0, size)));
}

TEST(PrivateKey, SignsAloneAndOpensWhatItSigned) {
  const auto key = read(test::rsa_2048());
  const RandomSource random;
  const std::string block = test::padded_block(digest_of(0), 256);
  std::string signature(256, '\0');
  ASSERT_TRUE(key->run(bytes_of(block), reinterpret_cast<std::byte*>(signature.data()), random.get()));
  EXPECT_TRUE(test::verifies(test::rsa_2048(), digest_of(0), signature));
  std::string opened(256, '\0');
  ASSERT_TRUE(key->run_public(bytes_of(signature), reinterpret_cast<std::byte*>(opened.data())));
  EXPECT_EQ(opened, block);
}

// `count` blocks, signed in one batch by the keys of `pems` in turn.
void expect_signed(const std::vector<const Pem*>& pems, size_t count, RsaBatching batching) {
  const RandomSource random;
  std::vector<std::shared_ptr<const PrivateKey>> keys;
  for (const Pem* pem : pems) keys.push_back(read(*pem));
  const size_t size = keys[0]->size_bytes();
  std::vector<std::string> blocks;
  std::vector<std::string> signatures(count, std::string(size, '\0'));
  for (size_t i = 0; i < count; ++i) blocks.push_back(test::padded_block(digest_of(i), size));
  std::vector<RsaOperation> operations;
  for (size_t i = 0; i < count; ++i) {
    operations.push_back({.key = keys[i % keys.size()].get(),
                          .input = bytes_of(blocks[i]),
                          .output = reinterpret_cast<std::byte*>(signatures[i].data())});
  }
  PrivateKey::run_batch(operations, batching, random.get());
  for (size_t i = 0; i < count; ++i) {
    EXPECT_TRUE(operations[i].has_succeeded) << i;
    EXPECT_TRUE(test::verifies(*pems[i % pems.size()], digest_of(i), signatures[i])) << i << " of " << count;
  }
}

// Both ways of doing a batch, on every machine: where the processor cannot, `automatic` is `never`.
class Batch : public testing::TestWithParam<std::tuple<RsaBatching, size_t>> {
 protected:
  static const Pem& pem(size_t size) {
    return size == 256 ? test::rsa_2048() : size == 384 ? test::rsa_3072() : test::rsa_4096();
  }
};

TEST_P(Batch, SignsEveryNumberOfBlocks) {
  const auto [batching, size] = GetParam();
  for (const size_t count : {1U, 2U, 3U, 7U, 8U}) expect_signed({&pem(size)}, count, batching);
}

TEST(PrivateKey, SharesABatchWithTheKeysOfOtherServers) {
  for (const RsaBatching batching : {RsaBatching::automatic, RsaBatching::always, RsaBatching::never})
    expect_signed({&test::rsa_2048(), &test::other_rsa_2048()}, 8, batching);
}

// A block that is not below the modulus has no signature: it must fail, and the others must not.
TEST_P(Batch, FailsOnlyWhatCannotBeSigned) {
  const auto [batching, size] = GetParam();
  const auto key = read(pem(size));
  const RandomSource random;
  const std::string good = test::padded_block(digest_of(0), size);
  const std::string bad(size, '\xff');
  std::array<std::string, 3> signatures;
  for (std::string& each : signatures) each.assign(size, '\0');
  std::array<RsaOperation, 3> operations;
  for (size_t i = 0; i < 3; ++i)
    operations[i] = {.key = key.get(),
                     .input = bytes_of(i == 1 ? bad : good),
                     .output = reinterpret_cast<std::byte*>(signatures[i].data())};
  PrivateKey::run_batch(operations, batching, random.get());
  EXPECT_TRUE(operations[0].has_succeeded);
  EXPECT_FALSE(operations[1].has_succeeded);
  EXPECT_TRUE(operations[2].has_succeeded);
  EXPECT_EQ(signatures[1], std::string(size, '\0')) << "nothing of a failed one may leave";
  EXPECT_TRUE(test::verifies(pem(size), digest_of(0), signatures[2]));
}

INSTANTIATE_TEST_SUITE_P(EveryWay, Batch,
                         testing::Combine(testing::Values(RsaBatching::automatic, RsaBatching::always,
                                                          RsaBatching::never),
                                          testing::Values(256U, 384U, 512U)));

// The same key on several threads, as shards use it.
TEST(PrivateKey, IsOnlyReadWhenItSigns) {
  const auto rsa = read(test::rsa_2048());
  const auto ecdsa = read(test::ecdsa_p256());
  const std::string block = test::padded_block(digest_of(0), 256);
  std::vector<std::thread> threads;
  std::array<bool, 3> are_right{};
  for (bool& is_right : are_right) {
    threads.emplace_back([&] {
      const RandomSource random;
      std::string signature(256, '\0');
      is_right = rsa->run(bytes_of(block), reinterpret_cast<std::byte*>(signature.data()), random.get()) &&
                 test::verifies(test::rsa_2048(), digest_of(0), signature);
      const size_t size =
          ecdsa->sign(as_bytes(digest_of(1)), {reinterpret_cast<std::byte*>(signature.data()), 80}, random.get());
      is_right = is_right && test::verifies(test::ecdsa_p256(), digest_of(1), signature.substr(0, size));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const bool is_right : are_right) EXPECT_TRUE(is_right);
}

}  // namespace
}  // namespace sluice::tls
