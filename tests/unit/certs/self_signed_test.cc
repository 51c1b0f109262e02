#include "certs/self_signed.h"

#include "openssl_pair.h"

#include "certs/certificate.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <gtest/gtest.h>

namespace sluice::certs {
namespace {

using namespace std::chrono_literals;

const WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 25) + 10h + 20min + 30s;

IssuedCertificate issue(const SelfSignedOptions& options, WallTime at = now) {
  auto issued = make_self_signed(options, at);
  if (!issued) throw std::runtime_error(issued.error().message);
  return std::move(*issued);
}

// What a client does: chain, dates and purpose, with the certificate itself as the trusted root.
int verify(X509* certificate, WallTime at, const char* host = nullptr, const char* ip = nullptr) {
  const std::unique_ptr<X509_STORE, test::FreeOpenssl> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), certificate);
  const std::unique_ptr<X509_STORE_CTX, test::FreeOpenssl> context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr);
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(parameters,
                             std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(at)));
  X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
  if (host != nullptr) X509_VERIFY_PARAM_set1_host(parameters, host, 0);
  if (ip != nullptr) X509_VERIFY_PARAM_set1_ip_asc(parameters, ip);
  X509_verify_cert(context.get());
  return X509_STORE_CTX_get_error(context.get());
}

class SelfSigned : public testing::TestWithParam<std::pair<KeyType, const char*>> {};

TEST_P(SelfSigned, IsAcceptedByOpenssl) {
  const auto& [key_type, name] = GetParam();
  const IssuedCertificate issued =
      issue({.hosts = {"*.local.kyma.dev", "example.com", "192.0.2.1", "2001:db8::1"}, .key_type = key_type});
  const auto certificate = test::read_certificate(issued.chain_pem);
  const auto key = test::read_key(issued.key_pem);
  ASSERT_NE(certificate, nullptr);
  ASSERT_NE(key, nullptr);
  EXPECT_TRUE(issued.key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
  EXPECT_EQ(X509_check_private_key(certificate.get(), key.get()), 1);

  EXPECT_EQ(verify(certificate.get(), now, "a.local.kyma.dev"), X509_V_OK);
  EXPECT_EQ(verify(certificate.get(), now, "example.com"), X509_V_OK);
  EXPECT_EQ(verify(certificate.get(), now, nullptr, "192.0.2.1"), X509_V_OK);
  EXPECT_EQ(verify(certificate.get(), now, nullptr, "2001:db8::1"), X509_V_OK);
  EXPECT_EQ(verify(certificate.get(), now, "other.example.com"), X509_V_ERR_HOSTNAME_MISMATCH);
  EXPECT_EQ(verify(certificate.get(), now - 1s), X509_V_ERR_CERT_NOT_YET_VALID);
  EXPECT_EQ(verify(certificate.get(), now + 24h * 90 - 1s), X509_V_OK);
  EXPECT_EQ(verify(certificate.get(), now + 24h * 90 + 1s), X509_V_ERR_CERT_HAS_EXPIRED);

  // And by our own eyes.
  snapshot::KeyPair pair;
  pair.chain_pem = issued.chain_pem;
  const auto summary = summarize(pair);
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->key_type, name);
  EXPECT_EQ(summary->subject, "CN=*.local.kyma.dev");
  EXPECT_EQ(summary->names, (std::vector<std::string>{"*.local.kyma.dev", "example.com", "192.0.2.1", "2001:db8::1"}));
  EXPECT_EQ(summary->not_before, "2026-11-25T10:20:30Z");
  EXPECT_EQ(summary->not_after, "2027-02-23T10:20:30Z");
}

TEST_P(SelfSigned, HasTheExtensionsOfAServerCertificate) {
  const auto certificate =
      test::read_certificate(issue({.hosts = {"example.com"}, .key_type = GetParam().first}).chain_pem);
  ASSERT_NE(certificate, nullptr);
  const bool is_rsa = std::string_view(GetParam().second).starts_with("RSA");
  EXPECT_EQ(X509_get_key_usage(certificate.get()),
            static_cast<uint32_t>(KU_DIGITAL_SIGNATURE | (is_rsa ? KU_KEY_ENCIPHERMENT : 0)));
  EXPECT_EQ(X509_get_extended_key_usage(certificate.get()), static_cast<uint32_t>(XKU_SSL_SERVER | XKU_SSL_CLIENT));
  EXPECT_EQ(X509_get_version(certificate.get()), 2);
  EXPECT_NE(X509_get0_subject_key_id(certificate.get()), nullptr);
  int critical = -1;
  auto* constraints =
      static_cast<BASIC_CONSTRAINTS*>(X509_get_ext_d2i(certificate.get(), NID_basic_constraints, &critical, nullptr));
  ASSERT_NE(constraints, nullptr);
  EXPECT_EQ(constraints->ca, 0);
  BASIC_CONSTRAINTS_free(constraints);
}

INSTANTIATE_TEST_SUITE_P(OfEveryKeyType, SelfSigned,
                         testing::Values(std::pair{KeyType::rsa_2048, "RSA-2048"},
                                         std::pair{KeyType::rsa_3072, "RSA-3072"},
                                         std::pair{KeyType::rsa_4096, "RSA-4096"},
                                         std::pair{KeyType::ecdsa_p256, "ECDSA-P256"},
                                         std::pair{KeyType::ecdsa_p384, "ECDSA-P384"}),
                         [](const auto& name) {
                           std::string text = name.param.second;
                           std::erase(text, '-');
                           return text;
                         });

