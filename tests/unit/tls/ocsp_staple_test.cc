// What is stapled, and that it is; made and read by OpenSSL.
#include "tls/ocsp_staple.h"

#include "connection.h"

#include "base/limits.h"
#include "tls/ticket_keys.h"

#include <gtest/gtest.h>

#include <thread>

namespace sluice::tls {
namespace {

using test::ClientOptions;
using test::Connection;
using test::OcspOptions;

WallTime now() { return std::chrono::system_clock::now(); }

std::shared_ptr<snapshot::KeyPair> pair_with(std::string staple, const test::Pem& pem = test::rsa_2048()) {
  auto pair = std::make_shared<snapshot::KeyPair>();
  pair->chain_pem = pem.certificate;
  pair->key_pem = pem.key;
  pair->secret_name = "istio-system/certs";
  pair->ocsp_staple = std::move(staple);
  return pair;
}

std::string refusal_of(std::string staple) {
  const auto read = read_ocsp_staple(*pair_with(std::move(staple)), now());
  return read ? "accepted" : read.error().message;
}

std::string refusal(const OcspOptions& options) { return refusal_of(test::ocsp_response(test::rsa_2048(), options)); }

TEST(OcspStaple, IsGoodUntilItsNextUpdate) {
  const auto staple = read_ocsp_staple(*pair_with(test::ocsp_response(test::rsa_2048())), now());
  ASSERT_TRUE(staple) << staple.error().message;
  EXPECT_LT(std::chrono::abs(staple->good_until - (now() + std::chrono::hours(1))), std::chrono::minutes(1));
  EXPECT_EQ(staple->der, test::ocsp_response(test::rsa_2048()));
}

TEST(OcspStaple, IsGoodForEverWithoutANextUpdate) {
  const auto staple =
      read_ocsp_staple(*pair_with(test::ocsp_response(test::rsa_2048(), {.next_update_seconds = 0})), now());
  ASSERT_TRUE(staple) << staple.error().message;
  EXPECT_EQ(staple->good_until, WallTime::max());
}

TEST(OcspStaple, MayNameItsCertificateByAnotherHash) { EXPECT_EQ(refusal({.id_hash = EVP_sha256()}), "accepted"); }

TEST(OcspStaple, IsRefusedWithTheReason) {
  EXPECT_EQ(refusal({.next_update_seconds = -1}),
            "istio-system/certs: tls.ocsp-staple has expired: fetch a new one from the CA's OCSP responder; the "
            "certificate is served without it");
  EXPECT_TRUE(refusal({.this_update_seconds = 3600, .next_update_seconds = 7200}).contains("is not valid yet"));
  EXPECT_TRUE(refusal({.status = V_OCSP_CERTSTATUS_REVOKED}).contains("says that the certificate is revoked"));
  EXPECT_TRUE(refusal({.status = V_OCSP_CERTSTATUS_UNKNOWN}).contains("does not say that the certificate is good"));
  EXPECT_TRUE(refusal({.serial = 8}).contains("is for another certificate"));
  EXPECT_TRUE(refusal({.is_other_issuer = true}).contains("is for another certificate"));
  EXPECT_TRUE(refusal_of("no DER at all").contains("is not an OCSP response in DER"));
  EXPECT_TRUE(refusal_of(std::string("\x30\x03\x0a\x01\x06", 5)).contains("is the responder's error 6"));
  EXPECT_TRUE(refusal_of(std::string(limits::ocsp_staple_bytes_max + 1, 'x')).contains("more than 8192"));
}

TEST(OcspStaple, IsRefusedWhenCutOffAndNeverMisreadWithAByteChanged) {
  const std::string whole = test::ocsp_response(test::rsa_2048());
  for (size_t size = 1; size < whole.size(); ++size) EXPECT_NE(refusal_of(whole.substr(0, size)), "accepted") << size;
  for (size_t i = 0; i < whole.size() * 8; ++i) {
    std::string changed = whole;
    changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << i % 8));
    (void)refusal_of(changed);  // signature and names are the client's to check
  }
}

// --- in the handshake ---

class Stapling : public testing::TestWithParam<int> {
 protected:
  static ClientOptions options(bool asks = true) {
    return {.min_version = GetParam(), .max_version = GetParam(), .asks_for_status = asks};
  }
  static std::shared_ptr<ServerContext> context_with(std::string staple,
                                                     std::shared_ptr<TicketKeyring> keyring = nullptr) {
    EXPECT_TRUE(initialize());
    const auto& [certificate, key] = test::rsa_2048();
    return *ServerContext::create(test::server(test::five_suites(), certificate, key, staple), std::move(keyring));
  }
  static std::string stapled(const std::shared_ptr<ServerContext>& context, const ClientOptions& with) {
    Connection connection(context, with);
    EXPECT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    return connection.client.ocsp_response();
  }
};

INSTANTIATE_TEST_SUITE_P(Versions, Stapling, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& version) { return version.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

TEST_P(Stapling, GivesTheResponseToAClientThatAsks) {
  const std::string staple = test::ocsp_response(test::rsa_2048());
  const auto context = context_with(staple);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(stapled(context, options()), staple);
}

TEST_P(Stapling, GivesNothingToAClientThatDoesNotAsk) {
  EXPECT_EQ(stapled(context_with(test::ocsp_response(test::rsa_2048())), options(false)), "");
}

TEST_P(Stapling, ServesWithoutAResponseThatIsOfNoUse) {
  EXPECT_EQ(stapled(context_with(""), options()), "");
  EXPECT_EQ(stapled(context_with("nonsense"), options()), "");
  EXPECT_EQ(stapled(context_with(test::ocsp_response(test::rsa_2048(), {.next_update_seconds = -1})), options()), "");
}

TEST_P(Stapling, StopsWhenTheResponseHasExpired) {
  const auto context = context_with(test::ocsp_response(test::rsa_2048(), {.next_update_seconds = 2}));
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_EQ(stapled(context, options()), "");
}

TEST_P(Stapling, GivesTheLongestResponseThatIsAllowed) {
  std::string staple = test::ocsp_response(test::rsa_2048(), {.nonce_bytes = 7000});
  const size_t missing = limits::ocsp_staple_bytes_max - staple.size();
  staple = test::ocsp_response(test::rsa_2048(), {.nonce_bytes = 7000 + static_cast<int>(missing)});
  ASSERT_EQ(staple.size(), limits::ocsp_staple_bytes_max);
  EXPECT_EQ(stapled(context_with(staple), options()), staple);
}

TEST_P(Stapling, DoesNotDisturbResumption) {
  const auto context = context_with(test::ocsp_response(test::rsa_2048()), *TicketKeyring::create(now()));
  ClientOptions with = options();
  {
    Connection first(context, with);
    ASSERT_EQ(first.handshake(), SessionStatus::ok);
    first.client.read();
    with.session = first.client.sessions().at(0);
    first.client.send_close_notify();
  }
  Connection second(context, with);
  ASSERT_EQ(second.handshake(), SessionStatus::ok) << second.session->error_text();
  EXPECT_TRUE(second.session->is_resumed());
}

TEST_P(Stapling, WorksAfterAHelloRetryRequest) {
  const std::string staple = test::ocsp_response(test::rsa_2048());
  ClientOptions with = options();
  with.groups = "P-521:P-256";
  EXPECT_EQ(stapled(context_with(staple), with), staple);
}

}  // namespace
}  // namespace sluice::tls
