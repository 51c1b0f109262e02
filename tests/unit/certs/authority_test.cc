#include "certs/authority.h"

#include "../tls/authority.h"
#include "openssl_pair.h"

#include "certs/certificate_facts.h"
#include "certs/self_signed.h"
#include "tls/key_pair.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <gtest/gtest.h>

namespace sluice::certs {
namespace {

using namespace std::chrono_literals;

const WallTime now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
constexpr Duration kDay = 24h;

// Two CAs of OpenSSL's making: a root, and one below it, whose key we get.
const test::Authority& root() {
  static const test::Authority authority("Root", nullptr, {.not_after_s = 4000L * 24 * 3600});
  return authority;
}

test::IssueOptions ca_options() {
  return {.subject = {{"C", "DE"}, {"O", "Example, Inc."}, {"OU", "Web"}, {"CN", "Issuing CA"}},
          .alternative_names = {},
          .extended_key_usage = {},
          .key_usage = "critical,keyCertSign,cRLSign",
          .basic_constraints = "critical,CA:TRUE,pathlen:1",
          .name_constraints = {},
          .not_after_s = 400L * 24 * 3600};
}

test::Pem make_ca(const test::IssueOptions& options = ca_options()) { return root().issue(options); }

Authority read_ca(const test::Pem& pem) {
  auto authority = Authority::read(pem.certificate + root().certificate(), pem.key);
  if (!authority) throw std::runtime_error(authority.error().message);
  return std::move(*authority);
}

CertificateWish wish_for(const std::string& common_name, std::vector<std::string> dns_names = {}) {
  return {.common_name = common_name,
          .names = {.dns_names = std::move(dns_names), .ip_addresses = {}, .emails = {}, .uris = {}},
          .key_type = KeyType::ecdsa_p256,
          .duration = kDay * 180,
          .csr_pem = {},
          .preferred_chain = {}};
}

IssuedCertificate issue(const Authority& authority, const CertificateWish& wish) {
  auto issued = authority.issue(wish, now);
  if (!issued) throw std::runtime_error(issued.error().message);
  return std::move(*issued);
}

std::string refusal(const Authority& authority, const CertificateWish& wish, WallTime at = now) {
  const auto issued = authority.issue(wish, at);
  return issued ? "none" : issued.error().message;
}

size_t certificate_count(const std::string& pem) {
  size_t count = 0;
  for (size_t at = pem.find("-----BEGIN"); at != std::string::npos; at = pem.find("-----BEGIN", at + 1)) ++count;
  return count;
}

// --- Certificates ----------------------------------------------------------------------------------

class EveryKeyType : public testing::TestWithParam<KeyType> {};

TEST_P(EveryKeyType, IsIssuedAndVerifiedByOpenssl) {
  for (const bool is_ecdsa : {true, false}) {
    test::IssueOptions options = ca_options();
    options.is_ecdsa = is_ecdsa;
    const Authority authority = read_ca(make_ca(options));
    CertificateWish wish = wish_for("a.example.com", {"*.example.com", "xn--bcher-kva.example"});
    wish.names.ip_addresses = {"192.0.2.1", "2001:db8::1"};
    wish.names.emails = {"admin@example.com"};
    wish.names.uris = {"spiffe://cluster.local/ns/a"};
    wish.key_type = GetParam();
    const IssuedCertificate issued = issue(authority, wish);

    const test::VerifyOptions good{.chain = issued.chain_pem, .trusted = root().certificate(), .at = now};
    const auto verify = [&](auto change) {
      test::VerifyOptions changed = good;
      change(changed);
      return test::verify(changed);
    };
    EXPECT_EQ(test::verify(good), "ok");
    for (const char* host : {"a.example.com", "b.example.com", "xn--bcher-kva.example"})
      EXPECT_EQ(verify([&](auto& o) { o.host = host; }), "ok") << host;
    EXPECT_EQ(verify([&](auto& o) { o.host = "a.b.example.com"; }), "hostname mismatch");
    for (const char* ip : {"192.0.2.1", "2001:db8::1"}) EXPECT_EQ(verify([&](auto& o) { o.ip = ip; }), "ok") << ip;
    EXPECT_EQ(verify([&](auto& o) { o.at = now - 5min; }), "ok");
    EXPECT_EQ(verify([&](auto& o) { o.at = now - 5min - 1s; }), "certificate is not yet valid");
    EXPECT_EQ(verify([&](auto& o) { o.at = now + kDay * 180; }), "certificate has expired");
    EXPECT_EQ(verify([&](auto& o) { o.at = now + kDay * 180 - 1s; }), "ok");
    EXPECT_EQ(verify([&](auto& o) { o.purpose = X509_PURPOSE_SSL_CLIENT; }), "ok");

    const auto certificate = test::read_certificate(issued.chain_pem);
    const auto key = test::read_key(issued.key_pem);
    EXPECT_EQ(X509_check_private_key(certificate.get(), key.get()), 1);
    EXPECT_EQ(X509_get_key_usage(certificate.get()),
              static_cast<uint32_t>(KU_DIGITAL_SIGNATURE | (is_rsa(GetParam()) ? KU_KEY_ENCIPHERMENT : 0)));
    EXPECT_EQ(X509_get_extended_key_usage(certificate.get()), static_cast<uint32_t>(XKU_SSL_SERVER | XKU_SSL_CLIENT));
    EXPECT_EQ(X509_get_signature_nid(certificate.get()),
              is_ecdsa ? NID_ecdsa_with_SHA256 : NID_sha256WithRSAEncryption);
  }
}

TEST_P(EveryKeyType, IsServedBySluiceInBothEncodings) {
  CertificateWish wish = wish_for("a.example.com");
  wish.key_type = GetParam();
  for (const KeyEncoding encoding : {KeyEncoding::pkcs1, KeyEncoding::pkcs8}) {
    wish.key_encoding = encoding;
    const IssuedCertificate issued = issue(read_ca(make_ca()), wish);
    snapshot::KeyPair pair;
    pair.chain_pem = issued.chain_pem;
    pair.key_pem = issued.key_pem;
    const Status status = tls::check_key_pair(pair);
    EXPECT_TRUE(status.has_value()) << status.error().message;
  }
}

INSTANTIATE_TEST_SUITE_P(OfALeaf, EveryKeyType,
                         testing::Values(KeyType::rsa_2048, KeyType::ecdsa_p256, KeyType::ecdsa_p384));

TEST(Authority, CopiesTheOrganisationOfItsSubjectAndAddsTheCommonNameToTheNames) {
  const Authority authority = read_ca(make_ca());
  EXPECT_EQ(authority.certificate().subject, "CN=Issuing CA,OU=Web,O=Example\\, Inc.,C=DE");
  const IssuedCertificate issued = issue(authority, wish_for("A.example.com", {"b.example.com"}));
  const auto certificate = test::read_certificate(issued.chain_pem);
  EXPECT_EQ(test::rfc2253_of(X509_get_subject_name(certificate.get())),
            "CN=A.example.com,OU=Web,O=Example\\, Inc.,C=DE");
  EXPECT_EQ(X509_NAME_cmp(X509_get_issuer_name(certificate.get()),
                          X509_get_subject_name(test::read_certificate(issued.ca_pem).get())),
            0);
  const auto facts = read_facts(issued.chain_pem);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->names.dns_names, (std::vector<std::string>{"a.example.com", "b.example.com"}));
  EXPECT_EQ(facts->issuer_common_name, "Issuing CA");
  EXPECT_EQ(facts->not_after, now + kDay * 180);
  EXPECT_EQ(facts->not_before, now - 5min);
}

TEST(Authority, NamesTheKeysSoThatChainsAreFound) {
  const IssuedCertificate issued = issue(read_ca(make_ca()), wish_for("a.example.com"));
  const auto certificate = test::read_certificate(issued.chain_pem);
  const auto ca = test::read_certificate(issued.ca_pem);
  EXPECT_EQ(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(certificate.get()), X509_get0_subject_key_id(ca.get())),
            0);
  EXPECT_EQ(ASN1_STRING_length(X509_get0_subject_key_id(certificate.get())), 20);
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate.get());
  EXPECT_EQ(ASN1_STRING_length(serial), 16);
  EXPECT_EQ(ASN1_STRING_type(serial), V_ASN1_INTEGER);  // not negative
  int critical = -1;
  auto* constraints =
      static_cast<BASIC_CONSTRAINTS*>(X509_get_ext_d2i(certificate.get(), NID_basic_constraints, &critical, nullptr));
  ASSERT_NE(constraints, nullptr);
  EXPECT_EQ(constraints->ca, 0);
  EXPECT_EQ(critical, 1);
  BASIC_CONSTRAINTS_free(constraints);
}

