// Clients' certificates, over whole handshakes with OpenSSL's client: what is accepted, what is refused, with which
// alert and which words, on TLS 1.2 and 1.3.
#include "authority.h"
#include "connection.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sluice::tls {
namespace {

using snapshot::ClientCertificates;
using test::Authority;
using test::ClientOptions;
using test::Connection;
using test::IssueOptions;
using test::Pem;

const Authority& root() {
  static const Authority authority("root");
  return authority;
}

const Authority& other_root() {
  static const Authority authority("other root");
  return authority;
}

const Authority& intermediate() {
  static const Authority authority("intermediate", &root(), {.serial = 77});
  return authority;
}

snapshot::TlsSettings settings_for(ClientCertificates mode, snapshot::PeerVerification verification = {}) {
  snapshot::TlsSettings settings = test::five_suites();
  settings.client_certificates = mode;
  if (verification.ca_pem.empty()) verification.ca_pem = root().certificate();
  verification.source_name = "istio-system/certs-cacert";
  settings.client_verification = std::move(verification);
  return settings;
}

class ClientCertificate : public testing::TestWithParam<int> {
 protected:
  [[nodiscard]] bool is_tls_1_3() const { return GetParam() == TLS1_3_VERSION; }

  [[nodiscard]] ClientOptions showing(const Pem& pem, const std::string& intermediates = "") const {
    return {.min_version = GetParam(),
            .max_version = GetParam(),
            .certificate_pem = pem.certificate + intermediates,
            .key_pem = pem.key};
  }
  [[nodiscard]] ClientOptions showing_nothing() const { return {.min_version = GetParam(), .max_version = GetParam()}; }

  static void expect_echo(Connection& connection) {
    connection.client.write("ping");
    connection.from_client += connection.client.take_output();
    EXPECT_EQ(connection.read_all(), "ping");
    ASSERT_TRUE(connection.session->write(as_bytes("pong"), connection.output.sink()));
    connection.client.feed(as_bytes(connection.output.take()));
    EXPECT_EQ(connection.client.read(), "pong");
  }

  static void expect_accepted(const snapshot::TlsSettings& settings, const ClientOptions& options) {
    Connection connection(settings, options);
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    ASSERT_NE(connection.session->peer_certificate(), nullptr);
    EXPECT_EQ(as_text(connection.session->peer_certificate()->der()), test::der_of(options.certificate_pem));
    expect_echo(connection);
  }

  static void expect_refused(const snapshot::TlsSettings& settings, const ClientOptions& options, int alert,
                             std::string_view text) {
    Connection connection(settings, options);
    EXPECT_EQ(connection.handshake(), SessionStatus::failed);
    EXPECT_EQ(connection.client.received_alert(), alert);
    EXPECT_TRUE(connection.session->error_text().contains(text)) << connection.session->error_text();
    EXPECT_EQ(connection.session->peer_certificate(), nullptr);
    // Nothing more: the alert was the last.
    std::vector<std::byte> buffer(100);
    EXPECT_EQ(connection.output.text(), "");
  }
};

TEST_P(ClientCertificate, OfTheRightCaIsAcceptedAndCanBeReadExactly) {
  IssueOptions options;
  options.subject = {{"CN", "Example Client Cert CN"}, {"O", "Example Client Cert Org"}};
  options.alternative_names = "DNS:a.example,DNS:b.example,URI:spiffe://cluster.local/ns/a/sa/b,email:x@a.example";
  options.extended_key_usage = "clientAuth";
  options.serial = 0x1234abcd;
  const Pem pem = root().issue(options);
  Connection connection(settings_for(ClientCertificates::required), showing(pem));
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  const PeerCertificate* certificate = connection.session->peer_certificate();
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(certificate->pem(), pem.certificate);
  const auto parsed = certificate->parsed();
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->subject, "O=Example Client Cert Org,CN=Example Client Cert CN");
  EXPECT_EQ(parsed->issuer, "CN=root,O=Example");
  EXPECT_EQ(parsed->serial, "1234abcd");
  EXPECT_EQ(parsed->dns_names, (std::vector<std::string>{"a.example", "b.example"}));
  EXPECT_EQ(parsed->uris, (std::vector<std::string>{"spiffe://cluster.local/ns/a/sa/b"}));
  EXPECT_EQ(parsed->emails, (std::vector<std::string>{"x@a.example"}));
  std::string hex;
  for (const uint8_t byte : test::certificate_hash(pem.certificate)) hex += fmt::format("{:02x}", byte);
  EXPECT_EQ(parsed->fingerprint_sha256, hex);
  EXPECT_EQ(parsed->fingerprint_sha1.size(), 40U);
  EXPECT_EQ(parsed->not_after - parsed->not_before, std::chrono::hours(25));
  expect_echo(connection);
}

TEST_P(ClientCertificate, MayHaveAnRsaKey) {
  expect_accepted(settings_for(ClientCertificates::required), showing(root().issue({.is_ecdsa = false})));
}

TEST_P(ClientCertificate, IsNotAskedForUnlessConfigured) {
  Connection connection(test::five_suites(), showing(root().issue({})));
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  EXPECT_EQ(connection.session->peer_certificate(), nullptr);
}

