#include "renewal/keeper.h"

#include "base/base64.h"
#include "base/limits.h"
#include "base/write_file.h"
#include "certs/certificate_facts.h"
#include "certs/certificate_request.h"
#include "certs/secret_yaml.h"
#include "certs/self_signed.h"
#include "config/load.h"
#include "fake_acme_server.h"
#include "renewal/stored_secret.h"
#include "tls/key_pair.h"
#include "tls/pem.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

namespace sluice::renewal {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kAcmeIssuer = R"(
apiVersion: cert.gardener.cloud/v1alpha1
kind: Issuer
metadata: {name: acme, namespace: default}
spec:
  acme:
    server: https://ca.example/dir
    email: someone@example.com
    autoRegistration: true
---
)";

constexpr std::string_view kSelfSignedIssuer = R"(
apiVersion: cert.gardener.cloud/v1alpha1
kind: Issuer
metadata: {name: own, namespace: default}
spec:
  selfSigned: {}
---
)";

std::string certificate_document(const std::string& name, const std::string& more = {},
                                 const std::string& names = "[a.example.com]") {
  return fmt::format(R"(
apiVersion: cert.gardener.cloud/v1alpha1
kind: Certificate
metadata: {{name: {0}, namespace: istio-system}}
spec:
  dnsNames: {2}
  secretName: {0}-secret
  issuerRef: {{name: acme, namespace: default}}
  privateKey: {{algorithm: ECDSA, size: 256}}
{1}
---
)",
                     name, more, names);
}

std::string revocation_document(const std::string& name, bool renew, const std::string& certificate = "web") {
  return fmt::format(R"(
apiVersion: cert.gardener.cloud/v1alpha1
kind: CertificateRevocation
metadata: {{name: {}, namespace: istio-system}}
spec:
  certificateRef: {{name: {}, namespace: istio-system}}
  renew: {}
---
)",
                     name, certificate, renew);
}

class KeeperTest : public testing::Test {
 protected:
  ~KeeperTest() override { std::filesystem::remove_all(folder_); }

  void start() {
    keeper_.reset();
    Result<Store> store = Store::open(folder_);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    keeper_ = std::make_unique<Keeper>(
        std::move(*store), board_,
        [this](const acme::HttpsOptions&) { return Result<acme::Transport>(server_.transport()); }, std::stop_token());
  }

  void follow(const std::string& documents) {
    documents_ = documents;
    config::Diagnostics diagnostics;
    std::vector<config::SourceText> texts;
    texts.push_back({"documents.yaml", documents});
    config::Compiled compiled = config::load(std::move(texts), {}, diagnostics);
    ASSERT_NE(compiled.snapshot, nullptr) << diagnostics.sorted().front().to_string();
    keeper_->follow(std::move(compiled.certificates), {.http_01 = true, .tls_alpn_01 = true}, now_);
  }

  // Everything that is due until `end`; the shards answer at once. Fewer steps than a loop without end would take.
  void work_until(WallTime end) {
    for (int step = 0; step < 10'000; ++step) {
      server_.now = now_;
      const WallTime next = keeper_->step(now_);
      board_.served(board_.posted().revision);
      if (next <= now_) continue;
      if (next <= now_ + TxtChange::look_pause)
        std::this_thread::sleep_for(1ms);  // hooks have no time but the real one
      if (next > end) {
        now_ = end;
        return;
      }
      now_ = next;
    }
    FAIL() << "it does not come to rest";
  }
  void work(Duration time = 1min) { work_until(now_ + time); }

  // What a hook makes.
  void step_until_there_is(const std::string& file) {
    for (int i = 0; i < 10'000 && !std::filesystem::exists(file); ++i) {
      (void)keeper_->step(now_);
      std::this_thread::sleep_for(1ms);
    }
    ASSERT_TRUE(std::filesystem::exists(file));
  }

  // A certificate that is there; the documents that ask for it.
  std::string obtain_web() {
    start();
    follow(std::string(kAcmeIssuer) + certificate_document("web"));
    work();
    return documents_;
  }

  CertificateReport report_of(const std::string& name) const {
    for (const CertificateReport& each : keeper_->report(now_).certificates) {
      if (each.certificate == name) return each;
    }
    ADD_FAILURE() << "no " << name;
    return {};
  }