TEST(Authority, PutsTheChainWithoutSelfSignedRootsIntoTlsCrt) {
  const test::Pem ca = make_ca();
  const IssuedCertificate issued = issue(read_ca(ca), wish_for("a.example.com"));
  EXPECT_EQ(certificate_count(issued.chain_pem), 2U);
  EXPECT_TRUE(issued.chain_pem.ends_with(ca.certificate));
  EXPECT_EQ(issued.ca_pem, ca.certificate);
  // Who has ca.crt only.
  EXPECT_EQ(test::verify(
                {.chain = issued.chain_pem, .trusted = ca.certificate, .at = now, .flags = X509_V_FLAG_PARTIAL_CHAIN}),
            "ok");
}

TEST(Authority, IsWhatASelfSignedCertificateCanBe) {
  for (const KeyType type : {KeyType::ecdsa_p384, KeyType::rsa_2048}) {
    CertificateWish own = wish_for("My CA");
    own.is_ca = true;
    own.key_type = type;
    own.duration = kDay * 365;
    const auto ca = issue_self_signed(own, now);
    ASSERT_TRUE(ca.has_value()) << ca.error().message;
    const auto authority = Authority::read(ca->chain_pem, ca->key_pem);
    ASSERT_TRUE(authority.has_value()) << authority.error().message;
    const IssuedCertificate issued = issue(*authority, wish_for("a.example.com"));
    EXPECT_EQ(certificate_count(issued.chain_pem), 1U);
    EXPECT_EQ(test::verify({.chain = issued.chain_pem, .trusted = issued.ca_pem, .at = now, .host = "a.example.com"}),
              "ok");
    EXPECT_EQ(X509_get_signature_nid(test::read_certificate(issued.chain_pem).get()),
              type == KeyType::rsa_2048 ? NID_sha256WithRSAEncryption : NID_ecdsa_with_SHA384);
  }
}

