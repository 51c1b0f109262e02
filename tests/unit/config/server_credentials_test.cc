// What servers behind TLS take from Secrets, ConfigMaps and files.
#include "config/server_credentials.h"

#include "base/limits.h"
#include "config_testing.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sluice::config {
namespace {

namespace filesystem = std::filesystem;
using snapshot::ClientCertificates;

std::string secret(std::string_view name, std::string_view string_data) {
  return "apiVersion: v1\nkind: Secret\nmetadata: {name: " + std::string(name) +
         ", namespace: istio-system}\nstringData: {" + std::string(string_data) + "}\n---\n";
}

std::string config_map(std::string_view name, std::string_view fields) {
  return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + std::string(name) + ", namespace: istio-system}\n" +
         std::string(fields) + "\n---\n";
}

std::string https(std::string_view tls) {
  return gateway(
      "gw", "[{port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*'], tls: {" + std::string(tls) + "}}]");
}

const snapshot::TlsServer* only_server(const Loaded& loaded) {
  for (const std::string& said : loaded.diagnostics) ADD_FAILURE() << said;
  if (!loaded.snapshot || loaded.snapshot->listeners.empty()) return nullptr;
  return &loaded.snapshot->listeners[0].tls_servers.at(0);
}

// "CA / CRL of SOURCE" of a MUTUAL server with the credential `certs`.
std::string client_ca(const std::string& documents, std::string_view more = "") {
  const Loaded loaded = load_document(https("mode: MUTUAL, credentialName: certs" + std::string(more)) + documents);
  const snapshot::TlsServer* server = only_server(loaded);
  if (server == nullptr) return "none";
  EXPECT_EQ(server->settings.client_certificates, ClientCertificates::required);
  EXPECT_EQ(server->key_pairs.size(), 1U);
  const snapshot::PeerVerification& verification = server->settings.client_verification.value();
  return verification.ca_pem + " / " + verification.crl_pem + " of " + verification.source_name;
}

const std::string pair = "tls.crt: chain, tls.key: key";

// --- Client certificates ---------------------------------------------------------------------------

TEST(ClientCa, IsOfTheSecretWithCacertElseOfTheSameSecret) {
  EXPECT_EQ(client_ca(secret("certs", pair + ", ca.crt: own, ca.crl: list")), "own / list of istio-system/certs");
  EXPECT_EQ(client_ca(secret("certs", pair + ", ca.crt: own") + secret("certs-cacert", "ca.crt: other, crl: list")),
            "other / list of istio-system/certs-cacert");
  EXPECT_EQ(client_ca(secret("certs", pair + ", ca.crl: own list") + secret("certs-cacert", "cacert: other")),
            "other / own list of istio-system/certs-cacert");
}

TEST(ClientCa, PrefersCacertToCaCrtAndSkipsWhatIsEmpty) {
  EXPECT_EQ(client_ca(secret("certs", pair + ", ca.crt: second, cacert: first, crl: '', ca.crl: list")),
            "first / list of istio-system/certs");
  EXPECT_EQ(client_ca(secret("certs", pair + ", ca.crt: second, cacert: ''")), "second /  of istio-system/certs");
}

TEST(ClientCa, IsOfTheNamedSecretOrConfigMapFirst) {
  const std::string own = secret("certs", pair + ", ca.crt: own");
  EXPECT_EQ(client_ca(own + secret("ca", "ca.crt: named"), ", caCertCredentialName: ca"),
            "named /  of istio-system/ca");
  EXPECT_EQ(client_ca(own + config_map("ca", "data: {ca.crt: map, ca.crl: list}"), ", caCertCredentialName: ca"),
            "map / list of istio-system/ca");
  EXPECT_EQ(client_ca(own + config_map("ca", "binaryData: {cacert: YmluYXJ5}"), ", caCertCredentialName: ca"),
            "binary /  of istio-system/ca");
}

TEST(ClientCa, IsOfTheFirstOfTwoCredentialsThatHasOne) {
  const Loaded loaded = load_document(https("mode: OPTIONAL_MUTUAL, credentialNames: [one, two]") +
                                      secret("one", pair) + secret("two", pair + ", ca.crt: ca"));
  const snapshot::TlsServer* server = only_server(loaded);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->settings.client_certificates, ClientCertificates::optional);
  EXPECT_EQ(server->settings.client_verification->source_name, "istio-system/two");
  EXPECT_EQ(server->key_pairs.size(), 2U);
}

TEST(ClientCa, ThatIsMissingClosesTheServerThoughItsCertificateIsThere) {
  const Loaded loaded =
      load_document(https("mode: MUTUAL, credentialName: certs, caCertCredentialName: ca") + secret("certs", pair));
  ASSERT_NE(loaded.snapshot, nullptr);
  EXPECT_EQ(loaded.diagnostics.size(), 1U);
  const snapshot::TlsServer& server = loaded.snapshot->listeners.at(0).tls_servers.at(0);
  EXPECT_TRUE(server.key_pairs.empty());
  EXPECT_EQ(server.settings.client_certificates, ClientCertificates::required);
}

