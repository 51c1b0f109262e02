// The verifier alone, with chains and times that a handshake does not easily have.
#include "tls/peer_verifier.h"

#include "authority.h"

#include "base/check.h"
#include "tls/pem.h"
#include "tls/server_context.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sluice::tls {
namespace {

using test::Authority;
using test::Pem;
using namespace std::chrono_literals;

class Verify : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(initialize().has_value()); }

  // The verdict on these certificates of a client (PEM, leaf first); "": accepted.
  static std::string verdict(const snapshot::PeerVerification& verification, const std::string& chain_pem,
                             Duration from_now = {}) {
    const auto verifier = PeerVerifier::create(verification, Side::client);
    CHECK(verifier.has_value());
    const auto blocks = decode_pem(chain_pem, kCertificateLabel);
    const std::vector<ConstBytes> chain(blocks->begin(), blocks->end());
    const auto failure = (*verifier)->verify(chain, {}, std::chrono::system_clock::now() + from_now);
    return failure ? failure->text : "";
  }

  static snapshot::PeerVerification trusting(const std::string& ca_pem, const std::string& crl_pem = "") {
    snapshot::PeerVerification verification;
    verification.ca_pem = ca_pem;
    verification.crl_pem = crl_pem;
    return verification;
  }

  static void expect_contains(const std::string& text, std::string_view part) {
    EXPECT_TRUE(text.contains(part)) << text;
  }

  Authority root_{"root"};
};

TEST_F(Verify, AcceptsOneOfSeveralCas) {
  const Authority other("other");
  const std::string both = other.certificate() + "text between\n" + root_.certificate();
  EXPECT_EQ(verdict(trusting(both), root_.issue({}).certificate), "");
  EXPECT_EQ(verdict(trusting(both), other.issue({}).certificate), "");
}

TEST_F(Verify, TellsCasOfTheSameNameApart) {
  const Authority renewed("root");
  const std::string both = renewed.certificate() + root_.certificate();
  EXPECT_EQ(verdict(trusting(both), root_.issue({}).certificate), "");
  EXPECT_EQ(verdict(trusting(both), renewed.issue({}).certificate), "");
}

TEST_F(Verify, TrustsAnIntermediateThatIsConfigured) {
  const Authority intermediate("intermediate", &root_);
  const std::string leaf = intermediate.issue({}).certificate;
  EXPECT_EQ(verdict(trusting(intermediate.certificate()), leaf), "");
  EXPECT_EQ(verdict(trusting(leaf), leaf), "");
  expect_contains(verdict(trusting(root_.issue({}).certificate), leaf), "was issued by");
}

TEST_F(Verify, RefusesAnIssuerThatIsNoCa) {
  // The classic: a leaf that issues.
  const Authority leaf("leaf", &root_, {.key_usage = "digitalSignature", .basic_constraints = "CA:FALSE"});
  expect_contains(verdict(trusting(root_.certificate()), leaf.issue({}).certificate + leaf.certificate()), "is no CA");
  const Authority unable("unable", &root_, {.key_usage = "digitalSignature", .basic_constraints = "critical,CA:TRUE"});
  expect_contains(verdict(trusting(root_.certificate()), unable.issue({}).certificate + unable.certificate()),
                  "may not issue certificates");
}

TEST_F(Verify, ObservesTheLengthOfPaths) {
  const Authority first("first", &root_, {.basic_constraints = "critical,CA:TRUE,pathlen:0"});
  const Authority second("second", &first);
  EXPECT_EQ(verdict(trusting(root_.certificate()), first.issue({}).certificate + first.certificate()), "");
  expect_contains(
      verdict(trusting(root_.certificate()), second.issue({}).certificate + second.certificate() + first.certificate()),
      "pathLenConstraint");
}

