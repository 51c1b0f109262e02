// The client's side of a session, to OpenSSL's server.
#include "authority.h"
#include "connection.h"
#include "openssl_server.h"

#include "tls/client_context.h"

#include <gtest/gtest.h>

namespace sluice::tls {
namespace {

using test::Authority;
using test::IssueOptions;
using test::Pem;
using test::ServerOptions;

const Authority& root() {
  static const Authority authority("root");
  return authority;
}

const Pem& good_server() {
  static const Pem pem = root().issue({.subject = {{"CN", "server"}},
                                       .alternative_names = "DNS:httpbin.example,DNS:*.wild.example,IP:192.0.2.7",
                                       .extended_key_usage = "serverAuth"});
  return pem;
}

snapshot::UpstreamTls trusting_root() {
  snapshot::UpstreamTls upstream;
  upstream.name = "DestinationRule default/httpbin";
  upstream.verification.ca_pem = root().certificate();
  upstream.verification.source_name = "istio-system/httpbin-cacert";
  return upstream;
}

std::shared_ptr<ClientContext> make_context(const snapshot::UpstreamTls& upstream,
                                            const std::vector<std::string>& alpn = {}) {
  CHECK(initialize().has_value());
  auto context = ClientContext::create(upstream, alpn);
  if (!context) throw std::runtime_error(context.error().message);
  return *context;
}

struct UpstreamConnection {
  UpstreamConnection(const std::shared_ptr<ClientContext>& context, const std::string& name,
                     const ServerOptions& options)
      : session(Session::connect(*context, name)), server(options) {}
  UpstreamConnection(const std::shared_ptr<ClientContext>& context, const std::string& name,
                     std::unique_ptr<ResumableSession> resumable, test::OpensslServer& same_server)
      : session(Session::connect(*context, name, std::move(resumable))), server(same_server) {}

  SessionStatus handshake() {
    SessionStatus status = SessionStatus::need_input;
    for (int idle = 0; idle < 3; ++idle) {
      if (status == SessionStatus::need_input) {
        ConstBytes input = as_bytes(from_server);
        status = session->handshake(input, output.sink());
        from_server.erase(0, from_server.size() - input.size());
      }
      server.feed(as_bytes(output.take()));
      (void)server.handshake();
      (void)server.read();  // an alert
      from_server += server.take_output();
      if (!from_server.empty() && status == SessionStatus::need_input) idle = 0;
    }
    return status;
  }

  std::string read_all() {
    std::string plaintext;
    std::vector<std::byte> buffer(16 * 1024);
    ConstBytes input = as_bytes(from_server);
    for (;;) {
      const auto [status, size] = session->read(input, buffer, output.sink());
      if (status != SessionStatus::ok) break;
      plaintext.append(as_text(ConstBytes(buffer).first(size)));
    }
    from_server.erase(0, from_server.size() - input.size());
    return plaintext;
  }

  std::unique_ptr<Session> session;
  test::OpensslServer server;
  test::StringSink output;
  std::string from_server;
};

class ClientSession : public testing::TestWithParam<int> {
 protected:
  [[nodiscard]] ServerOptions serving(const Pem& pem, const std::string& intermediates = "") const {
    return {.min_version = GetParam(),
            .max_version = GetParam(),
            .certificate_pem = pem.certificate + intermediates,
            .key_pem = pem.key};
  }

  static void expect_accepted(const snapshot::UpstreamTls& upstream, const std::string& name,
                              const ServerOptions& options) {
    UpstreamConnection connection(make_context(upstream), name, options);
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    ASSERT_TRUE(connection.session->write(as_bytes("ping"), connection.output.sink()));
    connection.server.feed(as_bytes(connection.output.take()));
    EXPECT_EQ(connection.server.read(), "ping");
    connection.server.write("pong");
    connection.from_server += connection.server.take_output();
    EXPECT_EQ(connection.read_all(), "pong");
  }

