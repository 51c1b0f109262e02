#include "config/gateway_certificates.h"

#include "config_testing.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

constexpr std::string_view issuers = R"(
apiVersion: cert.gardener.cloud/v1alpha1
kind: Issuer
metadata: {name: garden}
spec:
  acme: {server: "https://a", email: a@b, autoRegistration: true, skipDNSChallengeValidation: true}
---
apiVersion: cert.gardener.cloud/v1alpha1
kind: Issuer
metadata: {name: self, namespace: istio-system}
spec: {selfSigned: {}}
---
)";

std::string managed_gateway(std::string_view annotations, std::string_view servers) {
  return "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata:\n  name: gw\n  namespace: istio-system\n"
         "  annotations: {cert.gardener.cloud/purpose: managed" +
         std::string(annotations) + "}\nspec: {servers: " + std::string(servers) + "}\n---\n";
}

std::string https(std::string_view name, std::string_view hosts, std::string_view credential) {
  return "{port: {number: 443, name: " + std::string(name) + ", protocol: HTTPS}, hosts: [" + std::string(hosts) +
         "], tls: {mode: SIMPLE, credentialName: " + std::string(credential) + "}}";
}

// Without the warnings that nothing has been obtained yet, and that hosts have no route.
std::vector<Certificate> certificates_of(const std::string& documents) {
  Loaded loaded = load_document(std::string(issuers) + documents);
  EXPECT_NE(loaded.snapshot, nullptr) << testing::PrintToString(loaded.diagnostics);
  return std::move(loaded.certificates.certificates);
}

using Names = std::vector<std::string>;

TEST(ManagedGateway, GetsACertificateForEachSecretWithTheHostsOfItsServers) {
  const auto certificates = certificates_of(managed_gateway(
      "", "[" + https("a", "'./a.example.com', '*.b.example.com'", "one") + ", " +
              https("b", "c.example.com, a.b.example.com", "one") + ", " + https("c", "d.example.com", "two") + "]"));
  ASSERT_EQ(certificates.size(), 2U);
  const bool is_one_first = certificates[0].secret.name == "one";
  const Certificate& one = certificates[is_one_first ? 0 : 1];
  const Certificate& two = certificates[is_one_first ? 1 : 0];
  EXPECT_TRUE(one.key.text().starts_with("istio-system/gw-gateway-"));
  EXPECT_EQ(one.gateway, "istio-system/gw");
  EXPECT_EQ(one.secret.text(), "istio-system/one");
  EXPECT_EQ(one.issuer, "default/garden");
  EXPECT_EQ(one.common_name, "a.example.com");
  EXPECT_EQ(one.dns_names, (Names{"a.example.com", "*.b.example.com", "c.example.com"}));
  EXPECT_EQ(two.dns_names, Names{"d.example.com"});
  EXPECT_NE(one.key, two.key);
}

TEST(ManagedGateway, AddsTheHostsOfItsVirtualServicesThatItServes) {
  const std::string routes =
      virtual_service("vs",
                      "hosts: [x.example.com, x.y.example.com, other.org], gateways: [istio-system/gw], http: "
                      "[{directResponse: {status: 200}}]");
  const auto certificates =
      certificates_of(managed_gateway("", "[" + https("a", "'*.example.com'", "one") + "]") + routes);
  ASSERT_EQ(certificates.size(), 1U);
  EXPECT_EQ(certificates[0].dns_names, (Names{"*.example.com", "x.y.example.com"}));

  const auto of_every = certificates_of(managed_gateway("", "[" + https("a", "'*'", "one") + "]") + routes);
  ASSERT_EQ(of_every.size(), 1U);
  EXPECT_EQ(of_every[0].dns_names, (Names{"x.example.com", "x.y.example.com", "other.org"}));
}

TEST(ManagedGateway, SaysTheRestInAnnotations) {
  const auto certificates = certificates_of(managed_gateway(
      ", cert.gardener.cloud/issuer: istio-system/self, cert.gardener.cloud/commonname: cn.example.com, "
      "cert.gardener.cloud/dnsnames: 'a.example.com, cn.example.com,b.example.com', "
      "cert.gardener.cloud/secret-namespace: kyma-system, cert.gardener.cloud/secret-labels: 'a=b, c=d', "
      "cert.gardener.cloud/private-key-algorithm: ECDSA, cert.gardener.cloud/private-key-size: '384', "
      "cert.gardener.cloud/private-key-encoding: PKCS8, cert.gardener.cloud/renew-before: 720h, "
      "cert.gardener.cloud/follow-cname: 'false', cert.gardener.cloud/class: gardencert",
      "[" + https("a", "z.example.com", "one") + "]"));
  ASSERT_EQ(certificates.size(), 1U);
  const Certificate& certificate = certificates[0];
  EXPECT_EQ(certificate.issuer, "istio-system/self");
  EXPECT_EQ(certificate.common_name, "cn.example.com");
  EXPECT_EQ(certificate.dns_names, (Names{"cn.example.com", "a.example.com", "b.example.com"}));
  EXPECT_EQ(certificate.secret.text(), "kyma-system/one");
  EXPECT_EQ(certificate.secret_labels.size(), 2U);
  EXPECT_EQ(certificate.private_key.algorithm, KeyAlgorithm::ecdsa);
  EXPECT_EQ(certificate.private_key.bits, 384U);
  EXPECT_TRUE(certificate.private_key.is_pkcs8);
  EXPECT_EQ(certificate.renew_before, std::chrono::hours(720));
  EXPECT_TRUE(certificate.is_ca) << "needed with selfSigned, and there is no annotation for it";
}

TEST(ManagedGateway, SaysTheChallengeAsCertificatesDo) {
  const auto certificates = certificates_of(
      managed_gateway(", sluice.io/acme-challenge: http-01", "[" + https("a", "a.example.com", "one") + "]"));
  ASSERT_EQ(certificates.size(), 1U);
  EXPECT_EQ(certificates[0].challenge, Challenge::http_01);
}

TEST(ManagedGateway, GetsNoneForServersThatTerminateNothing) {
  const auto certificates = certificates_of(managed_gateway(
      "", "[{port: {number: 443, name: a, protocol: TLS}, hosts: [a.example.com], tls: {mode: PASSTHROUGH}}, " +
              https("b", "b.example.com", "one") + "]"));
  ASSERT_EQ(certificates.size(), 1U);
  EXPECT_EQ(certificates[0].dns_names, Names{"b.example.com"});
}

TEST(ManagedGateway, LeavesALongHostOutOfTheCommonName) {
  const std::string host = "a-very-long-name-of-which-the-certificate-can-have-a-part-only.example.com";
  const auto certificates = certificates_of(managed_gateway("", "[" + https("a", host, "one") + "]"));
  ASSERT_EQ(certificates.size(), 1U);
  EXPECT_EQ(certificates[0].common_name, "");
  EXPECT_EQ(certificates[0].dns_names, Names{host});
}

}  // namespace
}  // namespace sluice::config
