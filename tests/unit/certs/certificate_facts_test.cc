#include "certs/certificate_facts.h"

#include "../tls/authority.h"

#include "certs/self_signed.h"
#include "tls/pem.h"

#include <gtest/gtest.h>

namespace sluice::certs {
namespace {

TEST(ReadFacts, ReadsTheExampleOfRfc9773) {
  // RFC 9773 appendix A.
  const auto facts = read_facts(R"(-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
)");
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_EQ(facts->certificate_id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
  EXPECT_EQ(facts->serial, "87654321");
  EXPECT_EQ(facts->common_name, "example.com");
  EXPECT_EQ(facts->issuer_common_name, "Example CA");
}

TEST(ReadFacts, NamesWhoHasIssuedTheLastOneOfTheChain) {
  const test::Authority root("Root");
  const test::Authority middle("Middle", &root);
  const test::Pem leaf = middle.issue({.subject = {{"CN", "a.example"}},
                                       .alternative_names = "DNS:a.example,IP:192.0.2.1,email:a@example.com,URI:urn:a",
                                       .extended_key_usage = {},
                                       .key_usage = {},
                                       .basic_constraints = {},
                                       .name_constraints = {}});
  const auto facts = read_facts(leaf.certificate + middle.certificate());
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_EQ(facts->issuer_common_name, "Middle");
  EXPECT_EQ(facts->root_common_name, "Root");
  EXPECT_EQ(facts->names, (SubjectNames{{"a.example"}, {"192.0.2.1"}, {"a@example.com"}, {"urn:a"}}));
  EXPECT_EQ(facts->key_type, "ECDSA-P256");
  EXPECT_EQ(facts->fingerprint_sha256.size(), 64U);
  EXPECT_FALSE(read_facts("text").has_value());
}

TEST(ReadFacts, HasTheSerialAsItIsWritten) {
  const test::Authority authority("Root of All");
  const auto facts = read_facts(authority.issue({.serial = 0x80ff}).certificate);
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_EQ(facts->issuer_common_name, "Root of All");
  EXPECT_TRUE(facts->certificate_id.ends_with(".AID_")) << facts->certificate_id;  // 00 80 ff: it is not negative
}

TEST(ReadFacts, HasNoIdWithoutTheIssuersKey) {
  const auto issued = make_self_signed({.hosts = {"a.example"}, .key_type = KeyType::ecdsa_p256}, WallTime());
  ASSERT_TRUE(issued.has_value()) << issued.error().message;
  const auto facts = read_facts(issued->chain_pem);
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_EQ(facts->certificate_id, "");
}

TEST(ReadFacts, OfWhatIsCutOffOrLongerAreNone) {
  const test::Authority authority("Root");
  const std::string der = test::der_of(authority.certificate());
  for (size_t size = 1; size < der.size(); ++size)
    EXPECT_FALSE(read_facts(tls::encode_pem(as_bytes(der.substr(0, size)), tls::kCertificateLabel))) << size;
  EXPECT_FALSE(read_facts(tls::encode_pem(as_bytes(der + "x"), tls::kCertificateLabel)));
}

}  // namespace
}  // namespace sluice::certs
