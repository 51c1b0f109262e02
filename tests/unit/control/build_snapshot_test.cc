#include "control/build_snapshot.h"

#include "base/write_file.h"
#include "certs/secret_yaml.h"
#include "certs/self_signed.h"
#include "tls/server_context.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <string>

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

}  // namespace
}  // namespace sluice::control