TEST_P(ClientCertificate, ThatIsMissingIsRefusedWhereOneIsRequired) {
  expect_refused(settings_for(ClientCertificates::required), showing_nothing(), is_tls_1_3() ? 116 : 40,
                 "the client sent no certificate, but must");
}

TEST_P(ClientCertificate, ThatIsMissingIsNoHarmWhereItIsOptional) {
  Connection connection(settings_for(ClientCertificates::optional), showing_nothing());
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  EXPECT_EQ(connection.session->peer_certificate(), nullptr);
  expect_echo(connection);
}

TEST_P(ClientCertificate, ThatIsOptionalIsVerifiedAllTheSame) {
  expect_accepted(settings_for(ClientCertificates::optional), showing(root().issue({})));
  expect_refused(settings_for(ClientCertificates::optional), showing(other_root().issue({})), 48, "was issued by");
}

TEST_P(ClientCertificate, OfAnotherCaIsRefused) {
  expect_refused(
      settings_for(ClientCertificates::required), showing(other_root().issue({})), 48,
      "the client's certificate (CN=client) was issued by 'CN=other root,O=Example', which is none of the CA "
      "certificates of istio-system/certs-cacert");
  // Sending its CA does not help.
  expect_refused(settings_for(ClientCertificates::required),
                 showing(other_root().issue({}), other_root().certificate()), 48, "which is none of the CA");
}

TEST_P(ClientCertificate, OfACaWithTheRightNameButAnotherKeyIsRefused) {
  const Authority forged("root");
  expect_refused(settings_for(ClientCertificates::required), showing(forged.issue({})), 48, "which is none of the CA");
}

TEST_P(ClientCertificate, ThatIsSelfSignedIsRefused) {
  expect_refused(settings_for(ClientCertificates::required), showing(test::ecdsa_p256()), 48,
                 "(CN=localhost) was issued by");
}

TEST_P(ClientCertificate, ThatHasExpiredIsRefused) {
  expect_refused(settings_for(ClientCertificates::required),
                 showing(root().issue({.not_before_s = -7200, .not_after_s = -60})), 45,
                 "the client's certificate (CN=client) has expired: it was valid until ");
  expect_refused(settings_for(ClientCertificates::required), showing(root().issue({.not_before_s = 3600})), 45,
                 "the client's certificate (CN=client) is not valid yet");
}

TEST_P(ClientCertificate, OfAnIntermediateIsAcceptedWithTheChain) {
  const Pem pem = intermediate().issue({});
  const auto settings = settings_for(ClientCertificates::required);
  expect_accepted(settings, showing(pem, intermediate().certificate()));
  expect_accepted(settings, showing(pem, intermediate().certificate() + root().certificate()));
  // In the wrong order, and with one that nobody needs.
  expect_accepted(settings,
                  showing(pem, root().certificate() + other_root().certificate() + intermediate().certificate()));
  expect_refused(settings, showing(pem), 48, "no intermediate certificate");
}

TEST_P(ClientCertificate, OfOneClientDoesNotTeachTheServerAnIntermediateForTheNext) {
  const auto context = test::make_context(settings_for(ClientCertificates::required));
  const Pem pem = intermediate().issue({});
  Connection first(context, showing(pem, intermediate().certificate()));
  ASSERT_EQ(first.handshake(), SessionStatus::ok) << first.session->error_text();
  Connection second(context, showing(pem));
  EXPECT_EQ(second.handshake(), SessionStatus::failed);
  EXPECT_EQ(second.client.received_alert(), 48);
}

TEST_P(ClientCertificate, MustBeMeantForClients) {
  const auto settings = settings_for(ClientCertificates::required);
  expect_accepted(settings, showing(root().issue({.extended_key_usage = "serverAuth,clientAuth"})));
  expect_refused(settings, showing(root().issue({.extended_key_usage = "serverAuth"})), 43,
                 "is not meant for TLS clients: its extendedKeyUsage lacks clientAuth");
  expect_refused(settings, showing(root().issue({.key_usage = "keyEncipherment"})), 43, "lacks digitalSignature");
}

TEST_P(ClientCertificate, WithAnUnknownCriticalExtensionIsRefused) {
  expect_refused(settings_for(ClientCertificates::required),
                 showing(root().issue({.has_unknown_critical_extension = true})), 43, "critical extension");
}

TEST_P(ClientCertificate, ThatHasBeenRevokedIsRefused) {
  snapshot::PeerVerification verification;
  verification.crl_pem = root().revocation_list({5, 2000, 200000});
  const auto settings = settings_for(ClientCertificates::required, verification);
  expect_refused(settings, showing(root().issue({.serial = 2000})), 44,
                 "the client's certificate (CN=client) has been revoked");
  expect_accepted(settings, showing(root().issue({.serial = 2001})));
}