  static void expect_refused(const snapshot::UpstreamTls& upstream, const std::string& name,
                             const ServerOptions& options, int alert, std::string_view text) {
    UpstreamConnection connection(make_context(upstream), name, options);
    EXPECT_EQ(connection.handshake(), SessionStatus::failed);
    EXPECT_EQ(connection.server.received_alert(), alert);
    EXPECT_TRUE(connection.session->error_text().contains(text)) << connection.session->error_text();
    EXPECT_EQ(connection.session->peer_certificate(), nullptr);
  }
};

TEST_P(ClientSession, TalksToAServerOfTheRightNameAndCa) {
  expect_accepted(trusting_root(), "httpbin.example", serving(good_server()));
  expect_accepted(trusting_root(), "HTTPBIN.example.", serving(good_server()));
  expect_accepted(trusting_root(), "a.wild.example", serving(good_server()));
  expect_accepted(trusting_root(), "192.0.2.7", serving(good_server()));
  expect_accepted(trusting_root(), "rsa.example",
                  serving(root().issue({.alternative_names = "DNS:rsa.example", .is_ecdsa = false})));
}

TEST_P(ClientSession, KnowsWhatTheServerShowedAndWhatWasNegotiated) {
  UpstreamConnection connection(make_context(trusting_root()), "httpbin.example", serving(good_server()));
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  ASSERT_NE(connection.session->peer_certificate(), nullptr);
  EXPECT_EQ(connection.session->peer_certificate()->pem(), good_server().certificate);
  EXPECT_EQ(connection.session->protocol_version(), GetParam() == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
  EXPECT_EQ(connection.session->cipher_suite(), connection.server.cipher());
  EXPECT_EQ(connection.session->local_certificate(), nullptr);
}

TEST_P(ClientSession, AsksForTheNameButNeverForAnAddress) {
  for (const auto& [name, seen] : {std::pair{"httpbin.example", "httpbin.example"},
                                   {"httpbin.example.", "httpbin.example"},
                                   {"192.0.2.7", ""},
                                   {"2001:db8::1", ""},
                                   {"", ""}}) {
    snapshot::UpstreamTls upstream = trusting_root();
    upstream.verifies = false;
    UpstreamConnection connection(make_context(upstream), name, serving(good_server()));
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    EXPECT_EQ(connection.server.server_name(), seen);
  }
}

TEST_P(ClientSession, RefusesAServerOfAnotherName) {
  expect_refused(trusting_root(), "other.example", serving(good_server()), 46,
                 "the server's certificate (CN=server) is not one of 'other.example': it has httpbin.example, "
                 "*.wild.example, 192.0.2.7");
  // One label, not none and not two; addresses are not names; the common name does not count.
  for (const char* name : {"wild.example", "a.b.wild.example", "192.0.2.8", "server", ""})
    expect_refused(trusting_root(), name, serving(good_server()), 46, "is not one of");
  expect_refused(trusting_root(), "a.com", serving(root().issue({.alternative_names = "DNS:*.com"})), 46, "is not one");
}

TEST_P(ClientSession, RefusesAServerWhoseIssuerItDoesNotTrust) {
  const Authority other("other");
  expect_refused(trusting_root(), "httpbin.example", serving(other.issue({.alternative_names = "DNS:httpbin.example"})),
                 48,
                 "the server's certificate (CN=client) was issued by 'CN=other,O=Example', which is none of the CA "
                 "certificates of istio-system/httpbin-cacert");
  expect_refused(trusting_root(), "localhost", serving(test::ecdsa_p256()), 48, "was issued by 'CN=localhost'");
}

TEST_P(ClientSession, TrustsASelfSignedCertificateThatIsItsOwnCa) {
  const Authority self_signed("self", nullptr,
                              {.alternative_names = "DNS:self.example", .key_usage = "digitalSignature,keyCertSign"});
  snapshot::UpstreamTls upstream = trusting_root();
  upstream.verification.ca_pem = self_signed.certificate();
  expect_accepted(upstream, "leaf.example", serving(self_signed.issue({.alternative_names = "DNS:leaf.example"})));
  upstream.verification.ca_pem = test::ecdsa_p256().certificate;
  upstream.verification.subject_alt_names = {};
  expect_refused(upstream, "localhost", serving(test::ecdsa_p256()), 46, "no name at all in subjectAltName");
}

TEST_P(ClientSession, RefusesWhatHasExpired) {
  expect_refused(
      trusting_root(), "httpbin.example",
      serving(root().issue({.alternative_names = "DNS:httpbin.example", .not_before_s = -7200, .not_after_s = -60})),
      45, "the server's certificate (CN=client) has expired");
}

TEST_P(ClientSession, RefusesACertificateOfAClient) {
  expect_refused(
      trusting_root(), "httpbin.example",
      serving(root().issue({.alternative_names = "DNS:httpbin.example", .extended_key_usage = "clientAuth"})), 43,
      "is not meant for TLS servers");
}

TEST_P(ClientSession, RefusesWhatHasBeenRevoked) {
  snapshot::UpstreamTls upstream = trusting_root();
  upstream.verification.crl_pem = root().revocation_list({1000});
  expect_refused(upstream, "httpbin.example", serving(good_server()), 44, "has been revoked");
}

TEST_P(ClientSession, ComparesWithTheNamesThatAreConfiguredInstead) {
  snapshot::UpstreamTls upstream = trusting_root();
  upstream.verification.subject_alt_names = {"spiffe://x/y", "a.wild.example"};
  expect_accepted(upstream, "whatever.example", serving(good_server()));
  expect_accepted(upstream, "", serving(root().issue({.alternative_names = "URI:spiffe://x/y"})));
  upstream.verification.subject_alt_names = {"spiffe://x/y"};
  expect_refused(upstream, "httpbin.example", serving(good_server()), 46, "has none of the names that are expected");
}

TEST_P(ClientSession, AcceptsEverythingWhenItDoesNotVerify) {
  snapshot::UpstreamTls upstream;
  upstream.verifies = false;
  expect_accepted(upstream, "other.example", serving(test::rsa_2048()));
  UpstreamConnection connection(make_context(upstream), "other.example", serving(good_server()));
  ASSERT_EQ(connection.handshake(), SessionStatus::ok);
  EXPECT_EQ(connection.session->peer_certificate(), nullptr);  // only what was verified is told
}

TEST_P(ClientSession, TakesChainsWithIntermediatesAndCrossSignedRoots) {
  const Authority intermediate("intermediate", &root());
  const Pem pem = intermediate.issue({.alternative_names = "DNS:httpbin.example"});
  expect_accepted(trusting_root(), "httpbin.example", serving(pem, intermediate.certificate()));
  expect_refused(trusting_root(), "httpbin.example", serving(pem), 48, "no intermediate certificate");
  // What Let's Encrypt's servers sent in 2021: the root once more, signed by one that has expired.
  const Authority old("old", nullptr, {.not_before_s = -7200, .not_after_s = -60});
  expect_accepted(trusting_root(), "httpbin.example",
                  serving(pem, intermediate.certificate() + root().cross_signed_by(old)));
}

TEST_P(ClientSession, ShowsItsOwnCertificateWhenItIsAskedFor) {
  const Authority client_ca("client ca");
  const Pem pem = client_ca.issue({.subject = {{"CN", "gateway"}}});
  snapshot::UpstreamTls upstream = trusting_root();
  auto pair = std::make_shared<snapshot::KeyPair>();
  pair->chain_pem = pem.certificate;
  pair->key_pem = pem.key;
  upstream.key_pair = pair;
  ServerOptions options = serving(good_server());
  options.client_ca_pem = client_ca.certificate();
  UpstreamConnection connection(make_context(upstream), "httpbin.example", options);
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  EXPECT_TRUE(connection.server.is_handshake_done());
  EXPECT_EQ(connection.server.client_subject(), "/CN=gateway");
  ASSERT_NE(connection.session->local_certificate(), nullptr);
  EXPECT_EQ(connection.session->local_certificate()->subject, "CN=gateway");
}

TEST_P(ClientSession, SaysThatTheServerWantsACertificate) {
  ServerOptions options = serving(good_server());
  options.client_ca_pem = root().certificate();
  UpstreamConnection connection(make_context(trusting_root()), "httpbin.example", options);
  SessionStatus status = connection.handshake();
  if (GetParam() == TLS1_3_VERSION) {  // the server says so after the client is done
    ASSERT_EQ(status, SessionStatus::ok);
    std::vector<std::byte> buffer(100);
    ConstBytes input = as_bytes(connection.from_server);
    status = connection.session->read(input, buffer, connection.output.sink()).status;
  }
  EXPECT_EQ(status, SessionStatus::failed);
  EXPECT_TRUE(connection.session->error_text().contains(
      GetParam() == TLS1_3_VERSION ? "the alert certificate_required (116): it wants a certificate of the client"
                                   : "the alert handshake_failure (40)"))
      << connection.session->error_text();
}

TEST_P(ClientSession, NegotiatesAProtocolOrGoesOnWithout) {
  ServerOptions options = serving(good_server());
  options.alpn = "http/1.1";
  UpstreamConnection chosen(make_context(trusting_root(), {"h2", "http/1.1"}), "httpbin.example", options);
  ASSERT_EQ(chosen.handshake(), SessionStatus::ok) << chosen.session->error_text();
  EXPECT_EQ(chosen.session->alpn_protocol(), "http/1.1");
  UpstreamConnection none(make_context(trusting_root(), {"h2"}), "httpbin.example", serving(good_server()));
  ASSERT_EQ(none.handshake(), SessionStatus::ok) << none.session->error_text();
  EXPECT_EQ(none.session->alpn_protocol(), "");
}

// --- Resumption ------------------------------------------------------------------------------------

TEST_P(ClientSession, ResumesAtTheSameServer) {
  for (const bool has_tickets : {true, false}) {
    ServerOptions options = serving(good_server());
    options.has_tickets = has_tickets;
    const auto context = make_context(trusting_root());
    UpstreamConnection first(context, "httpbin.example", options);
    EXPECT_EQ(first.session->take_resumable(), nullptr);
    ASSERT_EQ(first.handshake(), SessionStatus::ok) << first.session->error_text();
    EXPECT_FALSE(first.session->is_resumed());
    if (GetParam() == TLS1_3_VERSION) {
      EXPECT_EQ(first.session->take_resumable(), nullptr);  // not yet
    }
    first.server.write("hello");
    first.from_server += first.server.take_output();
    EXPECT_EQ(first.read_all(), "hello");
    auto resumable = first.session->take_resumable();
    ASSERT_NE(resumable, nullptr);
    EXPECT_EQ(first.session->take_resumable(), nullptr);  // once

    // Connections follow each other, and the first one still works.
    for (int round = 0; round < 3; ++round) {
      UpstreamConnection next(context, "httpbin.example", std::move(resumable), first.server);
      ASSERT_EQ(next.handshake(), SessionStatus::ok) << next.session->error_text();
      EXPECT_TRUE(next.session->is_resumed()) << has_tickets << round;
      EXPECT_TRUE(next.server.is_resumed());
      ASSERT_NE(next.session->peer_certificate(), nullptr);
      EXPECT_EQ(next.session->peer_certificate()->pem(), good_server().certificate);
      ASSERT_TRUE(next.session->write(as_bytes("ping"), next.output.sink()));
      next.server.feed(as_bytes(next.output.take()));
      EXPECT_EQ(next.server.read(), "ping");
      next.server.write("pong");
      next.from_server += next.server.take_output();
      EXPECT_EQ(next.read_all(), "pong");
      resumable = next.session->take_resumable();
      ASSERT_NE(resumable, nullptr);
      next.server.send_close_notify();  // otherwise OpenSSL's server forgets the session
    }
    ASSERT_TRUE(first.session->write(as_bytes("still"), first.output.sink()));
    first.server.feed(as_bytes(first.output.take()));
    EXPECT_EQ(first.server.read(), "still");
  }
}

TEST_P(ClientSession, DoesNotResumeForAnotherNameOrByOtherRules) {
  const auto context = make_context(trusting_root());
  const auto take = [&](UpstreamConnection& connection) {
    EXPECT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    connection.server.write("hello");
    connection.from_server += connection.server.take_output();
    EXPECT_EQ(connection.read_all(), "hello");
    return connection.session->take_resumable();
  };
  UpstreamConnection first(context, "httpbin.example", serving(good_server()));
  UpstreamConnection other_name(context, "a.wild.example", take(first), first.server);
  auto resumable = take(other_name);
  EXPECT_FALSE(other_name.session->is_resumed());
  ASSERT_NE(resumable, nullptr);
  UpstreamConnection other_rules(make_context(trusting_root()), "a.wild.example", std::move(resumable), first.server);
  ASSERT_EQ(other_rules.handshake(), SessionStatus::ok) << other_rules.session->error_text();
  EXPECT_FALSE(other_rules.session->is_resumed());
}

TEST_P(ClientSession, ShakesHandsInFullWhenTheServerHasForgottenTheSession) {
  const auto context = make_context(trusting_root());
  UpstreamConnection first(context, "httpbin.example", serving(good_server()));
  ASSERT_EQ(first.handshake(), SessionStatus::ok) << first.session->error_text();
  first.server.write("hello");
  first.from_server += first.server.take_output();
  EXPECT_EQ(first.read_all(), "hello");
  test::OpensslServer restarted(serving(good_server()));
  UpstreamConnection next(context, "httpbin.example", first.session->take_resumable(), restarted);
  ASSERT_EQ(next.handshake(), SessionStatus::ok) << next.session->error_text();
  EXPECT_FALSE(next.session->is_resumed());
  ASSERT_NE(next.session->peer_certificate(), nullptr);
  // What another server has instead is verified as ever.
  UpstreamConnection again(context, "httpbin.example", serving(good_server()));
  ASSERT_EQ(again.handshake(), SessionStatus::ok);
  again.server.write("hello");
  again.from_server += again.server.take_output();
  EXPECT_EQ(again.read_all(), "hello");
  test::OpensslServer stranger(serving(test::rsa_2048()));
  UpstreamConnection refused(context, "httpbin.example", again.session->take_resumable(), stranger);
  EXPECT_EQ(refused.handshake(), SessionStatus::failed);
  EXPECT_EQ(refused.server.received_alert(), 48);
}

INSTANTIATE_TEST_SUITE_P(OverBothVersions, ClientSession, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& version) { return version.param == TLS1_3_VERSION ? "Tls13" : "Tls12"; });

TEST(OldVersions, AreRefusedByTheServerThatIsAsked) {
  snapshot::UpstreamTls upstream = trusting_root();
  UpstreamConnection connection(make_context(upstream), "httpbin.example",
                                {.min_version = TLS1_VERSION,
                                 .max_version = TLS1_1_VERSION,
                                 .certificate_pem = good_server().certificate,
                                 .key_pem = good_server().key});
  EXPECT_EQ(connection.handshake(), SessionStatus::failed);
  EXPECT_TRUE(connection.session->error_text().contains("protocol_version (70)")) << connection.session->error_text();
}

// --- Contexts --------------------------------------------------------------------------------------

TEST(ClientContext, SaysWhatCannotBeUsed) {
  ASSERT_TRUE(initialize().has_value());
  snapshot::UpstreamTls upstream = trusting_root();
  upstream.verification.ca_pem = "garbage";
  auto context = ClientContext::create(upstream);
  ASSERT_FALSE(context.has_value());
  EXPECT_EQ(context.error().message,
            "TLS of DestinationRule default/httpbin: istio-system/httpbin-cacert: ca.crt holds no PEM certificate "
            "('-----BEGIN CERTIFICATE-----')");
  upstream = trusting_root();
  auto pair = std::make_shared<snapshot::KeyPair>();
  pair->chain_pem = test::rsa_2048().certificate;
  pair->key_pem = test::other_rsa_2048().key;
  pair->secret_name = "istio-system/client";
  upstream.key_pair = pair;
  context = ClientContext::create(upstream);
  ASSERT_FALSE(context.has_value());
  EXPECT_TRUE(context.error().message.contains("httpbin: istio-system/client: tls.key does not belong to"))
      << context.error().message;
  EXPECT_FALSE(ClientContext::create(trusting_root(), {"h2,http/1.1"}).has_value());
}

TEST(ClientContext, UsesTheTrustStoreOfTheSystemWhenNoneIsConfigured) {
  ASSERT_TRUE(initialize().has_value());
  snapshot::UpstreamTls upstream;
  upstream.name = "DestinationRule default/httpbin";
  const auto context = ClientContext::create(upstream);
  if (!context) {  // a machine without ca-certificates
    EXPECT_TRUE(context.error().message.contains("install the package ca-certificates")) << context.error().message;
    return;
  }
  // It has not heard of our CA.
  UpstreamConnection connection(*context, "httpbin.example",
                                {.certificate_pem = good_server().certificate, .key_pem = good_server().key});
  EXPECT_EQ(connection.handshake(), SessionStatus::failed);
  EXPECT_TRUE(connection.session->error_text().contains("none of the CA certificates of the system"))
      << connection.session->error_text();
}

}  // namespace
}  // namespace sluice::tls
