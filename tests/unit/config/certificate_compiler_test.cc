// What the certificate manager is told of Issuers, Certificates and their Secrets.
#include "config/certificate_compiler.h"

#include "config_testing.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace sluice::config {
namespace {

using namespace std::chrono_literals;

std::string issuer(std::string_view name, std::string_view spec) {
  return "apiVersion: cert.gardener.cloud/v1alpha1\nkind: Issuer\nmetadata: {name: " + std::string(name) +
         "}\nspec: {" + std::string(spec) + "}\n---\n";
}

std::string certificate(std::string_view name, std::string_view spec) {
  return "apiVersion: cert.gardener.cloud/v1alpha1\nkind: Certificate\nmetadata: {name: " + std::string(name) +
         ", namespace: istio-system}\nspec: {" + std::string(spec) + "}\n---\n";
}

std::string secret(std::string_view name, std::string_view string_data) {
  return "apiVersion: v1\nkind: Secret\nmetadata: {name: " + std::string(name) +
         ", namespace: istio-system}\nstringData: {" + std::string(string_data) + "}\n---\n";
}

// As certs/secret_yaml.h writes it.
std::string issued_secret(std::string_view name, std::string_view string_data) {
  return "apiVersion: v1\nkind: Secret\nmetadata: {name: " + std::string(name) +
         ", namespace: istio-system, annotations: {sluice.io/request-digest: abc}}\nstringData: {" +
         std::string(string_data) + "}\n---\n";
}

const std::string acme =
    issuer("acme", "acme: {server: 'https://acme.example.com', email: a@example.com, autoRegistration: true}");
const std::string self = issuer("self", "selfSigned: {}");
const std::string pair = "tls.crt: chain, tls.key: key";

std::string https(std::string_view mode) {
  return gateway("gw", "[{port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*'], tls: {mode: " +
                           std::string(mode) + ", credentialName: certs}}]");
}

ManagedCertificates certificates_of(const std::string& documents) {
  const Loaded loaded = load_document(std::string(plain_gateway) + documents);
  for (const std::string& said : loaded.diagnostics) ADD_FAILURE() << said;
  return loaded.certificates;
}

// --- Issuers ---------------------------------------------------------------------------------------

TEST(ManagedIssuers, HaveWhatTheirDocumentsAndSecretsSay) {
  std::ifstream file(GOLDEN_FOLDER "/fine_managed_certificates.yaml");
  const Loaded loaded = load_document(std::string(std::istreambuf_iterator<char>(file), {}));
  ASSERT_EQ(loaded.certificates.issuers.size(), 4U);
  const Issuer* everything = loaded.certificates.find_issuer("default/everything");
  ASSERT_NE(everything, nullptr);
  EXPECT_EQ(everything->problem, "");
  EXPECT_EQ(everything->requests_per_day_max, 50U);
  EXPECT_EQ(everything->place.to_string(), "test.yaml:4:9");
  const auto& acme_issuer = std::get<AcmeIssuer>(everything->kind);
  EXPECT_EQ(acme_issuer.server, "https://acme.example.com/directory");
  EXPECT_EQ(acme_issuer.email, "operator@example.com");
  EXPECT_TRUE(acme_issuer.may_register);
  EXPECT_FALSE(acme_issuer.account_key_pem) << "its Secret is where the controller would put the key";
  EXPECT_EQ(acme_issuer.external_account->key_id, "key-1");
  EXPECT_EQ(acme_issuer.external_account->hmac_key.text, std::string("\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf", 16));
  EXPECT_EQ(acme_issuer.ca_pem, "-----BEGIN CERTIFICATE-----\n");
  EXPECT_EQ(acme_issuer.precheck_nameservers.size(), 3U);
  const auto& hook = std::get<DnsHook>(acme_issuer.dns_01);
  EXPECT_EQ(hook.command, (std::vector<std::string>{"/usr/bin/dns-hook", "--zone", "example.com"}));
  EXPECT_EQ(hook.timeout, 30s);

  const auto& updates = std::get<AcmeIssuer>(loaded.certificates.find_issuer("default/updates")->kind);
  const auto& update = std::get<DnsUpdate>(updates.dns_01);
  EXPECT_EQ(update.nameserver, "ns.example.com:53");
  EXPECT_EQ(update.key_name, "sluice.example.com");
  EXPECT_EQ(update.algorithm, "HMACSHA512");
  EXPECT_EQ(update.secret.text, "AAECAwQFBgcICQoLDA0ODw==");
  EXPECT_EQ(updates.precheck_nameservers, (std::vector<std::string>{"8.8.8.8", "8.8.4.4"}));

  const Issuer* ca = loaded.certificates.find_issuer("default/ca");
  EXPECT_EQ(std::get<CaIssuer>(ca->kind).chain_pem, "chain");
  EXPECT_EQ(std::get<CaIssuer>(ca->kind).key_pem.text, "key");
  EXPECT_EQ(ca->requests_per_day_max, 10'000U);
  EXPECT_EQ(loaded.certificates.find_issuer("default/nobody"), nullptr);
}

TEST(ManagedIssuers, UseTheAccountKeyOfTheirSecret) {
  const std::string account = issuer(
      "acme", "acme: {server: 'https://a', email: a@b, privateKeySecretRef: {name: key, namespace: istio-system}}");
  const ManagedCertificates result = certificates_of(account + secret("key", "privateKey: pem"));
  EXPECT_EQ(std::get<AcmeIssuer>(result.issuers.at(0).kind).account_key_pem->text, "pem");
}

TEST(ManagedIssuers, TakeKeysWithWhiteSpaceAndTheMacKeyInEitherAlphabet) {
  const std::string keys =
      "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\n"
      "stringData: {hmacKey: '-_ +/ AA==', tsig: \"\\t+/+ /AA==\\r\\n\"}\n---\n";
  const std::string spec =
      "acme: {server: 'https://a', email: a@b, autoRegistration: true, externalAccountBinding: {keyID: a, "
      "keySecretRef: {name: keys}}, dns01: {rfc2136: {nameserver: a, tsigKeyName: a, tsigSecretSecretRef: {name: keys, "
      "key: tsig}}}}";
  const ManagedCertificates result = certificates_of(issuer("acme", spec) + keys);
  const auto& acme_issuer = std::get<AcmeIssuer>(result.issuers.at(0).kind);
  EXPECT_EQ(acme_issuer.external_account->hmac_key.text, std::string("\xfb\xff\xbf\0", 4));
  EXPECT_EQ(std::get<DnsUpdate>(acme_issuer.dns_01).secret.text, "+/+/AA==");
}

TEST(ManagedIssuers, WaitForACaThatACertificateIsToWrite) {
  const std::string ca = issuer("ca", "ca: {privateKeySecretRef: {name: root, namespace: istio-system}}");
  const std::string root =
      certificate("root", "commonName: root, isCA: true, issuerRef: {name: self}, secretName: root");
  const ManagedCertificates result = certificates_of(self + ca + root);
  EXPECT_EQ(result.find_issuer("default/ca")->problem,
            "Secret istio-system/root is not there yet: Certificate istio-system/root is to write it");

  const Loaded issued = load_documents({{"test.yaml", std::string(plain_gateway) + self + ca + root}},
                                       {{"root.yaml", issued_secret("root", pair)}});
  EXPECT_TRUE(issued.diagnostics.empty()) << testing::PrintToString(issued.diagnostics);
  EXPECT_EQ(issued.certificates.find_issuer("default/ca")->problem, "");
}

// --- Certificates ----------------------------------------------------------------------------------

TEST(ManagedCertificate, HasWhatItsDocumentSays) {
  std::ifstream file(GOLDEN_FOLDER "/fine_managed_certificates.yaml");
  const Loaded loaded = load_document(std::string(std::istreambuf_iterator<char>(file), {}));
  ASSERT_EQ(loaded.certificates.certificates.size(), 4U);
  const Certificate& wildcard = loaded.certificates.certificates.at(3);
  EXPECT_EQ(wildcard.key.text(), "istio-system/wildcard");
  EXPECT_EQ(wildcard.issuer, "default/everything");
  EXPECT_EQ(wildcard.problem, "");
  EXPECT_EQ(wildcard.common_name, "*.example.com");
  EXPECT_EQ(wildcard.dns_names, (std::vector<std::string>{"*.example.com", "example.com", "www.example.com"}));
  EXPECT_EQ(wildcard.ip_addresses, (std::vector<std::string>{"192.0.2.1", "2001:db8::1"}));
  EXPECT_EQ(wildcard.secret.text(), "istio-system/certs");
  EXPECT_EQ(wildcard.secret_labels, (std::vector<std::pair<std::string, std::string>>{{"a", "b"}}));
  EXPECT_FALSE(wildcard.user_secret);
  EXPECT_EQ(wildcard.private_key.algorithm, KeyAlgorithm::ecdsa);
  EXPECT_EQ(wildcard.private_key.bits, 384U);
  EXPECT_TRUE(wildcard.private_key.is_pkcs8);
  EXPECT_FALSE(wildcard.duration);
  EXPECT_EQ(wildcard.renew_before, 5min);
  EXPECT_EQ(wildcard.ensure_renewed_after, WallTime(1'785'578'400s));
  EXPECT_EQ(wildcard.preferred_chain, "Some Root");
  EXPECT_EQ(wildcard.challenge, Challenge::tls_alpn_01) << "of the Issuer";
  EXPECT_EQ(challenge_for(wildcard, "*.example.com"), Challenge::dns_01);
  EXPECT_EQ(challenge_for(wildcard, "example.com"), Challenge::tls_alpn_01);

  const Certificate& internal = loaded.certificates.certificates.at(0);
  EXPECT_EQ(internal.duration, 1440h);
  EXPECT_EQ(internal.private_key.algorithm, KeyAlgorithm::rsa);
  EXPECT_EQ(internal.private_key.bits, 2048U);
  EXPECT_EQ(internal.email_addresses.size() + internal.uris.size(), 2U);
  EXPECT_EQ(loaded.certificates.certificates.at(1).csr_pem, "-----BEGIN CERTIFICATE REQUEST-----\n");
  const Certificate& root = loaded.certificates.certificates.at(2);
  EXPECT_TRUE(root.is_ca);
  EXPECT_TRUE(root.dns_names.empty()) << "example-root is a name for people";

  const Revocation& revocation = loaded.certificates.revocations.at(0);
  EXPECT_EQ(revocation.certificate, wildcard.key);
  EXPECT_EQ(revocation.problem, "");
  EXPECT_TRUE(revocation.renew);
  EXPECT_EQ(revocation.qualifying_date, WallTime(1'785'578'400s));
}

TEST(ManagedCertificate, WithoutSecretNameGetsOneThatStaysTheSame) {
  const ManagedCertificates first =
      certificates_of(acme + certificate("a", "dnsNames: [a.b], issuerRef: {name: acme}"));
  const ManagedCertificates again =
      certificates_of(acme + certificate("a", "dnsNames: [c.d], issuerRef: {name: acme}"));
  const std::string& name = first.certificates.at(0).secret.name;
  EXPECT_TRUE(name.starts_with("a-")) << name;
  EXPECT_EQ(name.size(), 7U);
  EXPECT_EQ(again.certificates.at(0).secret.name, name);
}

TEST(ManagedCertificate, IsOfTheDefaultIssuerOrKymas) {
  const std::string garden = issuer("garden", "acme: {server: 'https://a', email: a@b, autoRegistration: true}");
  const std::string gardener =
      issuer("default-issuer", "acme: {server: 'https://a', email: a@b, autoRegistration: true}");
  const std::string wanted = certificate("a", "dnsNames: [a.b]");
  EXPECT_EQ(certificates_of(garden + wanted).certificates.at(0).issuer, "default/garden");
  EXPECT_EQ(certificates_of(garden + gardener + wanted).certificates.at(0).issuer, "default/default-issuer");
}

TEST(ManagedCertificate, ThatIsSelfSignedHasItsCommonNameAmongItsDnsNames) {
  const Loaded loaded =
      load_document(std::string(plain_gateway) + self +
                    certificate("a", "commonName: A.example.com, isCA: true, issuerRef: {name: self}"));
  ASSERT_EQ(loaded.diagnostics.size(), 1U);
  EXPECT_TRUE(loaded.diagnostics[0].contains("info: commonName \"A.example.com\" becomes a DNS name"));
  EXPECT_EQ(loaded.certificates.certificates.at(0).dns_names, std::vector<std::string>{"a.example.com"});
  EXPECT_EQ(loaded.certificates.certificates.at(0).duration, 2160h);
}

// --- Issued Secrets --------------------------------------------------------------------------------

const std::string managed = acme + certificate("a", "dnsNames: [a.b], issuerRef: {name: acme}, secretName: certs");

TEST(IssuedSecrets, ServeAsTheUsersDo) {
  const Loaded loaded =
      load_documents({{"test.yaml", managed + https("SIMPLE")}}, {{"issued.yaml", issued_secret("certs", pair)}});
  EXPECT_TRUE(loaded.diagnostics.empty()) << testing::PrintToString(loaded.diagnostics);
  ASSERT_NE(loaded.snapshot, nullptr);
  EXPECT_EQ(loaded.snapshot->listeners.at(0).tls_servers.at(0).key_pairs.size(), 1U);
  EXPECT_FALSE(loaded.certificates.certificates.at(0).user_secret);
}

TEST(IssuedSecrets, ThatWereImportedAreTheUsers) {
  const Loaded loaded =
      load_documents({{"test.yaml", managed + https("SIMPLE")}}, {{"issued.yaml", secret("certs", pair)}});
  ASSERT_NE(loaded.snapshot, nullptr);
  EXPECT_TRUE(loaded.certificates.certificates.at(0).user_secret);
}

TEST(IssuedSecrets, GiveWayToTheUsers) {
  const Loaded loaded =
      load_documents({{"test.yaml", managed + https("SIMPLE") + secret("certs", "tls.crt: mine, tls.key: key")}},
                     {{"issued.yaml", issued_secret("certs", pair)}});
  ASSERT_EQ(loaded.diagnostics.size(), 1U) << testing::PrintToString(loaded.diagnostics);
  EXPECT_TRUE(
      loaded.diagnostics[0].contains("Secret istio-system/certs is there already and wins over Certificate "
                                     "istio-system/a"));
  EXPECT_EQ(loaded.snapshot->listeners.at(0).tls_servers.at(0).key_pairs.at(0)->chain_pem, "mine");
  EXPECT_TRUE(loaded.certificates.certificates.at(0).user_secret);
}

TEST(IssuedSecrets, ThatAreDamagedAreLeftOut) {
  for (const std::string& damaged :
       {std::string("{"), secret("certs", "tls.crt: [1]"), std::string("text"), std::string("\xff"),
        std::string("apiVersion: v1\nkind: Secret\nmetadata: {name: certs}\ndata: {tls.crt: '?'}\n")}) {
    const Loaded loaded = load_documents({{"test.yaml", managed + https("SIMPLE")}}, {{"issued.yaml", damaged}});
    ASSERT_EQ(loaded.diagnostics.size(), 2U) << damaged << testing::PrintToString(loaded.diagnostics);
    EXPECT_TRUE(loaded.diagnostics[0].starts_with("issued.yaml:") && loaded.diagnostics[0].contains(": warning: "))
        << loaded.diagnostics[0];
    EXPECT_TRUE(loaded.diagnostics[1].contains("is not obtained yet"));
    ASSERT_NE(loaded.snapshot, nullptr);
  }
}

TEST(IssuedSecrets, OtherDocumentsBesideThemAreNotRead) {
  const Loaded loaded = load_documents({{"test.yaml", managed + https("SIMPLE")}},
                                       {{"issued.yaml", issued_secret("certs", pair) + std::string(plain_gateway)}});
  EXPECT_EQ(loaded.snapshot->listeners.size(), 1U);
}

TEST(IssuedSecrets, AreNoClientCa) {
  const SourceText issued{"issued.yaml", issued_secret("certs", pair + ", ca.crt: authority")};
  const Loaded refused = load_documents({{"test.yaml", managed + https("MUTUAL")}}, {issued});
  EXPECT_EQ(refused.snapshot, nullptr);
  ASSERT_EQ(refused.diagnostics.size(), 1U);
  EXPECT_TRUE(refused.diagnostics[0].contains("is its issuer's, and not taken"));

  const Loaded loaded =
      load_documents({{"test.yaml", managed + https("MUTUAL") + secret("certs-cacert", "ca.crt: clients")}}, {issued});
  ASSERT_NE(loaded.snapshot, nullptr) << testing::PrintToString(loaded.diagnostics);
  EXPECT_EQ(loaded.snapshot->listeners.at(0).tls_servers.at(0).settings.client_verification->ca_pem, "clients");
}

TEST(ServersWithoutTheirCertificate, ListenAndHaveNoKey) {
  const Loaded loaded = load_document(managed + https("SIMPLE"));
  ASSERT_EQ(loaded.diagnostics.size(), 1U);
  EXPECT_TRUE(loaded.diagnostics[0].contains("warning: Secret \"istio-system/certs\" is not obtained yet"));
  EXPECT_TRUE(loaded.snapshot->listeners.at(0).tls_servers.at(0).key_pairs.empty());
}

TEST(ExampleOfAManagedCertificate, IsReadWithAWarningThatItIsNotObtainedYet) {
  Diagnostics diagnostics;
  const Compiled compiled = load(Sources{{EXAMPLES_FOLDER "/managed-certificate"}}, diagnostics);
  ASSERT_EQ(diagnostics.sorted().size(), 1U);
  EXPECT_TRUE(diagnostics.sorted()[0].message.contains("is not obtained yet")) << diagnostics.sorted()[0].message;
  EXPECT_EQ(compiled.certificates.certificates.at(0).problem, "");
}

TEST(FolderOfIssuedSecrets, MayBeMissing) {
  Diagnostics diagnostics;
  const Compiled compiled = load(Sources{{EXAMPLES_FOLDER "/managed-certificate"}, "/nowhere/at/all"}, diagnostics);
  EXPECT_NE(compiled.snapshot, nullptr);
  EXPECT_EQ(diagnostics.sorted().size(), 1U);
}

}  // namespace
}  // namespace sluice::config
