#include "control/build_snapshot.h"

#include "base/write_file.h"
#include "certs/secret_yaml.h"
#include "certs/self_signed.h"
#include "tls/parsed_certificate.h"
#include "tls/server_context.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

namespace sluice::control {
namespace {

WallTime now() { return std::chrono::system_clock::now(); }

constexpr std::string_view kGateway = R"(
apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 8443, name: https, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialName: certs}
    hosts: ["a.test"]
  - port: {number: 9443, name: https2, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialName: certs}
    hosts: ["b.test"]
)";

class BuildSnapshot : public testing::Test {
 protected:
  BuildSnapshot() {
    EXPECT_TRUE(tls::initialize());
    std::filesystem::create_directories(folder_);
    write("gateway.yaml", kGateway);
  }
  ~BuildSnapshot() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, std::string_view text) const {
    ASSERT_TRUE(write_file_atomically(folder_ + "/" + name, text, 0600));
  }

  void write_secret(const certs::IssuedCertificate& certificate) const {
    write("secret.yaml",
          certs::secret_yaml({.name_space = "istio-system", .name = "certs", .digest = {}, .labels = {}}, certificate));
  }

  static certs::IssuedCertificate make_certificate(WallTime time = now()) {
    certs::SelfSignedOptions options;
    options.hosts = {"a.test", "b.test"};
    return *certs::make_self_signed(options, time);
  }

  std::unique_ptr<snapshot::Snapshot> build() {
    diagnostics_ = {};
    return build_snapshot({.paths = {folder_}}, now(), {.ticket_keys = ticket_keys_}, diagnostics_).snapshot;
  }

  std::string errors() const {
    std::string all;
    for (const auto& diagnostic : diagnostics_.sorted()) {
      if (diagnostic.severity == config::Severity::error) all += diagnostic.to_string() + "\n";
    }
    return all;
  }

  const std::string folder_ = testing::TempDir() + "build_snapshot_test." + std::to_string(getpid());
  const std::shared_ptr<tls::TicketKeyring> ticket_keys_ = *tls::TicketKeyring::create(now());
  config::Diagnostics diagnostics_;
};

TEST_F(BuildSnapshot, MakesTheContextsAndLetsGoOfTheKeys) {
  write_secret(make_certificate());
  const auto snapshot = build();
  ASSERT_NE(snapshot, nullptr) << errors();
  ASSERT_EQ(snapshot->listeners.size(), 2U);
  for (const auto& listener : snapshot->listeners) {
    EXPECT_NE(listener.tls_servers.at(0).context, nullptr);
    EXPECT_TRUE(listener.tls_servers.at(0).key_pairs.empty());
  }
}

TEST_F(BuildSnapshot, SummarizesACertificateOnceThoughTwoServersHaveIt) {
  write_secret(make_certificate());
  const auto snapshot = build();
  ASSERT_NE(snapshot, nullptr) << errors();
  ASSERT_EQ(snapshot->certificates.size(), 1U);
  EXPECT_EQ(snapshot->certificates[0].secret_name, "istio-system/certs");
  EXPECT_EQ(snapshot->certificates[0].names, (std::vector<std::string>{"a.test", "b.test"}));
}

TEST_F(BuildSnapshot, ServesOnWithoutASecretThatIsMissing) {
  const auto snapshot = build();
  ASSERT_NE(snapshot, nullptr) << errors();
  EXPECT_EQ(snapshot->listeners.at(0).tls_servers.at(0).context, nullptr);
  EXPECT_GT(diagnostics_.warning_count(), 0U);
  EXPECT_TRUE(snapshot->certificates.empty());
}

TEST_F(BuildSnapshot, RefusesACertificateThatHasExpired) {
  write_secret(make_certificate(now() - std::chrono::hours(24 * 365)));
  EXPECT_EQ(build(), nullptr);
  EXPECT_TRUE(errors().contains("expired")) << errors();
}