  StoredSecret secret_of(const std::string& name) const {
    const auto yaml = Store::look_at(folder_).read_secret({"istio-system", name});
    EXPECT_TRUE(yaml && *yaml) << name;
    return *read_stored_secret(yaml && *yaml ? **yaml : "");
  }
  bool has_secret(const std::string& name) const {
    return Store::look_at(folder_).read_secret({"istio-system", name})->has_value();
  }

  const std::string folder_ = testing::TempDir() + "renewal_keeper_test." + std::to_string(getpid());
  WallTime now_{1'800'000'000s};
  ChallengeBoard board_;
  FakeAcmeServer server_;
  std::string documents_;
  std::unique_ptr<Keeper> keeper_;
};

TEST_F(KeeperTest, ObtainsACertificateAndPutsItIntoItsSecret) {
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  const CertificateReport report = report_of("istio-system/web");
  EXPECT_EQ(report.state, State::ready) << report.message;
  EXPECT_FALSE(report.is_working);
  EXPECT_TRUE(keeper_->take_news().has_certificates);
  EXPECT_FALSE(keeper_->take_news().has_certificates);
  const StoredSecret secret = secret_of("web-secret");
  EXPECT_FALSE(secret.digest.empty());
  const auto facts = certs::read_facts(secret.certificate.chain_pem);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->names.dns_names, std::vector<std::string>{"a.example.com"});
  EXPECT_EQ(report.expiration, facts->not_after);
  const auto key = certs::SigningKey::read(secret.certificate.key_pem);
  ASSERT_TRUE(key.has_value()) << key.error().message;
  EXPECT_EQ(server_.accounts, 1);
  EXPECT_EQ(server_.orders, 1);
  EXPECT_EQ(server_.certificates, 1);
  EXPECT_TRUE(board_.posted().challenges == nullptr) << "the answers are taken down";
}

TEST_F(KeeperTest, AnswersAreUpBeforeTheServerIsToldToLook) {
  bool was_up = false;
  server_.validates = [&](const std::string& type, const std::string& token) {
    const auto posted = board_.posted();
    was_up = type == "http-01" && posted.challenges != nullptr && !board_.has_news() &&
             posted.challenges->key_authorizations.contains(token);
    return was_up;
  };
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  EXPECT_TRUE(was_up);
  EXPECT_EQ(report_of("istio-system/web").state, State::ready);
}

// The heart of it: whenever the process ends, the next one goes on, with the same key and without a second certificate.
TEST_F(KeeperTest, GoesOnAfterAKillAtAnyExchange) {
  for (const bool is_before : {true, false}) {
    for (int at = 1;; ++at) {
      std::filesystem::remove_all(folder_);
      server_ = FakeAcmeServer();
      (is_before ? server_.kill_before : server_.kill_after) = at;
      bool was_killed = false;
      start();
      follow(std::string(kAcmeIssuer) + certificate_document("web"));
      try {
        work();
      } catch (const Killed&) {
        was_killed = true;
        start();
        follow(documents_);
        work();
      }
      const std::string where = fmt::format("{} exchange {}", is_before ? "before" : "after", at);
      EXPECT_EQ(report_of("istio-system/web").state, State::ready)
          << where << ": " << report_of("istio-system/web").message;
      EXPECT_EQ(server_.certificates, 1) << where;
      EXPECT_EQ(server_.accounts, 1) << where;
      EXPECT_LE(server_.orders, 2) << where;
      const StoredSecret secret = secret_of("web-secret");
      snapshot::KeyPair pair;
      pair.chain_pem = secret.certificate.chain_pem;
      pair.key_pem = secret.certificate.key_pem;
      EXPECT_TRUE(tls::check_key_pair(pair)) << where;
      if (!was_killed) break;
      ASSERT_LT(at, 100);
    }
  }
}

