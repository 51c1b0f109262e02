#include "certs/certificate_wish.h"

#include "tls/pem.h"

#include <gtest/gtest.h>

namespace sluice::certs {
namespace {

using namespace std::chrono_literals;
using Names = std::vector<std::string>;

CertificateWish wish_for(const std::string& common_name, Names dns_names = {}) {
  return {.common_name = common_name,
          .names = {.dns_names = std::move(dns_names), .ip_addresses = {}, .emails = {}, .uris = {}},
          .csr_pem = {},
          .preferred_chain = {}};
}

// --- requested_subject -----------------------------------------------------------------------------

TEST(RequestedSubject, HasTheCommonNameAmongTheNames) {
  for (const IssuerKind kind : {IssuerKind::acme, IssuerKind::ca, IssuerKind::self_signed}) {
    const auto subject = requested_subject(wish_for("A.example.com", {"b.example.com"}), kind);
    ASSERT_TRUE(subject.has_value()) << subject.error().message;
    EXPECT_EQ(subject->common_name, "A.example.com");
    EXPECT_EQ(subject->names.dns_names, (Names{"a.example.com", "b.example.com"}));
    EXPECT_EQ(requested_subject(wish_for("a.example.com", {"A.example.com"}), kind)->names.dns_names,
              Names{"a.example.com"});
    EXPECT_EQ(requested_subject(wish_for("*.example.com"), kind)->names.dns_names, Names{"*.example.com"});
    EXPECT_EQ(requested_subject(wish_for("2001:DB8::1"), kind)->names.ip_addresses, Names{"2001:db8::1"});
  }
}

TEST(RequestedSubject, LeavesACasCommonNameOutUnlessItIsSelfSigned) {
  CertificateWish wish = wish_for("a.example.com");
  wish.is_ca = true;
  EXPECT_EQ(requested_subject(wish, IssuerKind::ca)->names.count(), 0U);
  EXPECT_EQ(requested_subject(wish, IssuerKind::self_signed)->names.dns_names, Names{"a.example.com"});
  wish.common_name = "My CA";
  EXPECT_TRUE(requested_subject(wish, IssuerKind::self_signed).has_value());
  wish.common_name = "";
  EXPECT_FALSE(requested_subject(wish, IssuerKind::ca).has_value());
}

TEST(RequestedSubject, TakesTheNamesOfARequest) {
  const SigningKey key = SigningKey::make(KeyType::ecdsa_p256).value();
  CertificateWish wish = wish_for("");
  wish.csr_pem = tls::encode_pem(as_bytes(make_request({.common_name = "a.example.com", .names = {}}, key).value()),
                                 kRequestLabel);
  const auto subject = requested_subject(wish, IssuerKind::acme);
  ASSERT_TRUE(subject.has_value()) << subject.error().message;
  EXPECT_EQ(subject->names.dns_names, Names{"a.example.com"});
  wish.names.dns_names = {"b.example.com"};
  EXPECT_FALSE(requested_subject(wish, IssuerKind::acme).has_value());
  wish = wish_for("");
  wish.csr_pem = "text";
  EXPECT_TRUE(requested_subject(wish, IssuerKind::acme).error().message.contains("csr holds no PEM"));
}

TEST(RequestedSubject, BoundsTheCommonName) {
  EXPECT_TRUE(requested_subject(wish_for(std::string(60, 'a') + ".com"), IssuerKind::ca).has_value());
  EXPECT_TRUE(requested_subject(wish_for(std::string(61, 'a') + ".com"), IssuerKind::ca)
                  .error()
                  .message.contains("it has 65 characters; 64 are allowed"));
  for (const std::string& name : {std::string("a\nb"), std::string("a\0b", 3), std::string("\xff")})
    EXPECT_FALSE(requested_subject(wish_for(name, {"a.example"}), IssuerKind::ca).has_value());
  Names names;
  for (int i = 0; i < 100; ++i) names.push_back("host-" + std::to_string(i) + ".example");
  EXPECT_TRUE(requested_subject(wish_for("", names), IssuerKind::ca).has_value());
  EXPECT_TRUE(requested_subject(wish_for("a.example", names), IssuerKind::ca).error().message.contains("101 names"));
}

// --- request_digest --------------------------------------------------------------------------------

CertificateWish full_wish() {
  return {.common_name = "a.example.com",
          .names = {.dns_names = {"b.example.com", "c.example.com"},
                    .ip_addresses = {"192.0.2.1"},
                    .emails = {"a@example.com"},
                    .uris = {"urn:a"}},
          .duration = 24h,
          .csr_pem = {},
          .preferred_chain = {}};
}

TEST(RequestDigest, IsTheSameInEveryVersionOfTheProgram) {
  // It is saved: whoever changes what is hashed has every certificate issued anew.
  EXPECT_EQ(request_digest("default/ca", full_wish()),
            "112c8191a4642aae3c571a9ace5d991269b30782e790f13d13dedb0ecb230864");
}

TEST(RequestDigest, DoesNotDependOnOrderAndCase) {
  CertificateWish other = full_wish();
  other.names.dns_names = {"C.example.com", "b.Example.com."};
  EXPECT_EQ(request_digest("default/ca", other), request_digest("default/ca", full_wish()));
}

TEST(RequestDigest, DependsOnEverythingThatIsAskedFor) {
  const std::string before = request_digest("default/ca", full_wish());
  EXPECT_NE(request_digest("default/other", full_wish()), before);
  const auto changed = [](auto change) {
    CertificateWish wish = full_wish();
    change(wish);
    return request_digest("default/ca", wish);
  };
  EXPECT_NE(changed([](auto& w) { w.common_name = "x.example.com"; }), before);
  EXPECT_NE(changed([](auto& w) { w.names.dns_names.pop_back(); }), before);
  EXPECT_NE(changed([](auto& w) { w.names.ip_addresses.emplace_back("::1"); }), before);
  EXPECT_NE(changed([](auto& w) { w.names.emails.clear(); }), before);
  EXPECT_NE(changed([](auto& w) { w.names.uris = {"urn:b"}; }), before);
  EXPECT_NE(changed([](auto& w) { w.key_type = KeyType::rsa_3072; }), before);
  EXPECT_NE(changed([](auto& w) { w.key_encoding = KeyEncoding::pkcs8; }), before);
  EXPECT_NE(changed([](auto& w) { w.is_ca = true; }), before);
  EXPECT_NE(changed([](auto& w) { w.duration = 25h; }), before);
  EXPECT_NE(changed([](auto& w) { w.csr_pem = "x"; }), before);
  EXPECT_NE(changed([](auto& w) { w.preferred_chain = "x"; }), before);
}

}  // namespace
}  // namespace sluice::certs