TEST_F(BuildSnapshot, LeavesAServerWithoutContextWhenItIsOnlyToBeLookedAt) {
  write_secret(make_certificate(now() - std::chrono::hours(24 * 365)));
  config::Diagnostics diagnostics;
  const auto snapshot = build_snapshot_to_look_at({folder_}, now(), diagnostics);
  ASSERT_NE(snapshot, nullptr);
  EXPECT_TRUE(diagnostics.has_errors());
  EXPECT_EQ(snapshot->listeners[0].tls_servers[0].context, nullptr);
  write("gateway.yaml", "kind: Gateway\n");
  EXPECT_EQ(build_snapshot_to_look_at({folder_}, now(), diagnostics), nullptr);
}

TEST_F(BuildSnapshot, RefusesAKeyOfAnotherCertificate) {
  certs::IssuedCertificate mixed = make_certificate();
  mixed.key_pem = make_certificate().key_pem;
  write_secret(mixed);
  EXPECT_EQ(build(), nullptr);
  EXPECT_TRUE(errors().contains("secret.yaml")) << errors();
}

TEST_F(BuildSnapshot, RefusesAWrongDocumentAndSaysWhere) {
  write_secret(make_certificate());
  write("wrong.yaml",
        "apiVersion: networking.istio.io/v1beta1\nkind: Gateway\nmetadata: {name: x}\nspec:\n  hots: []\n");
  EXPECT_EQ(build(), nullptr);
  EXPECT_TRUE(errors().contains("wrong.yaml:5:3: error: ")) << errors();
}

// --- Certificates that sluice has obtained ---------------------------------------------------------

class SwapCertificates : public BuildSnapshot {
 protected:
  SwapCertificates() {
    std::filesystem::create_directories(issued_folder_);
    write("issuer.yaml", R"(
apiVersion: cert.gardener.cloud/v1alpha1
kind: Issuer
metadata: {name: acme, namespace: default}
spec: {acme: {server: "https://ca.example/dir", email: a@b.example, autoRegistration: true}}
)");
    write("certificate.yaml", R"(
apiVersion: cert.gardener.cloud/v1alpha1
kind: Certificate
metadata: {name: web, namespace: istio-system}
spec:
  dnsNames: [a.test, b.test]
  secretName: certs
  issuerRef: {name: acme, namespace: default}
)");
  }
  ~SwapCertificates() override { std::filesystem::remove_all(issued_folder_); }

  void issue(const certs::IssuedCertificate& certificate, const std::string& name = "certs") const {
    const std::string yaml =
        certs::secret_yaml({.name_space = "istio-system", .name = name, .digest = "digest", .labels = {}}, certificate);
    ASSERT_TRUE(write_file_atomically(issued_folder_ + "/" + name + ".yaml", yaml, 0600));
  }

  Serving serving() { return {.ticket_keys = ticket_keys_, .fallbacks = &fallbacks_}; }

  void load() {
    diagnostics_ = {};
    built_ = build_snapshot({.paths = {folder_}, .issued_folder = issued_folder_}, now(), serving(), diagnostics_);
    ASSERT_NE(built_.snapshot, nullptr) << errors();
  }

  // Null: nothing is new.
  std::unique_ptr<snapshot::Snapshot> swap() {
    diagnostics_ = {};
    return swap_certificates(*built_.snapshot, built_.managed_servers, issued_folder_, now(), serving(), diagnostics_);
  }

  static std::vector<std::string> serials(const snapshot::Snapshot& snapshot) {
    std::vector<std::string> all;
    for (const auto& certificate : snapshot.certificates) all.push_back(certificate.serial);
    return all;
  }
  static std::string serial_of(const certs::IssuedCertificate& certificate) {
    return tls::parse_first_certificate(certificate.chain_pem)->serial;
  }

  const std::string issued_folder_ = folder_ + ".issued";
  FallbackCertificates fallbacks_;
  Built built_;
};

TEST_F(SwapCertificates, PutsTheFirstOneInThePlaceOfTheSelfSigned) {
  load();
  ASSERT_EQ(built_.managed_servers.size(), 2U);
  ASSERT_EQ(serials(*built_.snapshot).size(), 2U) << "each server has its own until then";
  EXPECT_EQ(swap(), nullptr);
  const certs::IssuedCertificate certificate = make_certificate();
  issue(certificate);
  const auto next = swap();
  ASSERT_NE(next, nullptr) << errors();
  EXPECT_EQ(serials(*next), std::vector<std::string>{serial_of(certificate)});
  EXPECT_EQ(next->hash, built_.snapshot->hash);
  for (size_t i = 0; i < 2; ++i) {
    const snapshot::TlsServer& before = built_.snapshot->listeners[i].tls_servers[0];
    const snapshot::TlsServer& server = next->listeners[i].tls_servers[0];
    EXPECT_NE(server.context, before.context);
    EXPECT_NE(server.context, nullptr);
    EXPECT_EQ(server.identity, before.identity);
    EXPECT_TRUE(server.key_pairs.empty()) << "keys are in the contexts alone";
  }
  EXPECT_EQ(swap(), nullptr) << "nothing is new";
  load();
  EXPECT_EQ(built_.snapshot->hash, next->hash) << "a load of the same documents is the same configuration";
}