TEST(Authority, IssuesACaWhoseCommonNameIsNoHost) {
  const test::Pem pem = make_ca();
  CertificateWish wish = wish_for("sub.example.com");
  wish.is_ca = true;
  const IssuedCertificate sub = issue(read_ca(pem), wish);
  const auto facts = read_facts(sub.chain_pem);
  EXPECT_EQ(facts->common_name, "sub.example.com");
  EXPECT_EQ(facts->names.count(), 0U);
  EXPECT_EQ(X509_get_key_usage(test::read_certificate(sub.chain_pem).get()),
            static_cast<uint32_t>(KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN));

  // It issues in turn, with the chain that is in its own Secret.
  const auto below = Authority::read(sub.chain_pem, sub.key_pem);
  ASSERT_TRUE(below.has_value()) << below.error().message;
  wish = wish_for("a.example.com");
  wish.duration = kDay * 90;
  const IssuedCertificate issued = issue(*below, wish);
  EXPECT_EQ(certificate_count(issued.chain_pem), 3U);
  EXPECT_EQ(
      test::verify({.chain = issued.chain_pem, .trusted = root().certificate(), .at = now, .host = "a.example.com"}),
      "ok");

  test::IssueOptions last = ca_options();
  last.basic_constraints = "critical,CA:TRUE,pathlen:0";
  wish = wish_for("sub");
  wish.is_ca = true;
  EXPECT_TRUE(refusal(read_ca(make_ca(last)), wish).contains("pathlen:0"));
}

TEST(Authority, IssuesForTheKeyOfARequest) {
  const SigningKey key = SigningKey::make(KeyType::ecdsa_p384).value();
  const Subject subject{.common_name = "a.example.com",
                        .names = {.dns_names = {"b.example.com"}, .ip_addresses = {}, .emails = {}, .uris = {}}};
  CertificateWish wish = wish_for("");
  wish.csr_pem = tls::encode_pem(as_bytes(make_request(subject, key).value()), kRequestLabel);
  const IssuedCertificate issued = issue(read_ca(make_ca()), wish);
  EXPECT_EQ(issued.key_pem, "");
  EXPECT_EQ(read_facts(issued.chain_pem)->key_type, "ECDSA-P384");
  EXPECT_EQ(
      test::verify({.chain = issued.chain_pem, .trusted = root().certificate(), .at = now, .host = "a.example.com"}),
      "ok");
  EXPECT_EQ(
      test::verify({.chain = issued.chain_pem, .trusted = root().certificate(), .at = now, .host = "b.example.com"}),
      "ok");
  wish.common_name = "c.example.com";
  EXPECT_TRUE(refusal(read_ca(make_ca()), wish).contains("leave commonName"));
}

TEST(Authority, IssuesWithoutACommonName) {
  test::IssueOptions options = ca_options();
  options.subject = {{"O", "Example"}};  // the leaf's would be the same: it would pass for self-signed
  const Authority authority = read_ca(make_ca(options));
  const IssuedCertificate issued = issue(authority, wish_for("", {"a.example.com"}));
  const auto certificate = test::read_certificate(issued.chain_pem);
  EXPECT_EQ(test::rfc2253_of(X509_get_subject_name(certificate.get())), "");
  // RFC 5280 4.1.2.6
  EXPECT_EQ(X509_EXTENSION_get_critical(
                X509_get_ext(certificate.get(), X509_get_ext_by_NID(certificate.get(), NID_subject_alt_name, -1))),
            1);
  EXPECT_EQ(
      test::verify({.chain = issued.chain_pem, .trusted = root().certificate(), .at = now, .host = "a.example.com"}),
      "ok");
  CertificateWish same = wish_for("Issuing CA", {"a.example.com"});
  EXPECT_TRUE(refusal(read_ca(make_ca()), same).contains("is the CA's own"));
}

