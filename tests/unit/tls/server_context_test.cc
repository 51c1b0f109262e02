#include "tls/server_context.h"

#include "authority.h"
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

// As that of RFC 8737 3 is to wolfSSL.
TEST(ServerContext, TakesAnUnknownCriticalExtensionInTheAnswerToAChallengeOnly) {
  const test::Authority authority("CA");
  const test::Pem pem = authority.issue({.has_unknown_critical_extension = true});
  EXPECT_NE(refusal(five_suites(), pem.certificate, pem.key), "");
  auto pair = std::make_shared<snapshot::KeyPair>();
  pair->chain_pem = pem.certificate;
  pair->key_pem = pem.key;
  pair->is_challenge = true;
  snapshot::TlsServer server;
  server.settings = five_suites();
  server.key_pairs = {std::move(pair)};
  const auto context = ServerContext::create(server);
  EXPECT_TRUE(context.has_value()) << context.error().message;
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

// --- Two pairs -------------------------------------------------------------------------------------

// Which certificate a client of these options gets, from a server with an RSA and an ECDSA pair; "": none.
std::string certificate_for(const test::ClientOptions& options, const snapshot::TlsSettings& settings) {
  static const test::Authority authority("root");
  static const test::Pem rsa = authority.issue({.subject = {{"CN", "rsa"}}, .is_ecdsa = false});
  static const test::Pem ecdsa = authority.issue({.subject = {{"CN", "ecdsa"}}});
  snapshot::TlsServer server = test::server(settings, rsa.certificate, rsa.key);
  server.key_pairs.push_back(test::server(settings, ecdsa.certificate, ecdsa.key).key_pairs.front());
  test::Connection connection(test::make_context(server), options);
  (void)connection.client.handshake();
  connection.from_client = connection.client.take_output();
  ClientHello hello;
  EXPECT_EQ(read_client_hello(as_bytes(connection.from_client), hello), HelloStatus::complete);
  connection.session = Session::accept(*connection.context, hello);
  if (connection.handshake() != SessionStatus::ok) return connection.session->error_text().empty() ? "?" : "";
  EXPECT_EQ("/" + connection.session->local_certificate()->subject, connection.client.server_subject());
  return connection.client.server_subject();
}

snapshot::TlsSettings both_kinds_of_suites() {
  return {.cipher_suites = {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"}};
}

TEST(TwoPairs, GiveTheEcdsaCertificateToWhomItIsOfUse) {
  EXPECT_EQ(certificate_for({}, both_kinds_of_suites()), "/CN=ecdsa");
  EXPECT_EQ(certificate_for({.max_version = TLS1_2_VERSION}, both_kinds_of_suites()), "/CN=ecdsa");
  EXPECT_EQ(certificate_for({.min_version = TLS1_3_VERSION}, {.min_version = snapshot::TlsVersion::tls_1_3}),
            "/CN=ecdsa");
}

TEST(TwoPairs, GiveTheRsaCertificateToTheOthers) {
  const std::string only_rsa = "rsa_pss_rsae_sha256:rsa_pkcs1_sha256";
  EXPECT_EQ(certificate_for({.signature_algorithms = only_rsa}, both_kinds_of_suites()), "/CN=rsa");
  EXPECT_EQ(certificate_for({.max_version = TLS1_2_VERSION, .signature_algorithms = only_rsa}, both_kinds_of_suites()),
            "/CN=rsa");
  // ECDSA, but on another curve than the key's.
  EXPECT_EQ(certificate_for(
                {.min_version = TLS1_3_VERSION, .signature_algorithms = "ecdsa_secp384r1_sha384:rsa_pss_rsae_sha256"},
                both_kinds_of_suites()),
            "/CN=rsa");
  EXPECT_EQ(certificate_for({.max_version = TLS1_2_VERSION, .groups = "X25519:P-384"}, both_kinds_of_suites()),
            "/CN=rsa");
  // No ECDSA suite in common for TLS 1.2.
  EXPECT_EQ(certificate_for({.max_version = TLS1_2_VERSION, .tls12_ciphers = "ECDHE-RSA-AES128-GCM-SHA256"},
                            both_kinds_of_suites()),
            "/CN=rsa");
  EXPECT_EQ(certificate_for({.max_version = TLS1_2_VERSION}, five_suites()), "/CN=rsa");
  // The client could speak TLS 1.3, the server may not.
  snapshot::TlsSettings only_tls_1_2 = five_suites();
  only_tls_1_2.max_version = snapshot::TlsVersion::tls_1_2;
  EXPECT_EQ(certificate_for({}, only_tls_1_2), "/CN=rsa");
}

TEST(TwoPairs, AreBothChecked) {
  snapshot::TlsServer server = test::server(five_suites(), test::rsa_2048().certificate, test::rsa_2048().key);
  server.key_pairs.push_back(
      test::server(five_suites(), test::ecdsa_p256().certificate, test::rsa_2048().key).key_pairs.front());
  const auto context = ServerContext::create(server);
  ASSERT_FALSE(context.has_value());
  expect_contains(context.error().message, "tls.key does not belong to the first certificate");
}

}  // namespace
}  // namespace sluice::tls
