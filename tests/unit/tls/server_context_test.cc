#include "tls/server_context.h"

#include "connection.h"

#include <gtest/gtest.h>

namespace sluice::tls {
namespace {

using test::five_suites;

std::string refusal(const snapshot::TlsSettings& settings, const std::string& certificate, const std::string& key) {
  EXPECT_TRUE(initialize().has_value());
  const auto context = ServerContext::create(test::server(settings, certificate, key));
  return context ? "" : context.error().message;
}

std::string refusal(const snapshot::TlsSettings& settings) {
  return refusal(settings, test::rsa_2048().certificate, test::rsa_2048().key);
}

void expect_contains(const std::string& text, std::string_view part) { EXPECT_TRUE(text.contains(part)) << text; }

TEST(ServerContext, IsMadeFromAMatchingPair) {
  EXPECT_EQ(refusal(five_suites()), "");
  EXPECT_EQ(refusal(five_suites(), test::ecdsa_p256().certificate, test::ecdsa_p256().key), "");
  EXPECT_EQ(refusal({.min_version = snapshot::TlsVersion::tls_1_3}), "");
}

TEST(ServerContext, NamesTheSecretInEveryRefusal) {
  EXPECT_TRUE(refusal(five_suites(), "", test::rsa_2048().key).starts_with("istio-system/kyma-gateway-certs: "));
}

TEST(ServerContext, RefusesAnEncryptedKeyAndSaysHowToDecryptIt) {
  const std::string message = refusal(five_suites(), test::rsa_2048().certificate, test::encrypted_rsa_2048_key());
  expect_contains(
      message,
      "tls.key is encrypted (ENCRYPTED PRIVATE KEY): decrypt it with 'openssl pkey -in tls.key -out plain.key'");
}

TEST(ServerContext, RefusesAKeyEncryptedInTheOldForm) {
  expect_contains(refusal(five_suites(), test::rsa_2048().certificate,
                          "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
                          "AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"),
                  "tls.key is encrypted (Proc-Type: 4,ENCRYPTED)");
}

TEST(ServerContext, RefusesTheKeyOfAnotherCertificate) {
  expect_contains(refusal(five_suites(), test::rsa_2048().certificate, test::other_rsa_2048().key),
                  "tls.key does not belong to the first certificate");
  expect_contains(refusal(five_suites(), test::rsa_2048().certificate, test::ecdsa_p256().key),
                  "tls.key does not belong to the first certificate");
}

TEST(ServerContext, RefusesWhatIsNoPem) {
  expect_contains(refusal(five_suites(), "garbage", test::rsa_2048().key), "tls.crt holds no PEM certificate");
  expect_contains(
      refusal(five_suites(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", test::rsa_2048().key),
      "tls.crt cannot be used");
  expect_contains(refusal(five_suites(), test::rsa_2048().certificate, "garbage"), "tls.key holds no PEM private key");
  expect_contains(refusal(five_suites(), test::rsa_2048().certificate,
                          "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
                  "tls.key cannot be used");
}

TEST(ServerContext, RefusesSuitesThatItDoesNotKnow) {
  for (const char* name : {"ECDHE-RSA-AES128-GCM", "AES128-GCM-SHA256", "DES-CBC3-SHA", "ALL", "HIGH:!aNULL",
                           "ECDHE-RSA-AES128-SHA:", "", "ECDHE-RSA-CHACHA20-POLY1305-OLD", "NULL-SHA"}) {
    expect_contains(refusal({.cipher_suites = {"ECDHE-RSA-AES128-SHA", name}}),
                    std::string("cipher suite '") + name + "' is not supported");
  }
  expect_contains(refusal({.cipher_suites = {"TLS_AES_128_GCM_SHA256"}}), "belongs to TLS 1.3");
  expect_contains(refusal({.cipher_suites = {}}), "empty");
}

TEST(ServerContext, UnderstandsTheNamesOfIana) {
  test::Connection connection({.cipher_suites = {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"}},
                              {.max_version = TLS1_2_VERSION});
  ASSERT_EQ(connection.handshake(), SessionStatus::ok);
  EXPECT_EQ(connection.session->cipher_suite(), "ECDHE-RSA-AES256-SHA");
}

TEST(ServerContext, RefusesVersionsAndProtocolsThatMakeNoSense) {
  snapshot::TlsSettings settings = five_suites();
  settings.min_version = snapshot::TlsVersion::tls_1_3;
  settings.max_version = snapshot::TlsVersion::tls_1_2;
  expect_contains(refusal(settings), "minProtocolVersion is higher than maxProtocolVersion");
  settings = five_suites();
  settings.alpn = {"http/1.1,h2"};
  expect_contains(refusal(settings), "ALPN");
}

}  // namespace
}  // namespace sluice::tls
