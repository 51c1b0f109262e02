// Sessions that come back with a ticket, with OpenSSL as the client.
#include "connection.h"

#include "base/limits.h"
#include "base/random.h"
#include "tls/ticket_binding.h"
#include "tls/ticket_keys.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::tls {
namespace {

using namespace std::chrono_literals;
using test::ClientOptions;
using test::Connection;
using test::OpensslSession;

WallTime now() { return std::chrono::system_clock::now(); }

std::shared_ptr<TicketKeyring> own_keys(WallTime since = now()) { return *TicketKeyring::create(since); }

std::shared_ptr<TicketKeyring> secret_keys(const std::string& current, const std::string& previous = {}) {
  snapshot::TicketKeys keys;
  keys.current = current;
  keys.previous = previous;
  return *TicketKeyring::create(keys);
}

snapshot::TlsServer a_server(const snapshot::TlsSettings& settings = test::five_suites()) {
  return test::server(settings, test::rsa_2048().certificate, test::rsa_2048().key);
}

std::shared_ptr<ServerContext> context_of(const snapshot::TlsServer& server, std::shared_ptr<TicketKeyring> keyring) {
  EXPECT_TRUE(initialize());
  auto context = ServerContext::create(server, std::move(keyring));
  if (!context) throw std::runtime_error(context.error().message);
  return *context;
}

struct Outcome {
  SessionStatus status;
  bool resumed;
  std::vector<OpensslSession> sessions;
  std::string alpn;
  std::string cipher;
  std::string error;
  int alert;
};

// A whole connection: handshake, a byte each way (in TLS 1.3 that brings the tickets), close.
Outcome connect(const std::shared_ptr<ServerContext>& context, const ClientOptions& options) {
  Connection connection(context, options);
  const SessionStatus status = connection.handshake();
  if (status == SessionStatus::ok) {
    EXPECT_TRUE(connection.session->write(as_bytes("!"), connection.output.sink()));
    connection.client.feed(as_bytes(connection.output.take()));
    EXPECT_EQ(connection.client.read(), "!");
    connection.client.write("?");
    connection.from_client += connection.client.take_output();
    EXPECT_EQ(connection.read_all(), "?");
    EXPECT_EQ(connection.session->is_resumed(), connection.client.is_resumed());
    connection.client.send_close_notify();
  }
  return {.status = status,
          .resumed = connection.session->is_resumed(),
          .sessions = connection.client.sessions(),
          .alpn = connection.client.alpn(),
          .cipher = connection.client.cipher(),
          .error = std::string(connection.session->error_text()),
          .alert = connection.client.received_alert()};
}

// Both versions, as the client's.
class Resumption : public testing::TestWithParam<int> {
 protected:
  [[nodiscard]] static bool is_tls_1_3() { return GetParam() == TLS1_3_VERSION; }
  [[nodiscard]] static ClientOptions options(OpensslSession session = nullptr) {
    return {.min_version = GetParam(), .max_version = GetParam(), .session = std::move(session)};
  }

  static OpensslSession first_session(const std::shared_ptr<ServerContext>& context, ClientOptions with = options()) {
    Outcome first = connect(context, with);
    EXPECT_EQ(first.status, SessionStatus::ok) << first.error;
    EXPECT_FALSE(first.resumed);
    EXPECT_EQ(first.sessions.size(), is_tls_1_3() ? 2U : 1U);
    return first.sessions.empty() ? nullptr : first.sessions.front();
  }

  // The handshake succeeds either way.
  static bool resumes(const std::shared_ptr<ServerContext>& context, const OpensslSession& session) {
    const Outcome outcome = connect(context, options(session));
    EXPECT_EQ(outcome.status, SessionStatus::ok) << outcome.error;
    return outcome.resumed;
  }

