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

// With the certificate itself as the trusted root.
std::string verify(const IssuedCertificate& issued, WallTime at, const char* host = nullptr, const char* ip = nullptr) {
  return test::verify({.chain = issued.chain_pem, .trusted = issued.chain_pem, .at = at, .host = host, .ip = ip});
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

  EXPECT_EQ(verify(issued, now, "a.local.kyma.dev"), "ok");
  EXPECT_EQ(verify(issued, now, "example.com"), "ok");
  EXPECT_EQ(verify(issued, now, nullptr, "192.0.2.1"), "ok");
  EXPECT_EQ(verify(issued, now, nullptr, "2001:db8::1"), "ok");
  EXPECT_EQ(verify(issued, now, "other.example.com"), "hostname mismatch");
  EXPECT_EQ(verify(issued, now - 5min), "ok");  // of clients whose clock is behind
  EXPECT_EQ(verify(issued, now - 5min - 1s), "certificate is not yet valid");
  EXPECT_EQ(verify(issued, now + 24h * 90 - 1s), "ok");
  EXPECT_EQ(verify(issued, now + 24h * 90 + 1s), "certificate has expired");

  // And by our own eyes.
  snapshot::KeyPair pair;
  pair.chain_pem = issued.chain_pem;
  const auto summary = summarize(pair);
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->key_type, name);
  EXPECT_EQ(summary->subject, "CN=*.local.kyma.dev");
  EXPECT_EQ(summary->names, (std::vector<std::string>{"*.local.kyma.dev", "example.com", "192.0.2.1", "2001:db8::1"}));
  EXPECT_EQ(summary->not_before, "2026-11-25T10:15:30Z");
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
  const IssuedCertificate issued =
      issue({.hosts = {"example.com"}, .key_type = KeyType::ecdsa_p256, .lifetime = 24h * 365 * 40});
  const auto certificate = test::read_certificate(issued.chain_pem);
  EXPECT_EQ(ASN1_STRING_type(X509_get0_notAfter(certificate.get())), V_ASN1_GENERALIZEDTIME);
  EXPECT_EQ(verify(issued, now + 24h * 365 * 39), "ok");
}

TEST(MakeSelfSigned, LeavesALongHostOutOfTheCommonName) {
  const std::string longest = std::string(62, 'a') + ".b";  // 64 characters
  const std::string too_long = longest + "b";
  EXPECT_EQ(test::rfc2253_of(X509_get_subject_name(
                test::read_certificate(issue({.hosts = {longest}, .key_type = KeyType::ecdsa_p256}).chain_pem).get())),
            "CN=" + longest);
  const IssuedCertificate issued = issue({.hosts = {too_long}, .key_type = KeyType::ecdsa_p256});
  EXPECT_EQ(test::rfc2253_of(X509_get_subject_name(test::read_certificate(issued.chain_pem).get())), "CN=self-signed");
  EXPECT_EQ(verify(issued, now, too_long.c_str()), "ok");
}