TEST_F(KeeperTest, ASecretThatWasWrittenBeforeTheKillIsFound) {
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  const config::ObjectKey key{"istio-system", "web"};
  std::string before;
  // The record as it was before the Secret came.
  for (int step = 0; step < 200 && !has_secret("web-secret"); ++step) {
    const std::string path = folder_ + "/certificates/istio-system.web.json";
    if (std::filesystem::exists(path))
      std::filesystem::copy_file(path, folder_ + "/record", std::filesystem::copy_options::overwrite_existing);
    server_.now = now_;
    now_ = std::max(now_, keeper_->step(now_));
    board_.served(board_.posted().revision);
  }
  ASSERT_TRUE(has_secret("web-secret"));
  keeper_.reset();
  std::filesystem::copy_file(folder_ + "/record", folder_ + "/certificates/istio-system.web.json",
                             std::filesystem::copy_options::overwrite_existing);
  start();
  follow(documents_);
  work();
  EXPECT_EQ(report_of("istio-system/web").state, State::ready);
  EXPECT_EQ(server_.certificates, 1);
  EXPECT_EQ(server_.orders, 1);
}

TEST_F(KeeperTest, RenewsAtTwoThirdsOfTheLifetime) {
  server_.renewal_info = {{"suggestedWindow", {{"start", "2027-04-01T00:00:00Z"}, {"end", "2027-04-02T00:00:00Z"}}}};
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  const WallTime issued = now_;
  const WallTime renewal = *report_of("istio-system/web").renewal;
  EXPECT_NEAR(std::chrono::duration<double>(renewal - issued) / 24h, 60, 2);
  work_until(renewal - 1h);
  EXPECT_EQ(server_.certificates, 1);
  work_until(renewal + 1h);
  EXPECT_EQ(server_.certificates, 2);
  EXPECT_EQ(server_.replaced.size(), 1u) << "RFC 9773 5";
}

TEST_F(KeeperTest, LivesWithCertificatesOfAMinute) {
  server_.lifetime = 1min;
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work(10min);
  EXPECT_GE(server_.certificates, 12);
  EXPECT_LE(server_.certificates, 21);
  EXPECT_GT(*report_of("istio-system/web").expiration, now_);
}

// Certificates that have expired when they come (the clocks disagree) are not renewed in a loop.
TEST_F(KeeperTest, DoesNotRunInCirclesWhenClocksDisagree) {
  server_.lifetime = 1min;
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  const WallTime begin = now_;
  for (int step = 0; step < 10'000 && now_ < begin + 1h; ++step) {
    server_.now = now_ - 24h;
    const WallTime next = keeper_->step(now_);
    board_.served(board_.posted().revision);
    now_ = std::max(now_, next);
  }
  EXPECT_LE(server_.certificates, 2);
}