TEST_P(ClientCertificate, MustHaveOneOfTheNames) {
  snapshot::PeerVerification verification;
  verification.subject_alt_names = {"spiffe://cluster.local/ns/a/sa/b", "b.example", "192.0.2.7", "x@a.example"};
  const auto settings = settings_for(ClientCertificates::required, verification);
  for (const char* name :
       {"URI:spiffe://cluster.local/ns/a/sa/b", "DNS:a.example,DNS:B.example", "IP:192.0.2.7", "email:x@a.example"})
    expect_accepted(settings, showing(root().issue({.alternative_names = name})));
  for (const char* name : {"URI:spiffe://cluster.local/ns/a/sa/bc", "DNS:*.example", "DNS:192.0.2.7", "IP:192.0.2.8",
                           "email:y@a.example", ""}) {
    expect_refused(settings, showing(root().issue({.alternative_names = name})), 46,
                   "has none of the names that are expected");
  }
}

TEST_P(ClientCertificate, MustHaveOneOfTheHashesOfEitherKind) {
  const Pem pem = root().issue({.serial = 1});
  const Pem same_key = root().issue({.serial = 2});
  const Pem other_key = root().issue({.serial = 3, .is_ecdsa = false});
  snapshot::PeerVerification by_certificate;
  by_certificate.certificate_hashes = {test::certificate_hash(other_key.certificate),
                                       test::certificate_hash(pem.certificate)};
  expect_accepted(settings_for(ClientCertificates::required, by_certificate), showing(pem));
  expect_refused(settings_for(ClientCertificates::required, by_certificate), showing(same_key), 46, "whose hashes are");
  snapshot::PeerVerification by_key;
  by_key.public_key_hashes = {test::public_key_hash(pem.certificate)};
  expect_accepted(settings_for(ClientCertificates::required, by_key), showing(same_key));
  expect_refused(settings_for(ClientCertificates::required, by_key), showing(other_key), 46, "whose hashes are");
  snapshot::PeerVerification by_either = by_key;
  by_either.certificate_hashes = {test::certificate_hash(other_key.certificate)};
  for (const Pem& one : {pem, same_key, other_key})
    expect_accepted(settings_for(ClientCertificates::required, by_either), showing(one));
}

INSTANTIATE_TEST_SUITE_P(OverBothVersions, ClientCertificate, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& version) { return version.param == TLS1_3_VERSION ? "Tls13" : "Tls12"; });

TEST(LocalCertificate, IsKnownToTheSession) {
  const Pem pem = root().issue({.subject = {{"CN", "gateway"}, {"O", "Kyma"}},
                                .alternative_names = "DNS:a.example,URI:spiffe://x/y,URI:spiffe://x/z"});
  Connection connection(test::five_suites(), {}, pem);
  ASSERT_NE(connection.session->local_certificate(), nullptr);
  EXPECT_EQ(connection.session->local_certificate()->subject, "O=Kyma,CN=gateway");
  EXPECT_EQ(connection.session->local_certificate()->uris.front(), "spiffe://x/y");
}

// --- What cannot be loaded -------------------------------------------------------------------------

std::string refusal(const snapshot::TlsSettings& settings) {
  EXPECT_TRUE(initialize().has_value());
  const auto context =
      ServerContext::create(test::server(settings, test::rsa_2048().certificate, test::rsa_2048().key));
  return context ? "" : context.error().message;
}

TEST(ClientVerification, IsRefusedWithoutUsableCaCertificates) {
  snapshot::TlsSettings settings = test::five_suites();
  settings.client_certificates = ClientCertificates::required;
  EXPECT_TRUE(refusal(settings).contains("no CA certificates are named")) << refusal(settings);
  settings.client_verification = snapshot::PeerVerification{};
  EXPECT_TRUE(refusal(settings).contains("no CA certificates to verify clients with")) << refusal(settings);
  settings = settings_for(ClientCertificates::required, {.ca_pem = "garbage"});
  EXPECT_EQ(refusal(settings),
            "istio-system/certs-cacert: ca.crt holds no PEM certificate ('-----BEGIN CERTIFICATE-----')");
  settings =
      settings_for(ClientCertificates::required,
                   {.ca_pem = root().certificate() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"});
  EXPECT_TRUE(refusal(settings).starts_with(
      "istio-system/certs-cacert: ca.crt holds a CA certificate that cannot be used (number 2)"))
      << refusal(settings);
}

TEST(ClientVerification, IsRefusedWithoutUsableRevocationLists) {
  const auto with_list = [](const std::string& list) {
    return refusal(settings_for(ClientCertificates::required, {.crl_pem = list}));
  };
  EXPECT_EQ(with_list(root().revocation_list({})), "");
  EXPECT_EQ(with_list("garbage"), "istio-system/certs-cacert: ca.crl holds no PEM CRL ('-----BEGIN X509 CRL-----')");
  EXPECT_TRUE(
      with_list(other_root().revocation_list({})).contains("'CN=other root,O=Example', which is none of the CA"));
  const Authority forged("root");
  EXPECT_TRUE(with_list(forged.revocation_list({})).contains("whose signature is not good"))
      << with_list(forged.revocation_list({}));
  EXPECT_TRUE(with_list(root().revocation_list({}, {.critical_extension = "critical,onlyuser:TRUE"}))
                  .contains("with a critical extension: only full lists"));
}

}  // namespace
}  // namespace sluice::tls