TEST(MakeSelfSigned, GivesEveryCertificateItsOwnSerialAndKey) {
  const SelfSignedOptions options{.hosts = {"example.com"}, .key_type = KeyType::ecdsa_p256};
  const IssuedCertificate first = issue(options);
  const IssuedCertificate second = issue(options);
  EXPECT_NE(first.key_pem, second.key_pem);
  std::string previous;
  for (const auto* issued : {&first, &second}) {
    const auto certificate = test::read_certificate(issued->chain_pem);
    const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate.get());
    EXPECT_EQ(ASN1_STRING_length(serial), 16);
    EXPECT_EQ(ASN1_STRING_type(serial), V_ASN1_INTEGER);  // not negative
    const std::string bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)), 16);
    EXPECT_NE(bytes, previous);
    previous = bytes;
  }
}

TEST(MakeSelfSigned, WritesDatesAfter2050) {
  const auto certificate = test::read_certificate(
      issue({.hosts = {"example.com"}, .key_type = KeyType::ecdsa_p256, .lifetime = 24h * 365 * 40}).chain_pem);
  EXPECT_EQ(ASN1_STRING_type(X509_get0_notAfter(certificate.get())), V_ASN1_GENERALIZEDTIME);
  EXPECT_EQ(verify(certificate.get(), now + 24h * 365 * 39), X509_V_OK);
}

TEST(MakeSelfSigned, LeavesALongHostOutOfTheCommonName) {
  const std::string longest(63, 'a');
  const std::string too_long = longest + ".example.com";
  EXPECT_EQ(test::rfc2253_of(X509_get_subject_name(
                test::read_certificate(issue({.hosts = {longest}, .key_type = KeyType::ecdsa_p256}).chain_pem).get())),
            "CN=" + longest);
  const auto certificate =
      test::read_certificate(issue({.hosts = {too_long}, .key_type = KeyType::ecdsa_p256}).chain_pem);
  EXPECT_EQ(test::rfc2253_of(X509_get_subject_name(certificate.get())), "O=self-signed");
  EXPECT_EQ(verify(certificate.get(), now, too_long.c_str()), X509_V_OK);
}

TEST(MakeSelfSigned, TakesManyHosts) {
  SelfSignedOptions options{.hosts = {}, .key_type = KeyType::ecdsa_p256};
  for (int i = 0; i < 500; ++i) options.hosts.push_back("host-" + std::to_string(i) + ".example.com");
  const auto certificate = test::read_certificate(issue(options).chain_pem);
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(verify(certificate.get(), now, "host-499.example.com"), X509_V_OK);
  for (int i = 0; i < 1000; ++i) options.hosts.push_back("host-" + std::to_string(i) + ".example.org");
  EXPECT_TRUE(make_self_signed(options, now).error().message.contains("1500 hosts are too many"));
}

TEST(MakeSelfSigned, RefusesWhatIsNoHost) {
  for (const std::string& host :
       {std::string(), std::string("a b"), std::string("*"), std::string("a.*.example"),
        std::string("http://example.com"), std::string("a..b"), std::string("example.com:443"), std::string(254, 'a'),
        std::string("a\0b", 3), std::string("1.2.3.4/8"), std::string("-"), std::string("-a.example"),
        std::string("a-.example"), std::string(64, 'a') + ".example"}) {
    const auto issued = make_self_signed({.hosts = {"example.com", host}, .key_type = KeyType::ecdsa_p256}, now);
    ASSERT_FALSE(issued.has_value()) << host;
    EXPECT_TRUE(issued.error().message.contains("nor a host name")) << issued.error().message;
  }
  EXPECT_TRUE(make_self_signed({}, now).error().message.contains("no host is given"));
  EXPECT_TRUE(make_self_signed({.hosts = {"a.example"}, .lifetime = 0s}, now).error().message.contains("lifetime"));
}

TEST(ToSecretYaml, WritesAKubernetesSecret) {
  IssuedCertificate certificate;
  certificate.chain_pem = "certificate\n";
  certificate.key_pem = "key";
  EXPECT_EQ(to_secret_yaml(certificate, "kyma-gateway-certs", "istio-system"),
            "apiVersion: v1\n"
            "kind: Secret\n"
            "metadata:\n"
            "  name: kyma-gateway-certs\n"
            "  namespace: istio-system\n"
            "type: kubernetes.io/tls\n"
            "data:\n"
            "  tls.crt: Y2VydGlmaWNhdGUK\n"
            "  tls.key: a2V5\n");
}

TEST(ToSecretYaml, KeepsTheWholePair) {
  const IssuedCertificate certificate = issue({.hosts = {"example.com"}});
  const std::string yaml = to_secret_yaml(certificate, "a", "b");
  const size_t start = yaml.find("tls.crt: ") + 9;
  const std::string encoded = yaml.substr(start, yaml.find('\n', start) - start);
  std::string decoded(encoded.size(), '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                      reinterpret_cast<const unsigned char*>(encoded.data()), static_cast<int>(encoded.size()));
  ASSERT_GE(size, static_cast<int>(certificate.chain_pem.size()));
  EXPECT_EQ(decoded.substr(0, certificate.chain_pem.size()), certificate.chain_pem);
}

}  // namespace
}  // namespace sluice::certs