  // A full handshake after which the client has a ticket that is good.
  static bool starts_anew(const std::shared_ptr<ServerContext>& context, const OpensslSession& session) {
    Outcome outcome = connect(context, options(session));
    EXPECT_EQ(outcome.status, SessionStatus::ok) << outcome.error;
    if (outcome.resumed || outcome.sessions.empty()) return false;
    return resumes(context, outcome.sessions.front());
  }
};

INSTANTIATE_TEST_SUITE_P(Versions, Resumption, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& version) { return version.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

TEST_P(Resumption, SavesTheClientTheCertificate) {
  const auto context = context_of(a_server(), own_keys());
  const OpensslSession session = first_session(context);
  Connection connection(context, options(session));
  ASSERT_EQ(connection.handshake(), SessionStatus::ok);
  EXPECT_TRUE(connection.session->is_resumed());
  EXPECT_TRUE(connection.client.is_resumed());
}

TEST_P(Resumption, IsOffWithoutKeys) {
  const Outcome outcome = connect(context_of(a_server(), nullptr), options());
  EXPECT_EQ(outcome.status, SessionStatus::ok);
  EXPECT_TRUE(
      std::ranges::all_of(outcome.sessions, [](const auto& s) { return SSL_SESSION_has_ticket(s.get()) == 0; }));
}

TEST_P(Resumption, WorksForEveryTicketOfAConnectionAndForTicketsOfResumedOnes) {
  const auto context = context_of(a_server(), own_keys());
  for (OpensslSession session : connect(context, options()).sessions) {
    for (int i = 0; i < 3; ++i) {
      const Outcome outcome = connect(context, options(session));
      ASSERT_EQ(outcome.status, SessionStatus::ok) << outcome.error;
      EXPECT_TRUE(outcome.resumed);
      if (!is_tls_1_3()) break;  // the client keeps its ticket
      ASSERT_EQ(outcome.sessions.size(), 1U);
      session = outcome.sessions.front();
    }
  }
}

TEST_P(Resumption, WorksInAnotherProcessWithTheSameSecret) {
  for (const size_t size : {48U, 80U}) {
    const std::string key = test::random_text(size, size);
    const auto one = context_of(a_server(), secret_keys(key));
    const auto other = context_of(a_server(), secret_keys(key));
    EXPECT_TRUE(resumes(other, first_session(one)));
  }
}

TEST_P(Resumption, WorksAcrossAChangeOfTheSecretAndNotLonger) {
  const std::string first = test::random_text(48, 1);
  const std::string second = test::random_text(80, 2);
  const OpensslSession session = first_session(context_of(a_server(), secret_keys(first)));
  const auto changed = context_of(a_server(), secret_keys(second, first));
  Outcome outcome = connect(changed, options(session));
  EXPECT_TRUE(outcome.resumed);
  // The client has a ticket under the new key now, for when the old one is gone.
  const auto later = context_of(a_server(), secret_keys(second));
  ASSERT_EQ(outcome.sessions.size(), 1U);
  EXPECT_TRUE(resumes(later, outcome.sessions.front()));
  EXPECT_TRUE(starts_anew(later, session));
}

TEST_P(Resumption, OutlivesOneRotationOfTheProcessesOwnKeysAndNotTwo) {
  const auto keyring = own_keys(now() - 30min);
  const auto context = context_of(a_server(), keyring);
  const OpensslSession session = first_session(context);
  keyring->rotate(now() + 35min);
  EXPECT_TRUE(resumes(context, session));
  keyring->rotate(now() + 35min + limits::ticket_key_lifetime);
  EXPECT_TRUE(starts_anew(context, session));
}

TEST_P(Resumption, DoesNotWorkInAnotherProcessWithKeysOfItsOwn) {
  EXPECT_TRUE(starts_anew(context_of(a_server(), own_keys()), first_session(context_of(a_server(), own_keys()))));
}

// --- age ---

// What the ticket of `session` says about its age, and the session with a ticket that says something else.
class TicketOfServer {
 public:
  TicketOfServer(std::shared_ptr<TicketKeyring> keyring, const snapshot::TlsServer& server)
      : keyring_(std::move(keyring)), binding_(*ticket_binding(server)) {}

  WallTime authenticated_at(const OpensslSession& session) { return open(test::ticket_of(session)); }

  OpensslSession with_time(const OpensslSession& session, WallTime authenticated_at) {
    std::string ticket = test::ticket_of(session);
    open(ticket);
    EXPECT_TRUE(keyring_->seal(binding_, authenticated_at, now(), fields(ticket), encrypted(ticket), state_size_));
    return test::with_ticket(session, ticket);
  }

 private:
  static MutableBytes bytes(std::string& ticket) { return std::as_writable_bytes(std::span(ticket)); }
  static MutableBytes encrypted(std::string& ticket) { return bytes(ticket).subspan(34, ticket.size() - 34 - 32); }
  static TicketFields fields(std::string& ticket) {
    return {.name = bytes(ticket).first<16>(), .iv = bytes(ticket).subspan<16, 16>(), .mac = bytes(ticket).last<32>()};
  }
  WallTime open(std::string& ticket) {
    const auto opened = keyring_->open(binding_, now(), fields(ticket), encrypted(ticket));
    EXPECT_EQ(opened.status, TicketKeyring::OpenStatus::opened);
    state_size_ = opened.state_size;
    return opened.authenticated_at;
  }
  WallTime open(std::string&& ticket) { return open(ticket); }

  std::shared_ptr<TicketKeyring> keyring_;
  TicketBinding binding_;
  size_t state_size_ = 0;
};

TEST_P(Resumption, EndsALimitedTimeAfterTheFullHandshakeHoweverOftenTheTicketIsRenewed) {
  const std::string key = test::random_text(80, 1);
  const std::string next = test::random_text(80, 2);
  const auto context = context_of(a_server(), secret_keys(key));
  TicketOfServer tickets(secret_keys(key), a_server());
  TicketOfServer next_tickets(secret_keys(next), a_server());
  const OpensslSession session = first_session(context);
  EXPECT_NEAR(static_cast<double>((now() - tickets.authenticated_at(session)) / 1s), 0, 5);

  const auto almost = std::chrono::floor<std::chrono::seconds>(now() - limits::session_lifetime + 5min);
  const Outcome outcome =
      connect(context_of(a_server(), secret_keys(next, key)), options(tickets.with_time(session, almost)));
  EXPECT_TRUE(outcome.resumed);
  ASSERT_EQ(outcome.sessions.size(), 1U);
  EXPECT_EQ(next_tickets.authenticated_at(outcome.sessions.front()), almost);

  EXPECT_TRUE(starts_anew(context, tickets.with_time(session, now() - limits::session_lifetime - 2s)));
}

// --- what it is bound to ---

TEST_P(Resumption, DoesNotWorkAtAServerWithAnotherCertificate) {
  const auto keyring = own_keys();
  snapshot::TlsServer other =
      test::server(test::five_suites(), test::other_rsa_2048().certificate, test::other_rsa_2048().key);
  auto pair = std::make_shared<snapshot::KeyPair>();
  pair->chain_pem = test::other_rsa_2048().certificate;
  pair->key_pem = test::other_rsa_2048().key;
  pair->secret_name = "istio-system/other-certs";
  other.key_pairs = {std::move(pair)};
  EXPECT_TRUE(starts_anew(context_of(other, keyring), first_session(context_of(a_server(), keyring))));
}

TEST_P(Resumption, OutlivesTheRenewalOfTheCertificate) {
  const auto keyring = own_keys();
  const snapshot::TlsServer renewed =
      test::server(test::five_suites(), test::other_rsa_2048().certificate, test::other_rsa_2048().key);
  EXPECT_TRUE(resumes(context_of(renewed, keyring), first_session(context_of(a_server(), keyring))));
}

TEST_P(Resumption, DoesNotWorkAtAServerWithOtherSuites) {
  const auto keyring = own_keys();
  snapshot::TlsSettings fewer = test::five_suites();
  fewer.cipher_suites.resize(2);
  EXPECT_TRUE(starts_anew(context_of(a_server(fewer), keyring), first_session(context_of(a_server(), keyring))));
}

TEST_P(Resumption, IsOffInBothDirectionsAtAServerThatAsksForClientCertificates) {
  const auto keyring = own_keys();
  snapshot::TlsSettings asks = test::five_suites();
  asks.client_certificates = snapshot::ClientCertificates::optional;
  asks.client_verification.emplace().ca_pem = test::rsa_2048().certificate;
  const auto context = context_of(a_server(asks), keyring);
  const Outcome outcome = connect(context, options());
  EXPECT_EQ(outcome.status, SessionStatus::ok) << outcome.error;
  EXPECT_TRUE(
      std::ranges::all_of(outcome.sessions, [](const auto& s) { return SSL_SESSION_has_ticket(s.get()) == 0; }));
  EXPECT_FALSE(resumes(context, first_session(context_of(a_server(), keyring))));
}

TEST(TicketBinding, DiffersWithEveryDemandOnTheClient) {
  std::vector<snapshot::TlsServer> servers;
  const auto add = [&servers](auto change) {
    snapshot::TlsServer server = a_server();
    server.settings.client_certificates = snapshot::ClientCertificates::required;
    server.settings.client_verification.emplace().ca_pem = "CA";
    change(server.settings);
    servers.push_back(std::move(server));
  };
  add([](auto&) {});
  add([](auto& settings) { settings.client_certificates = snapshot::ClientCertificates::optional; });
  add([](auto& settings) {
    settings.client_certificates = snapshot::ClientCertificates::none;
    settings.client_verification.reset();
  });
  add([](auto& settings) { settings.client_verification->ca_pem = "CA2"; });
  add([](auto& settings) { settings.client_verification->crl_pem = "CRL"; });
  add([](auto& settings) { settings.client_verification->subject_alt_names = {"a", "b"}; });
  add([](auto& settings) { settings.client_verification->subject_alt_names = {"ab"}; });
  add([](auto& settings) { settings.client_verification->public_key_hashes = {{1}}; });
  add([](auto& settings) { settings.client_verification->certificate_hashes = {{1}}; });
  std::vector<TicketBinding> bindings;
  for (const auto& server : servers) bindings.push_back(*ticket_binding(server));
  std::ranges::sort(bindings);
  EXPECT_TRUE(std::ranges::adjacent_find(bindings) == bindings.end());
}

// --- the rest of the handshake ---

TEST_P(Resumption, ChoosesTheProtocolAgain) {
  snapshot::TlsSettings settings = test::five_suites();
  settings.alpn = {"h2", "http/1.1"};
  const auto context = context_of(a_server(settings), own_keys());
  ClientOptions with = options();
  with.alpn = {"http/1.1"};
  const OpensslSession session = first_session(context, with);
  with.session = session;
  with.alpn = {"http/1.1", "h2"};
  const Outcome outcome = connect(context, with);
  EXPECT_EQ(outcome.status, SessionStatus::ok) << outcome.error;
  EXPECT_TRUE(outcome.resumed);
  EXPECT_EQ(outcome.alpn, "h2");
}

TEST_P(Resumption, WorksWithATicketInPieces) {
  const auto context = context_of(a_server(), own_keys());
  Connection connection(context, options(first_session(context)));
  ASSERT_EQ(connection.handshake(1), SessionStatus::ok);
  EXPECT_TRUE(connection.session->is_resumed());
}

TEST(Resumption12, FailsForAClientThatNoLongerOffersTheSessionsSuite) {
  const auto context = context_of(a_server(), own_keys());
  ClientOptions options{.max_version = TLS1_2_VERSION, .tls12_ciphers = "ECDHE-RSA-AES128-GCM-SHA256"};
  options.session = connect(context, options).sessions.at(0);
  options.tls12_ciphers = "ECDHE-RSA-AES256-GCM-SHA384";
  // RFC 5246 7.4.1.2: it must.
  const Outcome outcome = connect(context, options);
  EXPECT_FALSE(outcome.resumed);
  EXPECT_EQ(outcome.status, SessionStatus::failed);
}

TEST(Resumption12, KeepsTheSuiteOfTheSession) {
  const auto context = context_of(a_server(), own_keys());
  for (const std::string& suite : test::five_suites().cipher_suites) {
    ClientOptions options{.max_version = TLS1_2_VERSION, .tls12_ciphers = suite + ":@SECLEVEL=0"};
    options.session = connect(context, options).sessions.at(0);
    options.tls12_ciphers = "ALL:@SECLEVEL=0";
    const Outcome outcome = connect(context, options);
    EXPECT_TRUE(outcome.resumed);
    EXPECT_EQ(outcome.cipher, suite);
  }
}

TEST(Resumption12, NeedsTheExtendedMasterSecretOnBothSidesOfIt) {
  const auto context = context_of(a_server(), own_keys());
  ClientOptions options{.max_version = TLS1_2_VERSION};
  options.session = connect(context, options).sessions.at(0);
  options.has_extended_master_secret = false;
  const Outcome refused = connect(context, options);  // RFC 7627 5.3: must abort
  EXPECT_EQ(refused.status, SessionStatus::failed);
  EXPECT_TRUE(refused.error.contains("without the extended master secret")) << refused.error;

  ClientOptions without{.max_version = TLS1_2_VERSION, .has_extended_master_secret = false};
  without.session = connect(context, without).sessions.at(0);
  EXPECT_TRUE(connect(context, without).resumed);
  without.has_extended_master_secret = true;
  const Outcome outcome = connect(context, without);  // RFC 7627 5.3: a full handshake
  EXPECT_EQ(outcome.status, SessionStatus::ok) << outcome.error;
  EXPECT_FALSE(outcome.resumed);
}

TEST(Resumption12, IsNotTriedWithASessionOfTheOtherVersion) {
  const auto context = context_of(a_server(), own_keys());
  const OpensslSession old = connect(context, {.max_version = TLS1_2_VERSION}).sessions.at(0);
  const OpensslSession young = connect(context, {.min_version = TLS1_3_VERSION}).sessions.at(0);
  // A client that may do both offers a TLS 1.2 ticket, and the server chooses 1.3.
  const Outcome upgraded = connect(context, {.session = old});
  EXPECT_EQ(upgraded.status, SessionStatus::ok) << upgraded.error;
  EXPECT_FALSE(upgraded.resumed);
  const Outcome mixed = connect(context, {.session = young});
  EXPECT_TRUE(mixed.resumed);
}

// A client that was at another gateway of this name before.
TEST(Resumption12, IgnoresForeignTicketsOfAnySizeAndGivesANewOne) {
  const auto context = context_of(a_server(), own_keys());
  const OpensslSession session = connect(context, {.max_version = TLS1_2_VERSION}).sessions.at(0);
  for (const int max_version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (size_t size = 1; size < 5'000; size += size < 260 ? 1 : 997) {
      const OpensslSession foreign = test::with_ticket(session, test::random_text(size, size));
      const Outcome outcome = connect(context, {.max_version = max_version, .session = foreign});
      ASSERT_EQ(outcome.status, SessionStatus::ok) << size << ": " << outcome.error;
      EXPECT_FALSE(outcome.resumed);
      EXPECT_FALSE(outcome.sessions.empty());
    }
  }
}

TEST(Resumption13, WorksWithAnotherGroupThanBefore) {
  const auto context = context_of(a_server(), own_keys());
  ClientOptions options{.min_version = TLS1_3_VERSION, .groups = "P-256"};
  for (const std::string groups : {"X25519", "P-384:X25519", "X25519:P-256"}) {
    options.groups = "P-256";
    options.session = nullptr;
    options.session = connect(context, options).sessions.at(0);
    options.groups = groups;
    const Outcome outcome = connect(context, options);
    EXPECT_EQ(outcome.status, SessionStatus::ok) << groups << ": " << outcome.error;
    EXPECT_TRUE(outcome.resumed) << groups;
  }
}

TEST(Resumption13, WorksAfterAHelloRetryRequest) {
  const auto context = context_of(a_server(), own_keys());
  // OpenSSL sends a share for its first group, which the server does not have.
  ClientOptions options{.min_version = TLS1_3_VERSION, .groups = "P-521:P-256"};
  options.session = connect(context, options).sessions.at(0);
  const Outcome outcome = connect(context, options);
  EXPECT_EQ(outcome.status, SessionStatus::ok) << outcome.error;
  EXPECT_TRUE(outcome.resumed);
}

TEST(Resumption13, DoesAFullHandshakeWithAnotherSuite) {
  const auto context = context_of(a_server(), own_keys());
  ClientOptions options{.min_version = TLS1_3_VERSION, .tls13_ciphers = "TLS_AES_128_GCM_SHA256"};
  options.session = connect(context, options).sessions.at(0);
  options.tls13_ciphers = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
  const Outcome outcome = connect(context, options);
  EXPECT_EQ(outcome.status, SessionStatus::ok) << outcome.error;
  EXPECT_FALSE(outcome.resumed);
}

// --- hostile tickets ---

TEST_P(Resumption, DoesAFullHandshakeForATicketWithAnyByteChanged) {
  const auto context = context_of(a_server(), own_keys());
  const OpensslSession session = first_session(context);
  const std::string ticket = test::ticket_of(session);
  for (size_t i = 0; i < ticket.size(); ++i) {
    std::string changed = ticket;
    changed[i] = static_cast<char>(changed[i] ^ 0x40);
    EXPECT_FALSE(resumes(context, test::with_ticket(session, changed))) << "byte " << i;
  }
}

TEST_P(Resumption, DoesAFullHandshakeForATicketOfAnyOtherLength) {
  const auto context = context_of(a_server(), own_keys());
  const OpensslSession session = first_session(context);
  const std::string ticket = test::ticket_of(session);
  for (size_t size = 1; size < ticket.size(); ++size)
    EXPECT_FALSE(resumes(context, test::with_ticket(session, ticket.substr(0, size)))) << size;
  for (size_t more = 1; more < 60; ++more)
    EXPECT_FALSE(resumes(context, test::with_ticket(session, ticket + std::string(more, 'x')))) << more;
}

TEST_P(Resumption, SurvivesRandomTicketsUnderTheNameOfAKey) {
  const auto context = context_of(a_server(), own_keys());
  const OpensslSession session = first_session(context);
  const std::string name = test::ticket_of(session).substr(0, 16);
  Random random(11);
  for (unsigned i = 0; i < 300; ++i) {
    std::string ticket = name + test::random_text(50 + random.below(200), i);
    // The length inside: mostly one that could be.
    ticket[32] = '\0';
    if (random.below(4) != 0) ticket[33] = static_cast<char>(76 + random.below(40));
    EXPECT_FALSE(resumes(context, test::with_ticket(session, ticket))) << i;
  }
}

}  // namespace
}  // namespace sluice::tls