TEST_F(SwapCertificates, DoesNotReadDocuments) {
  issue(make_certificate());
  load();
  write("gateway.yaml", "kind: Gateway\n");
  const certs::IssuedCertificate certificate = make_certificate();
  issue(certificate);
  const auto next = swap();
  ASSERT_NE(next, nullptr) << errors();
  EXPECT_EQ(serials(*next), std::vector<std::string>{serial_of(certificate)});
}

TEST_F(SwapCertificates, KeepsWhatServesWhenTheNewOneCannot) {
  issue(make_certificate());
  load();
  certs::IssuedCertificate mixed = make_certificate();
  mixed.key_pem = make_certificate().key_pem;
  issue(mixed);
  EXPECT_EQ(swap(), nullptr);
  EXPECT_EQ(diagnostics_.warning_count(), 2U) << "of two servers";
  EXPECT_FALSE(diagnostics_.has_errors());
  std::filesystem::remove(issued_folder_ + "/certs.yaml");
  EXPECT_EQ(swap(), nullptr) << "nor is a certificate taken away";
  ASSERT_TRUE(write_file_atomically(issued_folder_ + "/certs.yaml", "{", 0600));
  EXPECT_EQ(swap(), nullptr);
  EXPECT_FALSE(diagnostics_.has_errors());
}

TEST_F(SwapCertificates, LeavesTheUsersCertificateBesideIt) {
  write("gateway.yaml", R"(
apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 8443, name: https, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialNames: [certs, users]}
    hosts: ["a.test"]
)");
  certs::SelfSignedOptions options;
  options.hosts = {"a.test"};
  options.key_type = certs::KeyType::ecdsa_p256;
  const certs::IssuedCertificate users = *certs::make_self_signed(options, now());
  write("users.yaml",
        certs::secret_yaml({.name_space = "istio-system", .name = "users", .digest = {}, .labels = {}}, users));
  load();
  EXPECT_EQ(serials(*built_.snapshot), std::vector<std::string>{serial_of(users)}) << "it serves alone until then";
  options.key_type = certs::KeyType::rsa_2048;
  const certs::IssuedCertificate certificate = *certs::make_self_signed(options, now());
  issue(certificate);
  const auto next = swap();
  ASSERT_NE(next, nullptr) << errors();
  EXPECT_EQ(serials(*next), (std::vector<std::string>{serial_of(users), serial_of(certificate)}));

  const WallTime later = now() + std::chrono::hours(24 * 100);
  const certs::IssuedCertificate renewed = *certs::make_self_signed(options, later);
  issue(renewed);
  diagnostics_ = {};
  const auto last = swap_certificates(*next, built_.managed_servers, issued_folder_, later, serving(), diagnostics_);
  ASSERT_NE(last, nullptr) << "the user's, which has expired, is no reason to wait";
  EXPECT_EQ(serials(*last), (std::vector<std::string>{serial_of(users), serial_of(renewed)}));
}

TEST_F(SwapCertificates, WhatARemovedCertificateLeftBehindServesAndIsWatched) {
  const certs::IssuedCertificate certificate = make_certificate();
  issue(certificate);
  load();
  EXPECT_TRUE(built_.snapshot->certificates.at(0).is_renewed);
  std::filesystem::remove(folder_ + "/certificate.yaml");
  load();
  ASSERT_EQ(serials(*built_.snapshot), std::vector<std::string>{serial_of(certificate)});
  EXPECT_FALSE(built_.snapshot->certificates.at(0).is_renewed) << "its end is somebody's to look after";
}

}  // namespace
}  // namespace sluice::control