TEST_F(Verify, ObservesNameConstraintsOfEveryCaAbove) {
  const Authority limited("limited", &root_, {.name_constraints = "critical,permitted;DNS:example.com"});
  const Authority below("below.example.com", &limited);
  const std::string good = limited.issue({.alternative_names = "DNS:a.example.com"}).certificate;
  const std::string bad = limited.issue({.alternative_names = "DNS:a.example.org"}).certificate;
  EXPECT_EQ(verdict(trusting(root_.certificate()), good + limited.certificate()), "");
  expect_contains(verdict(trusting(root_.certificate()), bad + limited.certificate()), "name constraints");
  const std::string chain = below.certificate() + limited.certificate();
  EXPECT_EQ(verdict(trusting(root_.certificate()),
                    below.issue({.alternative_names = "DNS:a.example.com"}).certificate + chain),
            "");
  expect_contains(verdict(trusting(root_.certificate()),
                          below.issue({.alternative_names = "DNS:a.example.org"}).certificate + chain),
                  "name constraints");
}

TEST_F(Verify, ObservesTheUseThatACaIsLimitedTo) {
  const Authority servers("servers", &root_, {.extended_key_usage = "serverAuth"});
  expect_contains(verdict(trusting(root_.certificate()), servers.issue({}).certificate + servers.certificate()),
                  "extendedKeyUsage");
}

TEST_F(Verify, LooksAtTheDatesOfEveryCertificate) {
  const Authority brief("brief", &root_, {.not_after_s = 3600});
  const std::string chain = brief.issue({}).certificate + brief.certificate();
  EXPECT_EQ(verdict(trusting(root_.certificate()), chain), "");
  expect_contains(verdict(trusting(root_.certificate()), chain, 2h),
                  "'CN=brief,O=Example', which issued the client's certificate (CN=client), has expired");
  expect_contains(verdict(trusting(root_.certificate()), root_.issue({.not_after_s = 100 * 3600}).certificate, 30h),
                  "'CN=root,O=Example', which issued the client's certificate (CN=client), has expired");
}

TEST_F(Verify, FindsAnotherWayAroundAnExpiredCrossSignature) {
  const Authority old("old");
  const Authority intermediate("intermediate", &root_);
  // The same intermediate twice: first by a CA whose certificate for it has expired.
  const std::string expired = intermediate.cross_signed_by(old, {.not_before_s = -7200, .not_after_s = -60});
  const std::string leaf = intermediate.issue({}).certificate;
  EXPECT_EQ(verdict(trusting(old.certificate() + root_.certificate()), leaf + expired + intermediate.certificate()),
            "");
}

TEST_F(Verify, GivesUpOnChainsThatCanBeArrangedInTooManyWays) {
  // Eight intermediates of one name, key and issuer: each may have issued each.
  const Authority knot("knot");
  std::string chain = knot.issue({}).certificate;
  for (long serial = 1; serial <= 8; ++serial) chain += knot.cross_signed_by(knot, {.serial = serial});
  expect_contains(verdict(trusting(root_.certificate()), chain), "can be arranged in too many ways");
}

TEST_F(Verify, ChecksTheRevocationOfEveryCertificateOfTheChain) {
  const Authority intermediate("intermediate", &root_, {.serial = 77});
  const std::string chain = intermediate.issue({.serial = 1000}).certificate + intermediate.certificate();
  const std::string cas = root_.certificate() + intermediate.certificate();
  const auto with_lists = [&](const std::string& lists) { return verdict(trusting(cas, lists), chain); };
  EXPECT_EQ(with_lists(intermediate.revocation_list({1, 2}) + root_.revocation_list({3})), "");
  EXPECT_EQ(with_lists(intermediate.revocation_list({1000}) + root_.revocation_list({3})),
            "the client's certificate (CN=client) has been revoked");
  // The intermediate is trusted itself here, so its own revocation is not asked for.
  EXPECT_EQ(with_lists(intermediate.revocation_list({1}) + root_.revocation_list({77})), "");
  expect_contains(with_lists(root_.revocation_list({3})), "the CRLs lack one of 'CN=intermediate,O=Example'");
  expect_contains(verdict(trusting(root_.certificate(), root_.revocation_list({77})), chain), "the CRLs lack one of");
}

