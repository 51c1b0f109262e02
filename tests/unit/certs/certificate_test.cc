#include "certs/certificate.h"

#include "openssl_pair.h"

#include <gtest/gtest.h>

namespace sluice::certs {
namespace {

using namespace std::chrono_literals;

const WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 25) + 10h;

test::CertificateOptions good() {
  return {.alternative_names = "DNS:*.local.kyma.dev,DNS:gateway.example.com,IP:192.0.2.7",
          .not_before = now - 24h * 10,
          .not_after = now + 24h * 60};
}

struct Checked {
  bool can_serve;
  std::vector<config::Diagnostic> diagnostics;

  [[nodiscard]] bool has(config::Severity severity, std::string_view part) const {
    for (const config::Diagnostic& diagnostic : diagnostics) {
      if (diagnostic.severity == severity && diagnostic.message.contains(part)) return true;
    }
    for (const config::Diagnostic& diagnostic : diagnostics) ADD_FAILURE() << "there is only: " << diagnostic.message;
    return false;
  }
};

Checked check_pair(const std::string& certificate, const std::string& key, const snapshot::TlsSettings& settings,
                   std::vector<std::string> hosts) {
  auto pair = std::make_shared<snapshot::KeyPair>();
  pair->chain_pem = certificate;
  pair->key_pem = key;
  pair->secret_name = "istio-system/kyma-gateway-certs";
  pair->place = {"secret.yaml", 3, 1};
  snapshot::TlsServer server;
  server.name = "https/kyma-system/kyma-gateway";
  server.hosts = std::move(hosts);
  server.settings = settings;
  server.key_pairs = {pair};
  server.place = {"gateway.yaml", 9, 5};
  config::Diagnostics diagnostics;
  const bool can_serve = check_server_certificates(server, now, diagnostics);
  return {can_serve, diagnostics.sorted()};
}

const snapshot::TlsSettings rsa_suites{.cipher_suites = {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA"}};

Checked check_options(const test::CertificateOptions& options, const snapshot::TlsSettings& settings = rsa_suites,
                      std::vector<std::string> hosts = {"*.local.kyma.dev", "gateway.example.com",
                                                        "a.local.kyma.dev"}) {
  const test::PemPair pem = test::make_pair(options);
  return check_pair(pem.certificate, pem.key, settings, std::move(hosts));
}

// --- summarize -------------------------------------------------------------------------------------

TEST(Summarize, TellsWhatACertificateSays) {
  test::CertificateOptions options = good();
  options.alternative_names += ",URI:spiffe://cluster.local/ns/a/sa/b,IP:2001:db8::1,email:ignored@example.com";
  options.subject = {{"CN", "Example Client Cert CN"}, {"O", "Example Client Cert Org"}};
  const test::PemPair pem = test::make_pair(options);
  snapshot::KeyPair pair;
  pair.chain_pem = "text before is skipped\n" + pem.certificate + test::make_pair(good()).certificate;
  pair.secret_name = "istio-system/kyma-gateway-certs";
  const auto summary = summarize(pair);
  ASSERT_TRUE(summary.has_value()) << summary.error().message;
  EXPECT_EQ(summary->secret_name, "istio-system/kyma-gateway-certs");
  EXPECT_EQ(summary->subject, "O=Example Client Cert Org,CN=Example Client Cert CN");  // as Kyma documents it
  EXPECT_EQ(summary->issuer, summary->subject);
  EXPECT_EQ(summary->serial, "1234abcd");
  EXPECT_EQ(summary->names, (std::vector<std::string>{"*.local.kyma.dev", "gateway.example.com", "192.0.2.7",
                                                      "2001:db8::1", "spiffe://cluster.local/ns/a/sa/b"}));
  EXPECT_EQ(summary->key_type, "RSA-2048");
  EXPECT_EQ(summary->not_before, "2026-11-15T10:00:00Z");
  EXPECT_EQ(summary->not_after, "2027-01-24T10:00:00Z");

  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_size = 0;
  X509_digest(test::read_certificate(pem.certificate).get(), EVP_sha256(), digest, &digest_size);
  char* expected = OPENSSL_buf2hexstr(digest, digest_size);
  std::string fingerprint;
  for (const char* c = expected; *c != '\0'; ++c) {
    if (*c != ':') fingerprint += static_cast<char>(std::tolower(*c));
  }
  OPENSSL_free(expected);
  EXPECT_EQ(summary->fingerprint_sha256, fingerprint);
}

TEST(Summarize, KnowsEcdsaKeysAndDatesAfter2050) {
  test::CertificateOptions options = good();
  options.is_ecdsa = true;
  options.not_after = std::chrono::sys_days(std::chrono::year(2061) / 2 / 28) + 23h + 59min + 58s;
  snapshot::KeyPair pair;
  pair.chain_pem = test::make_pair(options).certificate;
  const auto summary = summarize(pair);
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->key_type, "ECDSA-P256");
  EXPECT_EQ(summary->not_after, "2061-02-28T23:59:58Z");
}

TEST(Summarize, WritesNamesAsOpensslDoes) {
  test::CertificateOptions options = good();
  options.subject = {{"C", "DE"},
                     {"ST", "Baden-W\xc3\xbcrttemberg"},
                     {"O", " Comma, Plus+ \"Quote\" <Less> ; End "},
                     {"OU", "#hash"},
                     {"CN", "back\\slash"},
                     {"UID", "u1"},
                     {"DC", "example"},
                     {"emailAddress", "a@example.com"},
                     {"1.3.6.1.4.1.55555.1", "private"}};
  const test::PemPair pem = test::make_pair(options);
  snapshot::KeyPair pair;
  pair.chain_pem = pem.certificate;
  const auto summary = summarize(pair);
  ASSERT_TRUE(summary.has_value()) << summary.error().message;
  EXPECT_EQ(summary->subject, test::rfc2253_of(X509_get_subject_name(test::read_certificate(pem.certificate).get())));
}

TEST(Summarize, FailsWithTheReason) {
  snapshot::KeyPair pair;
  pair.secret_name = "istio-system/empty";
  EXPECT_EQ(summarize(pair).error().message,
            "istio-system/empty: tls.crt holds no PEM certificate ('-----BEGIN CERTIFICATE-----')");
  pair.chain_pem = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
  EXPECT_TRUE(summarize(pair).error().message.contains("cannot be decoded")) << summarize(pair).error().message;
  pair.chain_pem = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
  EXPECT_TRUE(summarize(pair).error().message.contains("cannot be parsed")) << summarize(pair).error().message;
  pair.chain_pem = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n";
  EXPECT_FALSE(summarize(pair).has_value());
}

TEST(Summarize, SurvivesDamageAnywhere) {
  const test::PemPair pem = test::make_pair(good());
  size_t parsed = 0;
  for (size_t i = 28; i + 30 < pem.certificate.size(); ++i) {
    snapshot::KeyPair pair;
    pair.chain_pem = pem.certificate;
    pair.chain_pem[i] = pair.chain_pem[i] == 'A' ? 'z' : 'A';
    parsed += summarize(pair).has_value() ? 1 : 0;
    pair.chain_pem = pem.certificate.substr(0, i) + "\n-----END CERTIFICATE-----\n";
    (void)summarize(pair);
  }
  EXPECT_GT(parsed, 0U);  // a changed signature is not looked at
}

// --- check_server_certificate ----------------------------------------------------------------------

TEST(CheckServerCertificate, FindsNothingWrongWithAGoodPair) {
  const Checked checked = check_options(good());
  EXPECT_TRUE(checked.can_serve);
  for (const config::Diagnostic& diagnostic : checked.diagnostics) ADD_FAILURE() << diagnostic.message;
}

TEST(CheckServerCertificate, RefusesAnExpiredCertificate) {
  test::CertificateOptions options = good();
  options.not_after = now - 1s;
  const Checked checked = check_options(options);
  EXPECT_FALSE(checked.can_serve);
  EXPECT_TRUE(checked.has(
      config::Severity::error,
      "istio-system/kyma-gateway-certs: the certificate (CN=localhost) expired on 2026-11-25T09:59:59Z: renew it"));
  EXPECT_EQ(checked.diagnostics.front().place.to_string(), "secret.yaml:3:1");
}

TEST(CheckServerCertificate, RefusesACertificateThatIsNotYetValid) {
  test::CertificateOptions options = good();
  options.not_before = now + 1h;
  const Checked checked = check_options(options);
  EXPECT_FALSE(checked.can_serve);
  EXPECT_TRUE(checked.has(config::Severity::error, "not valid before 2026-11-25T11:00:00Z"));
}

TEST(CheckServerCertificate, WarnsThirtyDaysBeforeTheEnd) {
  test::CertificateOptions options = good();
  options.not_after = now + 24h * 30 - 1s;
  const Checked checked = check_options(options);
  EXPECT_TRUE(checked.can_serve);
  EXPECT_TRUE(checked.has(config::Severity::warning, "expires on 2026-12-25T09:59:59Z"));
  options.not_after = now + 24h * 30;
  EXPECT_TRUE(check_options(options).diagnostics.empty());
}

TEST(CheckServerCertificate, RefusesAnEncryptedKey) {
  const test::PemPair pem = test::make_pair(good());
  const Checked checked = check_pair(pem.certificate, test::encrypt_key(pem.key), rsa_suites, {"*"});
  EXPECT_FALSE(checked.can_serve);
  EXPECT_TRUE(checked.has(config::Severity::error,
                          "istio-system/kyma-gateway-certs: tls.key is encrypted (ENCRYPTED PRIVATE KEY): decrypt it "
                          "with 'openssl pkey -in tls.key -out plain.key'"));
}

TEST(CheckServerCertificate, RefusesTheKeyOfAnotherCertificate) {
  test::CertificateOptions ecdsa = good();
  ecdsa.is_ecdsa = true;
  const Checked checked =
      check_pair(test::make_pair(good()).certificate, test::make_pair(ecdsa).key, rsa_suites, {"*"});
  EXPECT_FALSE(checked.can_serve);
  EXPECT_TRUE(checked.has(config::Severity::error, "tls.key does not belong to the first certificate"));
}

TEST(CheckServerCertificate, RefusesWhatCannotBeParsed) {
  const test::PemPair pem = test::make_pair(good());
  EXPECT_TRUE(
      check_pair("", pem.key, rsa_suites, {"*"}).has(config::Severity::error, "tls.crt holds no PEM certificate"));
  EXPECT_TRUE(check_pair(pem.certificate, "", rsa_suites, {"*"})
                  .has(config::Severity::error, "tls.key holds no PEM private key"));
  EXPECT_TRUE(
      check_pair(pem.certificate, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", rsa_suites, {"*"})
          .has(config::Severity::error, "tls.key cannot be used"));
  EXPECT_FALSE(check_pair(pem.certificate, "", rsa_suites, {"*"}).can_serve);
}

TEST(CheckServerCertificate, SaysNothingOfAMissingSecret) {
  config::Diagnostics diagnostics;
  EXPECT_FALSE(check_server_certificates(snapshot::TlsServer{}, now, diagnostics));
  EXPECT_TRUE(diagnostics.sorted().empty());
}

TEST(CheckServerCertificate, WarnsOfHostsThatAreNotCovered) {
  for (const char* host : {"gateway.example.org", "a.b.local.kyma.dev", "local.kyma.dev", "*.example.com"}) {
    const Checked checked = check_options(good(), rsa_suites, {host});
    EXPECT_TRUE(checked.can_serve);
    EXPECT_TRUE(checked.has(config::Severity::warning, std::string("does not cover the host ") + host)) << host;
    EXPECT_EQ(checked.diagnostics.front().place.to_string(), "gateway.yaml:9:5");
  }
  for (const char* host : {"*", "X.Local.Kyma.Dev", "192.0.2.7"})
    EXPECT_TRUE(check_options(good(), rsa_suites, {host}).diagnostics.empty()) << host;
}

TEST(CheckServerCertificate, WarnsOfACertificateWithoutNames) {
  test::CertificateOptions options = good();
  options.alternative_names.clear();
  const Checked checked = check_options(options);
  EXPECT_TRUE(checked.can_serve);
  EXPECT_TRUE(checked.has(config::Severity::warning, "has no host name in subjectAltName"));
  EXPECT_EQ(checked.diagnostics.size(), 1U);
}

TEST(CheckServerCertificate, WarnsOfSuitesThatDoNotSuitTheKey) {
  test::CertificateOptions options = good();
  options.is_ecdsa = true;
  const Checked checked = check_options(options);
  EXPECT_TRUE(checked.can_serve);
  EXPECT_TRUE(checked.has(
      config::Severity::warning,
      "is ECDSA-P256, but every one of its cipherSuites needs an RSA key: no client can connect with TLS 1.2"));
  EXPECT_TRUE(check_options(options, {.cipher_suites = {"ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES128-SHA"}})
                  .diagnostics.empty());
  EXPECT_TRUE(
      check_options(options, {.min_version = snapshot::TlsVersion::tls_1_3, .cipher_suites = {"ECDHE-RSA-AES256-SHA"}})
          .diagnostics.empty());
  EXPECT_TRUE(check_options(good(), {.cipher_suites = {"ECDHE-ECDSA-AES128-SHA"}})
                  .has(config::Severity::warning, "needs an ECDSA key"));
}

// --- Two pairs, and client certificates ------------------------------------------------------------

std::shared_ptr<snapshot::KeyPair> key_pair(const test::CertificateOptions& options, std::string_view name) {
  const test::PemPair pem = test::make_pair(options);
  auto pair = std::make_shared<snapshot::KeyPair>();
  pair->chain_pem = pem.certificate;
  pair->key_pem = pem.key;
  pair->secret_name = name;
  pair->place = {"secret.yaml", 3, 1};
  return pair;
}

test::CertificateOptions good_ecdsa() {
  test::CertificateOptions options = good();
  options.is_ecdsa = true;
  return options;
}

Checked check_server(const snapshot::TlsServer& server) {
  config::Diagnostics diagnostics;
  const bool can_serve = check_server_certificates(server, now, diagnostics);
  return {can_serve, diagnostics.sorted()};
}

snapshot::TlsServer server_with(std::vector<std::shared_ptr<const snapshot::KeyPair>> pairs) {
  snapshot::TlsServer server;
  server.name = "https/default/gw";
  server.hosts = {"gateway.example.com"};
  server.settings = rsa_suites;
  server.key_pairs = std::move(pairs);
  server.place = {"gateway.yaml", 9, 5};
  return server;
}

TEST(CheckServerCertificates, TakesOneOfEachType) {
  const Checked checked = check_server(server_with({key_pair(good(), "rsa"), key_pair(good_ecdsa(), "ecdsa")}));
  EXPECT_TRUE(checked.can_serve);
  EXPECT_TRUE(checked.diagnostics.empty()) << "the RSA suites suit one of them: " << checked.diagnostics[0].message;
}

TEST(CheckServerCertificates, RefusesTwoOfOneType) {
  const Checked checked = check_server(server_with({key_pair(good(), "one"), key_pair(good(), "two")}));
  EXPECT_FALSE(checked.can_serve);
  EXPECT_TRUE(
      checked.has(config::Severity::error,
                  "server https/default/gw: of two certificates one must have an RSA key and the other an ECDSA "
                  "key, these are one (RSA-2048) and two (RSA-2048)"));
  EXPECT_EQ(checked.diagnostics.front().place.to_string(), "gateway.yaml:9:5");
}

TEST(CheckServerCertificates, LooksAtEachOfThem) {
  test::CertificateOptions expired = good_ecdsa();
  expired.not_after = now - 1s;
  const Checked checked = check_server(server_with({key_pair(good(), "rsa"), key_pair(expired, "ecdsa")}));
  EXPECT_FALSE(checked.can_serve);
  EXPECT_TRUE(checked.has(config::Severity::error, "ecdsa: the certificate (CN=localhost) expired"));
}

TEST(CheckServerCertificates, CallThePartsAsTheDocumentDoes) {
  const auto pair = key_pair(good(), "/etc/certs/tls.pem");
  pair->key_pem = "nothing";
  pair->chain_name = "serverCertificate";
  pair->key_name = "privateKey";
  EXPECT_TRUE(check_server(server_with({pair}))
                  .has(config::Severity::error, "/etc/certs/tls.pem: privateKey holds no PEM private key"));
  pair->chain_pem = "nothing";
  EXPECT_TRUE(check_server(server_with({pair}))
                  .has(config::Severity::error, "/etc/certs/tls.pem: serverCertificate holds no PEM certificate"));
}

Checked check_client_ca(const std::string& ca, const std::string& crl = "") {
  snapshot::TlsServer server = server_with({key_pair(good(), "rsa")});
  server.settings.client_certificates = snapshot::ClientCertificates::required;
  server.settings.client_verification = snapshot::PeerVerification{
      .ca_pem = ca, .crl_pem = crl, .source_name = "istio-system/ca", .place = {"ca.yaml", 3, 1}};
  return check_server(server);
}

TEST(CheckClientCa, NeedsACertificateThatCanBeParsed) {
  const std::string ca = test::make_pair(good()).certificate;
  const std::string broken = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
  EXPECT_TRUE(check_client_ca(ca + ca).diagnostics.empty());
  const Checked nothing = check_client_ca("nothing");
  EXPECT_FALSE(nothing.can_serve);
  EXPECT_TRUE(
      nothing.has(config::Severity::error, "istio-system/ca: the text with CA certificates holds no PEM certificate"));
  EXPECT_EQ(nothing.diagnostics.front().place.to_string(), "ca.yaml:3:1");
  EXPECT_TRUE(check_client_ca(broken).has(config::Severity::error, "cannot be parsed"));
  const Checked some = check_client_ca(broken + ca);
  EXPECT_TRUE(some.can_serve);
  EXPECT_TRUE(some.has(config::Severity::warning, "1 of 2 CA certificates cannot be used"));
}

TEST(CheckClientCa, WarnsOfOneThatHasExpired) {
  test::CertificateOptions expired = good();
  expired.not_after = now - 1s;
  const Checked checked = check_client_ca(test::make_pair(good()).certificate + test::make_pair(expired).certificate);
  EXPECT_TRUE(checked.can_serve);
  EXPECT_EQ(checked.diagnostics.size(), 1U);
  EXPECT_TRUE(checked.has(config::Severity::warning,
                          "istio-system/ca: the CA certificate (CN=localhost) expired on 2026-11-25T09:59:59Z"));
}

TEST(CheckClientCa, RefusesARevocationListThatIsNotPem) {
  const std::string ca = test::make_pair(good()).certificate;
  EXPECT_TRUE(check_client_ca(ca, "\x30\x82").has(config::Severity::error, "openssl crl -inform DER"));
  EXPECT_TRUE(check_client_ca(ca, "-----BEGIN X509 CRL-----\n").can_serve);
}

Checked check_upstream(const snapshot::UpstreamTls& upstream) {
  config::Diagnostics diagnostics;
  const bool is_usable = check_client_certificate(upstream, now, diagnostics);
  return {is_usable, diagnostics.sorted()};
}

TEST(CheckClientCertificate, LooksAtThePairOfADestinationRuleWithoutItsNames) {
  snapshot::UpstreamTls upstream;
  upstream.name = "DestinationRule default/rule";
  EXPECT_TRUE(check_upstream(upstream).can_serve) << "nothing to check: the system's CAs, no certificate";
  test::CertificateOptions nameless = good();
  nameless.alternative_names.clear();
  upstream.key_pair = key_pair(nameless, "istio-system/client");
  const Checked checked = check_upstream(upstream);
  EXPECT_TRUE(checked.can_serve);
  EXPECT_TRUE(checked.diagnostics.empty()) << "nobody connects to it by a name";
  test::CertificateOptions expired = good();
  expired.not_after = now - 1s;
  upstream.key_pair = key_pair(expired, "istio-system/client");
  EXPECT_TRUE(check_upstream(upstream).has(config::Severity::error, "istio-system/client: the certificate"));
  EXPECT_FALSE(check_upstream(upstream).can_serve);
}

TEST(CheckClientCertificate, LooksAtTheCaAndTheRevocationList) {
  snapshot::UpstreamTls upstream;
  upstream.name = "DestinationRule default/rule";
  upstream.verification.ca_pem = "nothing";
  upstream.verification.source_name = "istio-system/ca";
  EXPECT_TRUE(check_upstream(upstream).has(config::Severity::error, "istio-system/ca: the text with CA certificates"));
  upstream.verifies = false;
  EXPECT_TRUE(check_upstream(upstream).can_serve);
  upstream = {};
  upstream.name = "DestinationRule default/rule";
  upstream.verification.crl_pem = "not PEM";
  EXPECT_TRUE(check_upstream(upstream).has(config::Severity::error,
                                           "DestinationRule default/rule: the certificate revocation list is not PEM"));
}

TEST(CheckClientCertificate, SaysThatWhatIsIncompleteCannotBeUsed) {
  snapshot::UpstreamTls upstream;
  upstream.is_complete = false;
  const Checked checked = check_upstream(upstream);
  EXPECT_FALSE(checked.can_serve);
  EXPECT_TRUE(checked.diagnostics.empty()) << "config/ has said it";
}

}  // namespace
}  // namespace sluice::certs
