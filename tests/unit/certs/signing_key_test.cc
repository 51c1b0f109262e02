#include "certs/signing_key.h"

#include "openssl_pair.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <gtest/gtest.h>

#include <map>

namespace sluice::certs {
namespace {

// RSA keys take a while: one of each kind for all tests.
const SigningKey& key_of(KeyType type) {
  static std::map<KeyType, SigningKey> keys;
  const auto found = keys.find(type);
  if (found != keys.end()) return found->second;
  return keys.emplace(type, SigningKey::make(type).value()).first->second;
}

std::string pem_of(EVP_PKEY* key, bool is_traditional) {
  const std::unique_ptr<BIO, test::FreeOpenssl> text(BIO_new(BIO_s_mem()));
  if (is_traditional) {
    PEM_write_bio_PrivateKey_traditional(text.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  } else {
    PEM_write_bio_PKCS8PrivateKey(text.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  return {data, static_cast<size_t>(size)};
}

std::string public_key_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  std::string text(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return text;
}

class EveryKey : public testing::TestWithParam<KeyType> {};

TEST_P(EveryKey, IsReadByOpensslAndByUsInBothEncodings) {
  const SigningKey& key = key_of(GetParam());
  EXPECT_EQ(key.is_rsa(), is_rsa(GetParam()));
  for (const KeyEncoding encoding : {KeyEncoding::pkcs1, KeyEncoding::pkcs8}) {
    const std::string pem = key.to_pem(encoding).value();
    const char* label = encoding == KeyEncoding::pkcs8 ? "" : is_rsa(GetParam()) ? "RSA " : "EC ";
    EXPECT_TRUE(pem.starts_with(std::string("-----BEGIN ") + label + "PRIVATE KEY-----\n")) << pem.substr(0, 40);
    const test::OpensslKey openssl = test::read_key(pem);
    ASSERT_NE(openssl, nullptr);
    EXPECT_EQ(public_key_of(openssl.get()), key.public_key());
    // As OpenSSL writes it.
    EXPECT_EQ(pem, pem_of(openssl.get(), encoding == KeyEncoding::pkcs1));
    const auto again = SigningKey::read(pem);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(again->public_key(), key.public_key());
    EXPECT_EQ(again->to_pem(encoding).value(), pem);
  }
}

TEST_P(EveryKey, SignsWhatOpensslVerifies) {
  const SigningKey& key = key_of(GetParam());
  const std::string message = "to be signed";
  const auto signature = key.sign(message);
  ASSERT_TRUE(signature.has_value()) << signature.error().message;
  const test::OpensslKey openssl = test::read_key(key.to_pem(KeyEncoding::pkcs8).value());
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestVerifyInit(context, nullptr, GetParam() == KeyType::ecdsa_p384 ? EVP_sha384() : EVP_sha256(), nullptr,
                       openssl.get());
  EXPECT_EQ(EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature->data()), signature->size(),
                             reinterpret_cast<const unsigned char*>(message.data()), message.size()),
            1);
  EVP_MD_CTX_free(context);

  const auto public_key = read_public_key(as_bytes(key.public_key()));
  ASSERT_TRUE(public_key.has_value()) << public_key.error().message;
  EXPECT_EQ(public_key->der, key.public_key());
  const std::string algorithm = key.signature_algorithm();
  EXPECT_TRUE(check_signature(*public_key, as_bytes(algorithm), as_bytes(message), as_bytes(*signature)).has_value());
  EXPECT_TRUE(check_signature(*public_key, as_bytes(algorithm), as_bytes("to be singed"), as_bytes(*signature))
                  .error()
                  .message.contains("wrong signature"));
}

INSTANTIATE_TEST_SUITE_P(Made, EveryKey,
                         testing::Values(KeyType::rsa_2048, KeyType::rsa_3072, KeyType::rsa_4096, KeyType::ecdsa_p256,
                                         KeyType::ecdsa_p384));

std::string reason(const std::string& pem) {
  const auto key = SigningKey::read(pem);
  return key ? "none" : key.error().message;
}

TEST(SigningKey, SaysWhatIsWrongWithAKey) {
  const std::string pem = key_of(KeyType::ecdsa_p256).to_pem(KeyEncoding::pkcs8).value();
  EXPECT_TRUE(reason("").contains("is no PEM private key"));
  EXPECT_TRUE(
      reason("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n").contains("is no PEM private key"));
  EXPECT_TRUE(reason(pem.substr(0, 60)).contains("is cut off"));
  EXPECT_TRUE(reason("-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n").contains("cannot be read"));
  EXPECT_TRUE(reason(test::encrypt_key(pem)).contains("is encrypted"));
  EXPECT_TRUE(reason("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n").contains("is encrypted"));
  EXPECT_TRUE(reason(pem + std::string(20'000, ' ')).contains("is too long"));

  const test::OpensslKey ed25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  EXPECT_TRUE(reason(pem_of(ed25519.get(), false)).contains("is an Ed25519 key, which is not supported: use RSA"));
  const test::OpensslKey p521(EVP_EC_gen("P-521"));
  EXPECT_TRUE(reason(pem_of(p521.get(), false)).contains("another curve"));
  const test::OpensslKey rsa_1024(EVP_RSA_gen(1024));
  EXPECT_TRUE(reason(pem_of(rsa_1024.get(), true)).contains("is an RSA key of 1024 bits"));
}

TEST(SigningKey, ReadsAKeyWhosePublicPartIsLeftOut) {
  // openssl ecparam -name prime256v1 -genkey | openssl ec -no_public
  const std::string pem = R"(-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MDECAQEEIASjW3pfUtytQ0p2GQt+pDfrcaRaDiALaN01s+rOPN1noAoGCCqGSM49
AwEH
-----END EC PRIVATE KEY-----
)";
  const auto key = SigningKey::read(pem);
  ASSERT_TRUE(key.has_value()) << key.error().message;
  EXPECT_EQ(key->public_key(), public_key_of(test::read_key(pem).get()));
  EXPECT_TRUE(key->sign("x").has_value());
}

TEST(ReadPublicKey, RefusesAPointThatIsNotOnTheCurve) {
  std::string der = key_of(KeyType::ecdsa_p256).public_key();
  der.back() = static_cast<char>(der.back() ^ 1);
  EXPECT_TRUE(read_public_key(as_bytes(der)).error().message.contains("cannot be read"));
  der.pop_back();
  EXPECT_TRUE(read_public_key(as_bytes(der)).error().message.contains("is no public key"));
}

}  // namespace
}  // namespace sluice::certs