TEST_F(Verify, RefusesWhatARevokedCaHasIssued) {
  // The intermediate's list can be loaded because another certificate of it, by another CA, is trusted; the one
  // that is in the chain has been revoked.
  const Authority other("other");
  const Authority intermediate("intermediate", &root_, {.serial = 77});
  const std::string chain = intermediate.issue({.serial = 1000}).certificate + intermediate.certificate();
  const auto lists = intermediate.revocation_list({1}) + root_.revocation_list({77});
  const auto verification = trusting(root_.certificate() + intermediate.cross_signed_by(other), lists);
  // That certificate is a way around the revoked one, as it is trusted itself: an operator's explicit word.
  EXPECT_EQ(verdict(verification, chain), "");
  // The list of the root has been enough to refuse it where the CA is only sent.
  const Authority same_name("root", &root_, {.serial = 78});
  const std::string below = same_name.issue({.serial = 1000}).certificate + same_name.certificate();
  expect_contains(verdict(trusting(root_.certificate(), root_.revocation_list({78})), below),
                  "the CA certificate 'CN=root,O=Example' above the client's certificate (CN=client) has been revoked");
}

TEST_F(Verify, DoesNotRelyOnARevocationListThatIsOutOfDate) {
  const std::string leaf = root_.issue({.serial = 1000}).certificate;
  const std::string list = root_.revocation_list({7}, {.this_update_s = -7200, .next_update_s = 3600});
  EXPECT_EQ(verdict(trusting(root_.certificate(), list), leaf), "");
  expect_contains(verdict(trusting(root_.certificate(), list), leaf, 2h), "is out of date; renew it");
  // What it says remains true.
  expect_contains(verdict(trusting(root_.certificate(), root_.revocation_list({1000})), leaf, 23h + 30min), "revoked");
  // A newer one beside it is enough.
  EXPECT_EQ(verdict(trusting(root_.certificate(), list + root_.revocation_list({8})), leaf, 2h), "");
}

TEST_F(Verify, FindsSerialsInLongLists) {
  std::vector<long> serials;
  for (long serial = 1; serial < 20000; serial += 2) serials.push_back(serial * 977);
  const auto verification = trusting(root_.certificate(), root_.revocation_list(serials));
  for (const long serial : {977L, 977L * 9999, 977L * 19999})
    expect_contains(verdict(verification, root_.issue({.serial = serial}).certificate), "revoked");
  for (const long serial : {976L, 977L * 2, 977L * 10000, 977L * 20001})
    EXPECT_EQ(verdict(verification, root_.issue({.serial = serial}).certificate), "");
}

TEST_F(Verify, SurvivesDamageAnywhere) {
  const Authority intermediate("intermediate", &root_);
  const auto verifier = PeerVerifier::create(trusting(root_.certificate()), Side::client);
  ASSERT_TRUE(verifier.has_value());
  auto blocks = decode_pem(intermediate.issue({.alternative_names = "DNS:a.example,URI:spiffe://x/y"}).certificate +
                               intermediate.certificate(),
                           kCertificateLabel);
  ASSERT_TRUE(blocks.has_value());
  for (Der& der : *blocks) {
    for (std::byte& byte : der) {
      const std::byte original = byte;
      byte ^= std::byte{0x11};
      const std::vector<ConstBytes> chain(blocks->begin(), blocks->end());
      EXPECT_TRUE((*verifier)->verify(chain, {}, std::chrono::system_clock::now()).has_value()) << (&byte - der.data());
      byte = original;
    }
  }
  const ConstBytes leaf = blocks->front();
  for (size_t size = 0; size < leaf.size(); ++size) {
    const std::array chain{leaf.first(size), ConstBytes((*blocks)[1])};
    EXPECT_TRUE((*verifier)->verify(chain, {}, std::chrono::system_clock::now()).has_value());
  }
}

TEST(CoversHost, FollowsRfc6125) {
  ParsedCertificate certificate;
  certificate.dns_names = {"a.example.com", "*.b.example.com", "*.com", "w*.c.example.com", "*"};
  certificate.ip_addresses = {"192.0.2.7", "2001:db8::1"};
  for (const char* host :
       {"a.example.com", "A.Example.COM", "a.example.com.", "x.b.example.com", "192.0.2.7", "2001:DB8:0::1"})
    EXPECT_TRUE(covers_host(certificate, host)) << host;
  for (const char* host : {"example.com", "b.example.com", "x.y.b.example.com", ".b.example.com", "x.com",
                           "w.c.example.com", "ww.c.example.com", "192.0.2.8", "localhost", "", "."})
    EXPECT_FALSE(covers_host(certificate, host)) << host;
}

}  // namespace
}  // namespace sluice::tls