TEST(ClientCertificatesOfServers, AreAcceptedByNameAndHash) {
  const Loaded loaded = load_document(
      https("mode: MUTUAL, credentialName: certs, subjectAltNames: [a.example.com, 'spiffe://a/b'], "
            "verifyCertificateSpki: [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=], verifyCertificateHash: "
            "['FF:FE:02:03:04:05:06:07:08:09:0a:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F']") +
      secret("certs", pair + ", ca.crt: ca"));
  const snapshot::TlsServer* server = only_server(loaded);
  ASSERT_NE(server, nullptr);
  const snapshot::PeerVerification& verification = server->settings.client_verification.value();
  EXPECT_EQ(verification.subject_alt_names, (std::vector<std::string>{"a.example.com", "spiffe://a/b"}));
  snapshot::Sha256Digest expected;
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<uint8_t>(i);
  EXPECT_EQ(verification.public_key_hashes, std::vector<snapshot::Sha256Digest>{expected});
  expected[0] = 0xff;
  expected[1] = 0xfe;
  EXPECT_EQ(verification.certificate_hashes, std::vector<snapshot::Sha256Digest>{expected});
}

TEST(ClientCertificatesOfServers, AreNotAskedForWithModeSimple) {
  const Loaded loaded = load_document(https("mode: SIMPLE, credentialName: certs") + secret("certs", pair));
  const snapshot::TlsServer* server = only_server(loaded);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->settings.client_certificates, ClientCertificates::none);
  EXPECT_FALSE(server->settings.client_verification.has_value());
}

// --- Staple and ticket keys ------------------------------------------------------------------------

TEST(OcspStaple, IsDerOrItsBase64) {
  const auto staple = [](std::string_view fields) {
    const Loaded loaded = load_document(
        https("mode: SIMPLE, credentialName: certs") +
        "apiVersion: v1\nkind: Secret\nmetadata: {name: certs, namespace: istio-system}\n" + std::string(fields));
    const snapshot::TlsServer* server = only_server(loaded);
    return server == nullptr ? "none" : server->key_pairs.at(0)->ocsp_staple;
  };
  const std::string der("\x30\x03\x0a\x01\x00", 5);
  EXPECT_EQ(staple("data: {tls.crt: YQ==, tls.key: YQ==, tls.ocsp-staple: MAMKAQA=}"), der);
  EXPECT_EQ(staple("stringData: {tls.crt: a, tls.key: a, tls.ocsp-staple: \"MAMKAQA=\\n\"}"), der);
  EXPECT_EQ(staple("data: {tls.crt: YQ==, tls.key: YQ==, tls.ocsp-staple: ''}"), "");
}

TEST(TicketKeys, AreOfTheSecretThatTheGatewayNames) {
  const std::string base64_of_48(64, 'A');
  const std::string base64_of_80 = std::string(106, 'B') + "A=";
  const Loaded loaded = load_document(
      "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw, annotations: "
      "{sluice.io/ticket-key-secret: tickets}}\nspec: {servers: [{port: {number: 443, name: a, protocol: HTTPS}, "
      "hosts: "
      "[a.example.com], tls: {mode: SIMPLE, credentialName: certs}}, {port: {number: 443, name: b, protocol: TLS}, "
      "hosts: [b.example.com], tls: {mode: PASSTHROUGH}}]}\n---\n" +
      secret("certs", pair) + "apiVersion: v1\nkind: Secret\nmetadata: {name: tickets, namespace: istio-system}\n" +
      "data: {current: " + base64_of_48 + "}\nstringData: {previous: '" + base64_of_80 + "'}");
  const snapshot::TlsServer* server = only_server(loaded);
  ASSERT_NE(server, nullptr);
  ASSERT_NE(server->ticket_keys, nullptr);
  EXPECT_EQ(server->ticket_keys->current, std::string(48, '\0'));
  EXPECT_EQ(server->ticket_keys->previous.size(), 80U);
  EXPECT_EQ(server->ticket_keys->secret_name, "istio-system/tickets");
  EXPECT_EQ(loaded.snapshot->listeners[0].tls_servers.at(1).ticket_keys, nullptr) << "passed through";
}

TEST(TicketKeys, AreTheProcessesOwnWhileTheSecretIsMissing) {
  std::string document = https("mode: SIMPLE, credentialName: certs") + secret("certs", pair);
  document.replace(document.find("{name: gw}"), 10, "{name: gw, annotations: {sluice.io/ticket-key-secret: missing}}");
  const Loaded loaded = load_document(document);
  ASSERT_NE(loaded.snapshot, nullptr);
  EXPECT_EQ(loaded.snapshot->listeners.at(0).tls_servers.at(0).ticket_keys, nullptr);
  EXPECT_EQ(loaded.snapshot->listeners.at(0).tls_servers.at(0).key_pairs.size(), 1U) << "the server serves";
}

// --- Files -----------------------------------------------------------------------------------------

class CertificateFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "sluice_files_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    write("tls.crt", "chain", 0644);
    write("tls.key", "key", 0640);
    write("ca.crt", "ca", 0644);
    write("crl.pem", "list", 0644);
  }
  void TearDown() override { filesystem::remove_all(folder_); }

  void write(const std::string& name, std::string_view text, mode_t mode) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    ASSERT_EQ(chmod((folder_ / name).c_str(), mode), 0);
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string pair() const { return "serverCertificate: " + path("tls.crt") + ", privateKey: " + path("tls.key"); }

  filesystem::path folder_;
};

TEST_F(CertificateFiles, AreReadWithTheirCaAndRevocationList) {
  const Loaded loaded = load_document(
      https("mode: MUTUAL, " + pair() + ", caCertificates: " + path("ca.crt") + ", caCrl: " + path("crl.pem")));
  const snapshot::TlsServer* server = only_server(loaded);
  ASSERT_NE(server, nullptr);
  const snapshot::KeyPair& read = *server->key_pairs.at(0);
  EXPECT_EQ(read.chain_pem, "chain");
  EXPECT_EQ(read.key_pem, "key");
  EXPECT_EQ(read.secret_name, path("tls.crt"));
  EXPECT_EQ(read.chain_name + " " + read.key_name, "serverCertificate privateKey");
  EXPECT_EQ(read.place.line, 4U) << "the field";
  EXPECT_EQ(server->settings.client_verification->ca_pem, "ca");
  EXPECT_EQ(server->settings.client_verification->crl_pem, "list");
  EXPECT_EQ(server->settings.client_verification->source_name, path("ca.crt"));
}

TEST_F(CertificateFiles, MayBeTwoPairsWhoseCasAreAddedUp) {
  write("other-ca.crt", "other\n", 0644);
  const std::string one = "{" + pair() + ", caCertificates: " + path("other-ca.crt") + "}";
  const Loaded loaded = load_document(
      https("mode: MUTUAL, tlsCertificates: [" + one + ", " + one + "], caCertificates: " + path("ca.crt")));
  const snapshot::TlsServer* server = only_server(loaded);
  ASSERT_NE(server, nullptr);
  ASSERT_EQ(server->key_pairs.size(), 2U);
  EXPECT_EQ(server->key_pairs[0], server->key_pairs[1]) << "read once";
  EXPECT_EQ(server->settings.client_verification->ca_pem, "ca\nother\n");
}

TEST_F(CertificateFiles, MayHaveTheirCaInAConfigMap) {
  const Loaded loaded =
      load_document(https("mode: MUTUAL, " + pair() + ", caCertCredentialName: ca, caCrl: " + path("crl.pem")) +
                    config_map("ca", "data: {ca.crt: map, ca.crl: of the map}"));
  const snapshot::TlsServer* server = only_server(loaded);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->settings.client_verification->ca_pem, "map");
  EXPECT_EQ(server->settings.client_verification->crl_pem, "of the map\nlist");
}

TEST_F(CertificateFiles, WarnOfAKeyThatOthersCanReadOrTheGroupCanWrite) {
  for (const mode_t mode : {0644U, 0660U, 0602U}) {
    write("tls.key", "key", mode);
    const Loaded loaded = load_document(https("mode: SIMPLE, " + pair()));
    ASSERT_NE(loaded.snapshot, nullptr);
    ASSERT_EQ(loaded.diagnostics.size(), 1U) << mode;
    EXPECT_TRUE(loaded.diagnostics[0].starts_with("test.yaml:4:") &&
                loaded.diagnostics[0].contains("warning: privateKey: the private key \"" + path("tls.key")))
        << loaded.diagnostics[0];
  }
  for (const mode_t mode : {0600U, 0400U, 0440U, 0640U}) {
    write("tls.key", "key", mode);
    EXPECT_TRUE(load_document(https("mode: SIMPLE, " + pair())).diagnostics.empty()) << mode;
  }
}

TEST_F(CertificateFiles, ThatAreEmptyOrTooLargeAreErrors) {
  write("tls.key", "", 0600);
  write("tls.crt", std::string(limits::credential_file_bytes_max + 1, 'x'), 0644);
  const Loaded loaded = load_document(https("mode: SIMPLE, " + pair()));
  EXPECT_EQ(loaded.snapshot, nullptr);
  ASSERT_EQ(loaded.diagnostics.size(), 2U);
  EXPECT_TRUE(loaded.diagnostics[0].contains("error: serverCertificate: cannot read")) << loaded.diagnostics[0];
  EXPECT_TRUE(loaded.diagnostics[0].contains("at most 1048576 are read")) << loaded.diagnostics[0];
  EXPECT_TRUE(loaded.diagnostics[1].ends_with("it is empty")) << loaded.diagnostics[1];
}

TEST_F(CertificateFiles, OfADocumentWithErrorsAreNotRead) {
  const Loaded loaded = load_document(https("mode: SIMPLE, serverCertificate: /nonexistent, privateKey: relative"));
  ASSERT_EQ(loaded.diagnostics.size(), 1U);
  EXPECT_TRUE(loaded.diagnostics[0].contains("must be the whole path")) << loaded.diagnostics[0];
}

}  // namespace
}  // namespace sluice::config
