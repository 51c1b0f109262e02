#include "tls/pem.h"

#include "test_pairs.h"

#include <gtest/gtest.h>

namespace sluice::tls {
namespace {

TEST(Pem, IsDecodedAndEncodedAsOpensslWritesIt) {
  const std::string text = "comment\n" + test::rsa_2048().certificate + "\r\n" + test::ecdsa_p256().certificate;
  const auto blocks = decode_pem(text, kCertificateLabel);
  ASSERT_TRUE(blocks.has_value()) << blocks.error().message;
  ASSERT_EQ(blocks->size(), 2U);
  EXPECT_EQ(encode_pem((*blocks)[0], kCertificateLabel), test::rsa_2048().certificate);
  EXPECT_EQ(encode_pem((*blocks)[1], kCertificateLabel), test::ecdsa_p256().certificate);
}

TEST(Pem, IsEncodedForEverySize) {
  for (size_t size = 1; size < 200; ++size) {
    const Der der(size, std::byte{0xa5});
    const auto decoded = decode_pem(encode_pem(der, "X"), "X");
    ASSERT_TRUE(decoded.has_value()) << size << decoded.error().message;
    EXPECT_EQ(decoded->front(), der);
  }
}

TEST(Pem, SaysWhatIsWrong) {
  EXPECT_EQ(decode_pem("", kCrlLabel).error().message, "holds no PEM CRL ('-----BEGIN X509 CRL-----')");
  EXPECT_EQ(decode_pem("-----BEGIN CERTIFICATE-----\nAAAA\n", kCertificateLabel).error().message,
            "holds a PEM certificate that is cut off: there is no '-----END CERTIFICATE-----' (number 1)");
  for (const char* body : {"", "\n", "\n!!!!\n", "\nA\n", "\nAAAA=AAA\n"}) {
    const auto blocks =
        decode_pem(std::string("-----BEGIN CERTIFICATE-----") + body + "-----END CERTIFICATE-----", kCertificateLabel);
    ASSERT_FALSE(blocks.has_value()) << body;
    EXPECT_EQ(blocks.error().message, "holds a PEM certificate that cannot be decoded: it is not base64 (number 1)");
  }
}

}  // namespace
}  // namespace sluice::tls
