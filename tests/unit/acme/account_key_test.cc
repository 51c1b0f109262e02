#include "acme/account_key.h"
#include "base/base64.h"
#include "keys.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>
#include <string>

namespace sluice::acme {
namespace {

constexpr std::string_view kRfc7515Text =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
    "fQ";
constexpr std::string_view kRfc7515Signature =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr"
    "7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--x"
    "i12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"
    "IoypGlUPQGe77Rw";

// By OpenSSL: the raw signature of JWS as DER.
bool is_signed(std::string_view pem, std::string_view text, const std::string& signature) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                      BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  ECDSA_SIG* parts = ECDSA_SIG_new();
  ECDSA_SIG_set0(parts, BN_bin2bn(bytes, 32, nullptr), BN_bin2bn(bytes + 32, 32, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(parts, &der);
  ECDSA_SIG_free(parts);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get());
  const int code = EVP_DigestVerify(context.get(), der, static_cast<size_t>(size),
                                    reinterpret_cast<const unsigned char*>(text.data()), text.size());
  OPENSSL_free(der);
  return code == 1;
}

TEST(AccountKey, HasTheThumbprintOfRfc7638) {
  const auto key = AccountKey::read(kRfc7638Key);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->algorithm(), "RS256");
  EXPECT_TRUE(
      key->jwk().starts_with(R"({"e":"AQAB","kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78L)"));
  EXPECT_EQ(key->thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

TEST(AccountKey, SignsWithRsaAsRfc7515Does) {
  const auto key = AccountKey::read(kRfc7515RsaKey);
  ASSERT_TRUE(key) << key.error().message;
  const Result<std::string> signature = key->sign(kRfc7515Text);
  ASSERT_TRUE(signature);
  EXPECT_EQ(to_base64url(as_bytes(*signature)), kRfc7515Signature);
}

TEST(AccountKey, SignsWithEcdsaInTheFormThatJwsWants) {
  const auto key = AccountKey::read(kRfc7515EcKey);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->algorithm(), "ES256");
  EXPECT_EQ(key->jwk(), R"({"crv":"P-256","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
                        R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})");
  EXPECT_EQ(key->thumbprint(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
  for (int i = 0; i < 300; ++i) {  // some numbers begin with zeros
    const std::string text = "text " + std::to_string(i);
    const Result<std::string> signature = key->sign(text);
    ASSERT_TRUE(signature);
    ASSERT_EQ(signature->size(), 64);
    ASSERT_TRUE(is_signed(kRfc7515EcKey, text, *signature)) << i;
  }
}

TEST(AccountKey, IsReadFromEveryUsualForm) {
  for (const std::string_view pem : {kRfc7515EcKey, kRfc7515EcKeySec1}) {
    const auto key = AccountKey::read(pem);
    ASSERT_TRUE(key) << key.error().message;
    EXPECT_EQ(key->thumbprint(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
  }
}

TEST(AccountKey, IsTheSameAfterItHasBeenWrittenAndRead) {
  const auto made = AccountKey::make();
  ASSERT_TRUE(made);
  const std::string pem = made->to_pem();
  EXPECT_TRUE(pem.starts_with("-----BEGIN PRIVATE KEY-----\n")) << pem;
  const auto read = AccountKey::read(pem);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->jwk(), made->jwk());
  EXPECT_TRUE(is_signed(pem, "text", *read->sign("text")));
  const auto rsa = AccountKey::read(kRfc7515RsaKey);
  const auto again = AccountKey::read(rsa->to_pem());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->jwk(), rsa->jwk());
}

TEST(AccountKey, TwoThatAreMadeDiffer) { EXPECT_NE(AccountKey::make()->jwk(), AccountKey::make()->jwk()); }

TEST(AccountKey, RefusesWhatIsNoUsableKey) {
  for (const std::string_view text : {"", "text", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
                                      "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"})
    EXPECT_FALSE(AccountKey::read(text)) << text;
}

TEST(AccountKey, RefusesOtherCurvesAndShortRsaKeysAndSaysWhatItTakes) {
  const auto pem_of = [](EVP_PKEY* key) {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    std::string pem(bytes, static_cast<size_t>(size));
    BIO_free(bio);
    EVP_PKEY_free(key);
    return pem;
  };
  for (const std::string& pem : {pem_of(EVP_EC_gen("P-384")), pem_of(EVP_RSA_gen(1024)),
                                 pem_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"))}) {
    const auto key = AccountKey::read(pem);
    ASSERT_FALSE(key);
    EXPECT_TRUE(key.error().message.contains("ECDSA on P-256, or RSA of 2048 to 4096 bits")) << key.error().message;
  }
}

}  // namespace
}  // namespace sluice::acme