TEST(Authority, KeepsToItsOwnLifetimeAndToADocumentsBounds) {
  const Authority authority = read_ca(make_ca());
  CertificateWish wish = wish_for("a.example.com");
  wish.duration = 1min;
  const auto facts = read_facts(issue(authority, wish).chain_pem);
  EXPECT_EQ(facts->not_before, now);
  EXPECT_EQ(facts->not_after, now + 1min);
  wish.duration = kDay * 401;
  EXPECT_TRUE(refusal(authority, wish).contains("ask for a shorter duration, or renew the CA"));
  wish.duration = 59s;
  EXPECT_TRUE(refusal(authority, wish).contains("one minute to ten years"));
  wish.duration = kDay * 4000;
  EXPECT_TRUE(refusal(authority, wish).contains("one minute to ten years"));
  wish.duration = kDay;
  EXPECT_TRUE(refusal(authority, wish, now + kDay * 401).contains("expired on"));
  EXPECT_TRUE(refusal(authority, wish, now - kDay).contains("is not valid before"));
  EXPECT_TRUE(authority.check_dates(now).has_value());
}

TEST(Authority, KeepsToTheNameConstraintsOfTheCa) {
  test::IssueOptions options = ca_options();
  options.name_constraints = "critical,permitted;DNS:example.com";
  const Authority authority = read_ca(make_ca(options));
  EXPECT_EQ(refusal(authority, wish_for("a.example.com")), "none");
  EXPECT_TRUE(refusal(authority, wish_for("a.example.org")).contains("name constraints"));
}

TEST(Authority, RefusesACertificateThatNamesNoHost) {
  const Authority authority = read_ca(make_ca());
  EXPECT_TRUE(refusal(authority, wish_for("")).contains("has no name"));
  EXPECT_TRUE(refusal(authority, wish_for("My Service")).contains("names no host"));
  EXPECT_EQ(refusal(authority, wish_for("My Service", {"a.example.com"})), "none");
  EXPECT_TRUE(refusal(authority, wish_for(std::string(65, 'a'))).contains("65 characters"));
}

// --- What is no CA ---------------------------------------------------------------------------------

std::string why_not(const std::string& chain, const std::string& key) {
  const auto authority = Authority::read(chain, key);
  return authority ? "none" : authority.error().message;
}

TEST(Authority, SaysWhatIsWrongWithASecret) {
  const test::Pem ca = make_ca();
  test::IssueOptions other = ca_options();
  other.is_ecdsa = false;
  const test::Pem rsa = make_ca(other);
  EXPECT_TRUE(why_not(ca.certificate, rsa.key).contains("tls.key does not belong"));
  EXPECT_TRUE(why_not("", ca.key).contains("tls.crt holds no PEM certificate"));
  EXPECT_TRUE(why_not(ca.certificate, "").contains("tls.key is no PEM private key"));
  EXPECT_TRUE(why_not(ca.certificate, test::encrypt_key(ca.key)).contains("tls.key is encrypted"));
  EXPECT_TRUE(why_not(root().certificate() + ca.certificate, ca.key).contains("tls.key does not belong"));
  EXPECT_TRUE(why_not(ca.certificate + ca.certificate, ca.key).contains("number 2 of tls.crt has not issued number 1"));

  test::IssueOptions leaf = ca_options();
  leaf.basic_constraints = "critical,CA:FALSE";
  leaf.key_usage = "critical,digitalSignature";
  EXPECT_TRUE(why_not(make_ca(leaf).certificate, ca.key).contains("does not begin with a CA certificate"));
  test::IssueOptions no_signing = ca_options();
  no_signing.key_usage = "critical,cRLSign";
  EXPECT_TRUE(why_not(make_ca(no_signing).certificate, ca.key).contains("lacks keyCertSign"));
  test::IssueOptions mail = ca_options();
  mail.extended_key_usage = "emailProtection";
  EXPECT_TRUE(why_not(make_ca(mail).certificate, ca.key).contains("without serverAuth"));

  std::string many = ca.certificate;
  for (int i = 0; i < 10; ++i) many += root().certificate();
  EXPECT_TRUE(why_not(many, ca.key).contains("11 certificates"));
  EXPECT_TRUE(why_not(std::string(300'000, ' '), ca.key).contains("are allowed"));
}

}  // namespace
}  // namespace sluice::certs