TEST_F(KeeperTest, FollowsTheAuthoritysWindow) {
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  EXPECT_EQ(server_.certificates, 1);
  server_.renewal_info = {{"suggestedWindow", {{"start", "2027-01-16T00:00:00Z"}, {"end", "2027-01-17T00:00:00Z"}}}};
  start();
  follow(documents_);
  work(5min);
  EXPECT_LE(*report_of("istio-system/web").renewal, WallTime(1'800'144'000s)) << "the window's end";
  work(40h);
  EXPECT_EQ(server_.certificates, 2);
  // A server that says it of every certificate is not followed in a circle.
  work(24h * 10);
  EXPECT_LE(server_.certificates, 13);
}

TEST_F(KeeperTest, EnsureRenewedAfterIsFollowedOnceAndAtOnce) {
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work(10min);
  follow(std::string(kAcmeIssuer) + certificate_document("web", "  ensureRenewedAfter: \"2027-01-15T08:09:00Z\""));
  work(10min);
  EXPECT_EQ(server_.certificates, 2);
  work(24h);
  EXPECT_EQ(server_.certificates, 2);
}

TEST_F(KeeperTest, AFailedOrderIsNotTriedAgainWithinAnHour) {
  server_.validates = [](auto&, auto&) { return false; };
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  const CertificateReport report = report_of("istio-system/web");
  EXPECT_EQ(report.state, State::error);
  EXPECT_TRUE(report.message.contains("no proof")) << report.message;
  ASSERT_TRUE(report.backoff);
  EXPECT_EQ(server_.orders, 1);
  work(50min);
  EXPECT_EQ(server_.orders, 1);
  EXPECT_FALSE(keeper_->command(Command::issue, "istio-system/web", now_)) << "not by a person either";
  // Nor by another document with the same name, nor after a restart.
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("other", "  duration: 2160h") + certificate_document("web"));
  work();
  EXPECT_EQ(server_.orders, 1);
  server_.validates = [](auto&, auto&) { return true; };
  work(1h);
  EXPECT_EQ(report_of("istio-system/web").state, State::ready);
  EXPECT_EQ(report_of("istio-system/other").state, State::ready);
}

TEST_F(KeeperTest, NoNameFailsTwiceAnHourWhateverItsDocumentIsCalled) {
  server_.validates = [](auto&, auto&) { return false; };
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  follow(std::string(kAcmeIssuer) + certificate_document("renamed"));
  work();
  EXPECT_EQ(server_.orders, 1);
  start();
  follow(documents_);
  work();
  EXPECT_EQ(server_.orders, 1) << "nor after a restart";
  follow(std::string(kAcmeIssuer) + certificate_document("renamed", {}, "[b.example.com]"));
  work();
  EXPECT_EQ(server_.orders, 2);
  follow(std::string(kAcmeIssuer) + certificate_document("renamed"));
  work();
  EXPECT_EQ(server_.orders, 2) << "the names of before are remembered";
  server_.validates = [](auto&, auto&) { return true; };
  work(1h);
  EXPECT_EQ(report_of("istio-system/renamed").state, State::ready);
}

TEST_F(KeeperTest, RemovesTheTxtRecordOfACertificateThatIsNotWantedAnyMore) {
  const std::string hook = folder_ + ".hook";
  const std::string calls = folder_ + ".calls";
  ASSERT_TRUE(write_file_atomically(hook, "#!/bin/sh\necho $1 $2 >>" + calls + "\n", 0700));
  const std::string issuer = std::string(kAcmeIssuer.substr(0, kAcmeIssuer.rfind("---"))) +
                             "    dns01: {hook: {command: [" + hook + "]}}\n---\n";
  for (const bool is_killed : {false, true}) {
    std::filesystem::remove_all(folder_);
    std::filesystem::remove(calls);
    server_ = FakeAcmeServer();
    server_.offered = {"dns-01"};
    start();
    follow(issuer + certificate_document("web"));
    step_until_there_is(calls);
    if (is_killed) start();
    follow(issuer);
    work();
    std::ifstream file(calls);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(text, "present _acme-challenge.a.example.com.\ncleanup _acme-challenge.a.example.com.\n");
    EXPECT_TRUE(keeper_->report(now_).certificates.empty());
    EXPECT_EQ(keeper_->report(now_).active_dns_challenges, 0U);
  }
  std::filesystem::remove(hook);
  std::filesystem::remove(calls);
}

TEST_F(KeeperTest, AHookThatTakesItsTimeDelaysNoOtherCertificate) {
  const std::string hook = folder_ + ".hook";
  const std::string called = folder_ + ".called";
  ASSERT_TRUE(write_file_atomically(hook, "#!/bin/sh\n: >" + called + "\nexec sleep 60\n", 0700));
  std::string issuer(kAcmeIssuer.substr(0, kAcmeIssuer.rfind("---")));
  issuer.replace(issuer.find("name: acme"), 10, "name: slow");
  std::string certificate = certificate_document("slow", "", "[slow.example.com]");
  certificate.replace(certificate.find("name: acme"), 10, "name: slow");
  start();
  follow(issuer + "    dns01: {hook: {command: [" + hook + "]}}\n---\n" + certificate);
  step_until_there_is(called);

  follow(documents_ + std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  EXPECT_EQ(report_of("istio-system/web").state, State::ready) << report_of("istio-system/web").message;
  EXPECT_TRUE(report_of("istio-system/slow").is_working);
  keeper_.reset();
  std::filesystem::remove(hook);
  std::filesystem::remove(called);
}

TEST_F(KeeperTest, WaitsOutTheMoodsOfAServerWithoutGivingAnOrderUp) {
  server_.fail_each = 4;
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work(30min);
  EXPECT_EQ(report_of("istio-system/web").state, State::ready) << report_of("istio-system/web").message;
  EXPECT_EQ(server_.orders, 1);
  EXPECT_EQ(server_.certificates, 1);
}

TEST_F(KeeperTest, WaitsForAServerThatTakesItsTimeToMakeTheCertificate) {
  server_.is_at_rest = true;
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work(10min);
  EXPECT_EQ(report_of("istio-system/web").state, State::pending);
  server_.is_at_rest = false;
  work();
  EXPECT_EQ(report_of("istio-system/web").state, State::ready);
  EXPECT_EQ(server_.certificates, 1);
}

TEST_F(KeeperTest, DoesNotWaitForEverForAServerThatMakesNoCertificate) {
  server_.is_at_rest = true;
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work(20min);
  EXPECT_EQ(report_of("istio-system/web").state, State::error);
  EXPECT_EQ(report_of("istio-system/web").message, "the server has not made the certificate within 15 minutes");
  EXPECT_EQ(server_.orders, 1);
  server_.is_at_rest = false;
  work(2h);
  EXPECT_EQ(report_of("istio-system/web").state, State::ready);
  EXPECT_EQ(server_.orders, 2);
}

TEST_F(KeeperTest, MakesAnAccountAnewThatTheServerHasForgotten) {
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  server_.forget_accounts();
  ASSERT_TRUE(keeper_->command(Command::renew, "istio-system/web", now_));
  work();
  EXPECT_EQ(report_of("istio-system/web").state, State::ready) << report_of("istio-system/web").message;
  EXPECT_EQ(server_.accounts, 2);
  EXPECT_EQ(server_.certificates, 2);
}

TEST_F(KeeperTest, StoresNoCertificateOfAnotherKey) {
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  const std::string before = secret_of("web-secret").certificate.chain_pem;
  (void)keeper_->take_news().has_certificates;
  server_.mixes_up_keys = true;
  ASSERT_TRUE(keeper_->command(Command::renew, "istio-system/web", now_));
  work(50min);
  EXPECT_EQ(report_of("istio-system/web").state, State::error);
  EXPECT_EQ(secret_of("web-secret").certificate.chain_pem, before);
  EXPECT_FALSE(keeper_->take_news().has_certificates);
  EXPECT_EQ(server_.orders, 2) << "it is a failed order: the next one waits";
}

TEST_F(KeeperTest, GoesOnWhenTheClockIsSetBack) {
  server_.validates = [](auto&, auto&) { return false; };
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  EXPECT_EQ(report_of("istio-system/web").state, State::error);
  server_.validates = [](auto&, auto&) { return true; };
  now_ -= 24h * 90;
  work();
  EXPECT_EQ(report_of("istio-system/web").state, State::ready) << "nobody knows how long it has been";
  EXPECT_EQ(server_.certificates, 1);
}

TEST_F(KeeperTest, OrdersGoOnOverLoads) {
  start();
  const std::string documents = std::string(kAcmeIssuer) + certificate_document("web");
  follow(documents);
  for (int load = 0; load < 30; ++load) {
    server_.now = now_;
    now_ = std::max(now_, keeper_->step(now_));
    board_.served(board_.posted().revision);
    follow(documents);
  }
  EXPECT_EQ(report_of("istio-system/web").state, State::ready);
  EXPECT_EQ(server_.orders, 1);
}

TEST_F(KeeperTest, WaitsAsLongAsTheServerSays) {
  server_.refuse_new_order = "rateLimited";
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  EXPECT_EQ(report_of("istio-system/web").state, State::error);
  EXPECT_EQ(report_of("istio-system/web").backoff->interval, 120s);
  server_.refuse_new_order.clear();
  work(2min);
  EXPECT_EQ(report_of("istio-system/web").state, State::ready);
}

TEST_F(KeeperTest, AChangedDocumentIsObtainedAnewAndServedUntilThen) {
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  const std::string before = secret_of("web-secret").certificate.chain_pem;
  server_.validates = [](auto&, auto&) { return false; };
  follow(std::string(kAcmeIssuer) + certificate_document("web", "", "[a.example.com, b.example.com]"));
  work();
  EXPECT_EQ(secret_of("web-secret").certificate.chain_pem, before) << "the old one serves on";
  server_.validates = [](auto&, auto&) { return true; };
  work(1h);
  EXPECT_NE(secret_of("web-secret").certificate.chain_pem, before);
  EXPECT_EQ(server_.certificates, 2);
}

TEST_F(KeeperTest, EqualWishesShareOneCertificate) {
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web") + certificate_document("mail"));
  work();
  EXPECT_EQ(server_.certificates, 1);
  EXPECT_EQ(secret_of("web-secret").certificate.chain_pem, secret_of("mail-secret").certificate.chain_pem);
  EXPECT_EQ(report_of("istio-system/mail").state, State::ready);
}

TEST_F(KeeperTest, IssuesSelfSignedCertificatesItself) {
  start();
  std::string certificate = certificate_document("web", "  isCA: true");
  certificate.replace(certificate.find("name: acme"), 10, "name: own");
  follow(std::string(kSelfSignedIssuer) + certificate);
  work();
  EXPECT_EQ(report_of("istio-system/web").state, State::ready) << report_of("istio-system/web").message;
  EXPECT_EQ(server_.exchanges, 0);
  const StoredSecret secret = secret_of("web-secret");
  EXPECT_EQ(secret.certificate.ca_pem.empty(), false);
  work(24h * 61);
  EXPECT_NE(secret_of("web-secret").certificate.chain_pem, secret.certificate.chain_pem) << "it was renewed";
}

TEST_F(KeeperTest, RevokesOnceAndDoesNotObtainAgainUnlessAsked) {
  const std::string documents = obtain_web();
  follow(documents + revocation_document("leaked", false));
  work();
  EXPECT_EQ(server_.revocations, 1);
  EXPECT_EQ(report_of("istio-system/web").state, State::revoked);
  start();
  follow(documents_);
  work(24h * 80);
  EXPECT_EQ(server_.revocations, 1);
  EXPECT_EQ(server_.certificates, 1);
  EXPECT_TRUE(keeper_->command(Command::issue, "istio-system/web", now_));
  work();
  EXPECT_EQ(server_.certificates, 2);
  EXPECT_EQ(report_of("istio-system/web").state, State::ready);
  work();
  EXPECT_EQ(server_.revocations, 1) << "the new one is not meant";
}

// On a new machine, with documents of years.
TEST_F(KeeperTest, ARevocationOfBeforeDoesNotHitTheFirstCertificate) {
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web") + revocation_document("leaked", false));
  work();
  EXPECT_EQ(server_.revocations, 0);
  EXPECT_EQ(report_of("istio-system/web").state, State::ready);
}

TEST_F(KeeperTest, ARevocationMayAskForAnother) {
  const std::string documents = obtain_web();
  follow(documents + revocation_document("leaked", true));
  work();
  EXPECT_EQ(server_.revocations, 1);
  EXPECT_EQ(server_.certificates, 2);
  EXPECT_EQ(server_.certificates_at_revocation, 2) << "the new one serves before the old one is revoked";
  EXPECT_EQ(report_of("istio-system/web").state, State::ready);
  work(24h);
  EXPECT_EQ(server_.revocations, 1);
}

// The old certificate is not in the Secret any more when it is revoked.
TEST_F(KeeperTest, ARevocationAfterRenewalGoesOnAfterAKillAtAnyExchange) {
  for (int at = 1;; ++at) {
    std::filesystem::remove_all(folder_);
    server_ = FakeAcmeServer();
    const std::string documents = obtain_web();
    server_.kill_before = at;
    bool was_killed = false;
    try {
      follow(documents + revocation_document("leaked", true));
      work();
    } catch (const Killed&) {
      was_killed = true;
      start();
      follow(documents_);
      work();
    }
    EXPECT_EQ(server_.revocations, 1) << at;
    EXPECT_EQ(server_.certificates, 2) << at;
    EXPECT_EQ(server_.certificates_at_revocation, 2) << at;
    EXPECT_EQ(report_of("istio-system/web").state, State::ready) << at;
    if (!was_killed) break;
    ASSERT_LT(at, 100);
  }
}

// They mean one certificate, not what comes after it.
TEST_F(KeeperTest, TwoRevocationsOfOneCertificateRevokeIt) {
  for (const bool renews : {false, true}) {
    std::filesystem::remove_all(folder_);
    server_ = FakeAcmeServer();
    const std::string documents = obtain_web();
    follow(documents + revocation_document("first", true) + revocation_document("second", renews));
    work(24h);
    EXPECT_EQ(server_.revocations, 1);
    EXPECT_EQ(server_.certificates, 2);
    EXPECT_EQ(server_.certificates_at_revocation, renews ? 2 : 1) << "one of them does not wait";
    EXPECT_EQ(report_of("istio-system/web").state, State::ready);
  }
}

TEST_F(KeeperTest, ARevocationThatCannotWaitHurriesTheOther) {
  const std::string documents = obtain_web();
  server_.validates = [](auto&, auto&) { return false; };
  follow(documents + revocation_document("first", true));
  work();
  EXPECT_EQ(server_.revocations, 0);
  EXPECT_TRUE(keeper_->command(Command::revoke, "istio-system/web", now_));
  work();
  EXPECT_EQ(server_.revocations, 1);
}

// Nobody is given what is about to be revoked, and everybody who has it is given another one.
TEST_F(KeeperTest, WhatIsToBeRevokedIsNotSharedAnyMore) {
  start();
  const std::string documents = std::string(kAcmeIssuer) + certificate_document("web") + certificate_document("mail");
  follow(documents);
  work();
  EXPECT_EQ(server_.certificates, 1);
  server_.refuse_new_order = "rateLimited";
  follow(documents + revocation_document("leaked", true));
  work();
  EXPECT_EQ(server_.revocations, 0);
  follow(documents + certificate_document("late") + revocation_document("leaked", true));
  work(10s);
  EXPECT_FALSE(has_secret("late-secret"));
  server_.refuse_new_order.clear();
  work(1h);
  EXPECT_EQ(server_.revocations, 1);
  const std::string chain = secret_of("web-secret").certificate.chain_pem;
  for (const char* name : {"mail", "late"}) {
    EXPECT_EQ(report_of(fmt::format("istio-system/{}", name)).state, State::ready) << name;
    EXPECT_TRUE(has_secret(fmt::format("{}-secret", name)));
  }
}

TEST_F(KeeperTest, CertificatesOfOthersThatWouldBeRenewedAtOnceAreNotTaken) {
  start();
  const std::string two = std::string(kAcmeIssuer) + certificate_document("web") + certificate_document("mail");
  follow(two);
  work();
  ASSERT_TRUE(keeper_->command(Command::renew, "istio-system/web", now_));
  work(10min);
  EXPECT_EQ(server_.certificates, 2) << "two that are the same but for the serial number";
  follow(two + certificate_document("late", "  ensureRenewedAfter: \"2027-01-15T08:10:00Z\""));
  work(1h);
  EXPECT_EQ(server_.certificates, 3);
  EXPECT_EQ(report_of("istio-system/late").state, State::ready);
}

TEST_F(KeeperTest, WhatAPersonImportsWhileAnOrderGoesOnIsKept) {
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  (void)keeper_->take_news();
  const auto own = certs::make_self_signed({.hosts = {"a.example.com"}}, now_);
  ASSERT_TRUE(own.has_value());
  bool is_imported = false;
  server_.validates = [&](auto&, auto&) {
    const std::string yaml =
        certs::secret_yaml({.name_space = "istio-system", .name = "web-secret", .digest = {}, .labels = {}}, *own);
    is_imported = Store::open(folder_)->write_imported_secret({"istio-system", "web-secret"}, yaml).has_value();
    return true;
  };
  work();
  ASSERT_TRUE(is_imported);
  EXPECT_EQ(secret_of("web-secret").certificate.chain_pem, own->chain_pem);
  EXPECT_TRUE(keeper_->take_news().needs_load);
  work(24h * 90);
  EXPECT_EQ(secret_of("web-secret").certificate.chain_pem, own->chain_pem);
}

TEST_F(KeeperTest, WhatIsLeftOfARemovedCertificate) {
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  const std::string record = folder_ + "/certificates/istio-system.web.json";
  server_.fail_each = 1;
  ASSERT_TRUE(keeper_->command(Command::revoke, "istio-system/web", now_));
  work();
  EXPECT_EQ(server_.revocations, 0);
  follow(std::string(kAcmeIssuer));
  EXPECT_TRUE(std::filesystem::exists(record));
  server_.fail_each = 0;
  work(1h);
  EXPECT_EQ(server_.revocations, 1) << "it is still wanted";
  follow(std::string(kAcmeIssuer));
  EXPECT_FALSE(std::filesystem::exists(record));
  EXPECT_TRUE(has_secret("web-secret")) << "a Gateway may serve it";
}

TEST_F(KeeperTest, TheDomainsOfAnIssuerHoldForRequestsToo) {
  const auto key = certs::SigningKey::make(certs::KeyType::ecdsa_p256);
  ASSERT_TRUE(key.has_value());
  certs::Subject subject;
  subject.names.dns_names = {"a.example.org"};
  const auto request = certs::make_request(subject, *key);
  ASSERT_TRUE(request.has_value()) << request.error().message;
  const std::string pem = tls::encode_pem(as_bytes(*request), certs::kRequestLabel);
  std::string csr(base64_size(pem.size()), ' ');
  write_base64(as_bytes(pem), csr);
  const std::string issuer =
      std::string(kAcmeIssuer.substr(0, kAcmeIssuer.rfind("---"))) + "    domains: {include: [example.com]}\n---\n";
  start();
  follow(issuer + fmt::format(R"(
apiVersion: cert.gardener.cloud/v1alpha1
kind: Certificate
metadata: {{name: web, namespace: istio-system}}
spec:
  csr: {}
  secretName: web-secret
  issuerRef: {{name: acme, namespace: default}}
)",
                              csr));
  work();
  EXPECT_EQ(report_of("istio-system/web").state, State::error);
  EXPECT_EQ(report_of("istio-system/web").message,
            "domain \"a.example.org\" is not in spec.acme.domains.include of Issuer default/acme");
  EXPECT_EQ(server_.orders, 0);
}

TEST_F(KeeperTest, APersonsSecretIsLeftAlone) {
  Result<Store> store = Store::open(folder_);
  ASSERT_TRUE(store.has_value());
  const auto own = certs::make_self_signed({.hosts = {"a.example.com"}}, now_);
  ASSERT_TRUE(store->write_imported_secret(
      {"istio-system", "web-secret"},
      certs::secret_yaml({.name_space = "istio-system", .name = "web-secret", .digest = {}, .labels = {}}, *own)));
  start();
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  work();
  EXPECT_EQ(server_.exchanges, 0);
  EXPECT_EQ(report_of("istio-system/web").state, State::ready);
  EXPECT_TRUE(keeper_->command(Command::issue, "istio-system/web", now_));
  work();
  EXPECT_EQ(server_.certificates, 1);
}

TEST_F(KeeperTest, OneOfTwoProcessesManagesAndTheOtherFollows) {
  start();
  Result<Store> store = Store::open(folder_);
  ChallengeBoard board;
  Keeper second(
      std::move(*store), board,
      [this](const acme::HttpsOptions&) { return Result<acme::Transport>(server_.transport()); }, std::stop_token());
  follow(std::string(kAcmeIssuer) + certificate_document("web"));
  config::Diagnostics diagnostics;
  std::vector<config::SourceText> texts;
  texts.push_back({"documents.yaml", documents_});
  second.follow(config::load(std::move(texts), {}, diagnostics).certificates, {.http_01 = true, .tls_alpn_01 = true},
                now_);
  (void)second.step(now_);
  EXPECT_EQ(server_.exchanges, 0);
  work();
  EXPECT_EQ(server_.certificates, 1);
  (void)second.step(now_);
  EXPECT_TRUE(second.take_news().has_certificates) << "it loads what the other has obtained";
  EXPECT_FALSE(second.report(now_).is_managing);
  EXPECT_EQ(second.report(now_).certificates.front().state, State::ready);
  keeper_.reset();
  now_ += 2s;
  (void)second.step(now_);
  EXPECT_TRUE(second.report(now_).is_managing);
  EXPECT_EQ(server_.certificates, 1);
}

}  // namespace
}  // namespace sluice::renewal