TEST(MakeSelfSigned, TakesManyHosts) {
  SelfSignedOptions options{.hosts = {}, .key_type = KeyType::ecdsa_p256};
  for (int i = 0; i < 1000; ++i) options.hosts.push_back("host-" + std::to_string(i) + ".example.com");
  EXPECT_EQ(verify(issue(options), now, "host-999.example.com"), "ok");
  options.hosts.emplace_back("one-more.example.com");
  EXPECT_TRUE(make_self_signed(options, now).error().message.contains("1001 hosts are too many"));
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

// --- issue_self_signed -----------------------------------------------------------------------------

CertificateWish wish_for(const std::string& common_name, std::vector<std::string> dns_names = {}) {
  return {.common_name = common_name,
          .names = {.dns_names = std::move(dns_names), .ip_addresses = {}, .emails = {}, .uris = {}},
          .key_type = KeyType::ecdsa_p256,
          .is_ca = true,
          .duration = 24h * 90,
          .csr_pem = {},
          .preferred_chain = {}};
}

TEST(IssueSelfSigned, ServesTheHostOfACommonNameThatIsAlone) {
  const auto issued = issue_self_signed(wish_for("example.com"), now);
  ASSERT_TRUE(issued.has_value()) << issued.error().message;
  EXPECT_EQ(verify(*issued, now, "example.com"), "ok");
  EXPECT_EQ(issued->ca_pem, issued->chain_pem);
  EXPECT_TRUE(issued->key_pem.starts_with("-----BEGIN EC PRIVATE KEY-----"));  // Gardener's default
  const auto certificate = test::read_certificate(issued->chain_pem);
  EXPECT_EQ(X509_check_ca(certificate.get()), 1);
  EXPECT_EQ(X509_get_key_usage(certificate.get()),
            static_cast<uint32_t>(KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  EXPECT_EQ(X509_get_extended_key_usage(certificate.get()), static_cast<uint32_t>(XKU_SSL_SERVER | XKU_SSL_CLIENT));
}

TEST(IssueSelfSigned, FindsASubjectWhereThereIsNoCommonName) {
  const auto subject_of = [](const CertificateWish& wish) {
    const auto issued = issue_self_signed(wish, now);
    return issued ? test::rfc2253_of(X509_get_subject_name(test::read_certificate(issued->chain_pem).get()))
                  : issued.error().message;
  };
  EXPECT_EQ(subject_of(wish_for("", {"*.example.com"})), "CN=*.example.com");
  CertificateWish wish = wish_for("");
  wish.names.uris = {"urn:a"};
  EXPECT_EQ(subject_of(wish), "CN=self-signed");
}

TEST(IssueSelfSigned, RefusesWhatItCannotIssue) {
  const auto reason = [](auto change) {
    CertificateWish wish = wish_for("example.com");
    change(wish);
    const auto issued = issue_self_signed(wish, now);
    return issued ? "none" : issued.error().message;
  };
  EXPECT_EQ(reason([](auto&) {}), "none");
  EXPECT_TRUE(reason([](auto& w) { w.is_ca = false; }).contains("set isCA: true"));
  EXPECT_TRUE(reason([](auto& w) { w.csr_pem = "x"; }).contains("csr"));
  EXPECT_TRUE(reason([](auto& w) { w.common_name = ""; }).contains("has no name"));
  EXPECT_TRUE(reason([](auto& w) { w.duration = 59s; }).contains("one minute to ten years"));
  EXPECT_EQ(reason([](auto& w) { w.duration = 1min; }), "none");
  EXPECT_EQ(reason([](auto& w) { w.duration = 24h * 3652; }), "none");
}

// --- make_fallback and make_acme_challenge ---------------------------------------------------------

TEST(MakeFallback, NamesWhatAServersHostsCanBe) {
  const std::vector<std::string> hosts{"*", "*.local.kyma.dev", "gateway.example.com", "*.local.kyma.dev"};
  const auto fallback = make_fallback(hosts, now);
  ASSERT_TRUE(fallback.has_value()) << fallback.error().message;
  EXPECT_EQ(verify(*fallback, now, "a.local.kyma.dev"), "ok");
  EXPECT_EQ(verify(*fallback, now, "gateway.example.com"), "ok");
  EXPECT_EQ(verify(*fallback, now + 24h * 364, "gateway.example.com"), "ok");
  EXPECT_EQ(verify(make_fallback(std::vector<std::string>{"*"}, now).value(), now, "localhost"), "ok");
}

TEST(MakeAcmeChallenge, HasTheHashInACriticalExtension) {
  for (const char* identifier : {"example.org", "192.0.2.1", "2001:db8::1"}) {
    const auto issued = make_acme_challenge(identifier, "token.thumbprint", now);
    ASSERT_TRUE(issued.has_value()) << issued.error().message;
    const auto certificate = test::read_certificate(issued->chain_pem);
    EXPECT_EQ(X509_verify(certificate.get(), X509_get0_pubkey(certificate.get())), 1);
    // RFC 8737 3
    ASN1_OBJECT* id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    X509_EXTENSION* extension = X509_get_ext(certificate.get(), X509_get_ext_by_OBJ(certificate.get(), id, -1));
    ASN1_OBJECT_free(id);
    ASSERT_NE(extension, nullptr);
    EXPECT_EQ(X509_EXTENSION_get_critical(extension), 1);
    const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(extension);
    std::string expected("\x04\x20");
    expected.resize(34);
    EVP_Digest("token.thumbprint", 16, reinterpret_cast<unsigned char*>(expected.data() + 2), nullptr, EVP_sha256(),
               nullptr);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                          static_cast<size_t>(ASN1_STRING_length(value))),
              expected);
    auto* names =
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr));
    EXPECT_EQ(sk_GENERAL_NAME_num(names), 1);
    GENERAL_NAMES_free(names);
    EXPECT_EQ(X509_check_host(certificate.get(), identifier, 0, 0, nullptr) == 1 ||
                  X509_check_ip_asc(certificate.get(), identifier, 0) == 1,
              true);
  }
  EXPECT_FALSE(make_acme_challenge("a b", "x", now).has_value());
}

}  // namespace
}  // namespace sluice::certs
