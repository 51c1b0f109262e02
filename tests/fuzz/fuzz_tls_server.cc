// The server's side of TLS, with a hostile client. The first bytes of the input choose server and client; the rest is
// either what the client sends, as it is, or a program that changes what a client of OpenSSL sends
// (hostile_peer/conversation.h says what must then be true).
#include "hostile_peer/checked_session.h"
#include "hostile_peer/conversation.h"
#include "hostile_peer/credentials.h"
#include "hostile_peer/fixed_random.h"
#include "hostile_peer/program.h"
#include "hostile_peer/recording.h"

#include "base/check.h"
#include "tls/client_hello.h"
#include "tls/server_context.h"
#include "tls/ticket_keys.h"

#include <array>
#include <memory>
#include <optional>
#include <string>

using namespace sluice;
using fuzz::CheckedSession;
using fuzz::credentials;
using fuzz::Program;
using snapshot::ClientCertificates;

namespace {

const std::array<std::string, 5> kSuites{"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
                                         "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
                                         "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
                                         "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA",
                                         "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"};
const std::array<std::string, 3> kTls13Suites{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                              "TLS_CHACHA20_POLY1305_SHA256"};
constexpr size_t kHeadBytes = 2;  // of an input: they choose the server and how it is fed
constexpr const char* kOnlyRsa = "RSA-PSS+SHA256:RSA+SHA256";

// --- The server ------------------------------------------------------------------------------------

// Only a server that asks for no certificates gives tickets.
std::shared_ptr<tls::ServerContext> make_context(ClientCertificates mode) {
  snapshot::TlsServer server;
  server.settings.cipher_suites.clear();
  for (const std::string& suites : kSuites) {
    const size_t colon = suites.find(':');
    server.settings.cipher_suites.push_back(suites.substr(0, colon));
    server.settings.cipher_suites.push_back(suites.substr(colon + 1));
  }
  server.settings.alpn = {"h2", "http/1.1"};
  server.settings.client_certificates = mode;
  if (mode != ClientCertificates::none) {
    server.settings.client_verification = fuzz::verification(
        mode == ClientCertificates::required ? fuzz::Revocation::checked : fuzz::Revocation::not_checked);
  }
  const std::string staple =
      test::ocsp_response(credentials().server_ecdsa, {.next_update_seconds = 0, .serial = 1000});
  server.key_pairs = {fuzz::key_pair(credentials().server_ecdsa, staple), fuzz::key_pair(credentials().server_rsa)};
  snapshot::TicketKeys keys;
  keys.current = std::string(80, 'k');
  return *tls::ServerContext::create(server, *tls::TicketKeyring::create(keys));
}

const std::shared_ptr<tls::ServerContext>& context_of(ClientCertificates mode) {
  static const std::array contexts{make_context(ClientCertificates::none), make_context(ClientCertificates::optional),
                                   make_context(ClientCertificates::required)};
  return contexts[static_cast<size_t>(mode)];
}

// As the proxy does it: no session before there is a ClientHello. One that is refused there never gets to a session,
// but should it, the session must stand it too.
class Server {
 public:
  Server(ClientCertificates mode, bool has_pool, const CheckedSession::Feeding& feeding)
      : context_(*context_of(mode)), has_pool_(has_pool), session_(feeding) {}

  void receive(std::string_view ciphertext) {
    if (is_started_) {
      session_.receive(ciphertext);
      return;
    }
    first_bytes_ += ciphertext;
    tls::ClientHello hello;
    const tls::HelloStatus status = tls::read_client_hello(as_bytes(first_bytes_), hello);
    if (status == tls::HelloStatus::need_more) return;
    const tls::ClientHello unknown;
    is_started_ = true;
    session_.start(tls::Session::accept(context_, status == tls::HelloStatus::complete ? hello : unknown,
                                        has_pool_ ? &CheckedSession::pool() : nullptr, session_.waiter()));
    session_.receive(first_bytes_);
  }

  [[nodiscard]] CheckedSession& session() { return session_; }

 private:
  tls::ServerContext& context_;
  bool has_pool_;
  CheckedSession session_;
  std::string first_bytes_;
  bool is_started_ = false;
};

// --- The client ------------------------------------------------------------------------------------

struct Client {
  test::ClientOptions options;
  const test::Pem* certificate = nullptr;
  bool is_welcome = true;      // as far as its certificate goes
  bool is_well_served = true;  // there is nothing about it that the TLS library cannot cope with
};

// What a client has that comes back; made once, by a plain conversation.
const test::OpensslSession& first_session(int version) {
  const auto make = [](int of_version) {
    test::Connection connection(
        context_of(ClientCertificates::none),
        {.min_version = of_version, .max_version = of_version, .server_name = fuzz::kServerName});
    CHECK(connection.handshake() == tls::SessionStatus::ok);
    (void)connection.client.read();
    return connection.client.sessions().at(0);
  };
  static const test::OpensslSession of_1_2 = make(TLS1_2_VERSION);
  static const test::OpensslSession of_1_3 = make(TLS1_3_VERSION);
  return version == TLS1_2_VERSION ? of_1_2 : of_1_3;
}

// A copy, as OpenSSL gives up sessions whose connections end badly.
test::OpensslSession returning_session(int version, bool is_altered, Program& program) {
  const test::OpensslSession& first = first_session(version);
  if (!is_altered) return {SSL_SESSION_dup(first.get()), SSL_SESSION_free};
  std::string ticket = test::ticket_of(first);
  const size_t at = program.number(ticket.size());
  const size_t dropped = program.number(ticket.size() - at);
  ticket.replace(at, dropped, program.text(program.number(512)));
  if (ticket.empty()) ticket = "x";
  return test::with_ticket(first, ticket);
}

void choose_certificate(Client& client, ClientCertificates mode, size_t choice) {
  const fuzz::Credentials& all = credentials();
  const std::array<const test::Pem*, 5> certificates{&all.client, nullptr, &all.client_by_intermediate,
                                                     &all.client_of_others, &all.client_revoked};
  client.certificate = certificates[choice];
  if (client.certificate != nullptr) {
    client.options.certificate_pem = client.certificate->certificate;
    client.options.key_pem = client.certificate->key;
  }
  switch (mode) {
    case ClientCertificates::none: break;
    case ClientCertificates::optional: client.is_welcome = client.certificate != &all.client_of_others; break;
    case ClientCertificates::required: client.is_welcome = client.certificate == &all.client; break;
  }
}

Client make_client(Program& program, ClientCertificates mode) {
  Client client;
  const uint8_t kind = program.byte();
  client.options.server_name = fuzz::kServerName;
  client.options.max_version = (kind & 1) != 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
  const bool knows_only_rsa = (kind & 2) != 0;  // then it has no use for its own certificates, which are ECDSA
  if (knows_only_rsa) client.options.signature_algorithms = kOnlyRsa;
  if ((kind & 4) != 0) client.options.groups = "P-521:X25519";  // the first one is not ours: HelloRetryRequest
  if ((kind & 8) != 0) client.options.groups = "P-384:P-256";
  client.options.asks_for_status = (kind & 16) != 0;
  client.options.has_extended_master_secret = (kind & 32) == 0;
  if ((kind & 64) != 0)
    client.options.session = returning_session(client.options.max_version, (kind & 128) != 0, program);
  const uint8_t choices = program.byte();
  client.options.tls12_ciphers = kSuites[choices % kSuites.size()] + ":@SECLEVEL=0";
  client.options.tls13_ciphers = kTls13Suites[choices % kTls13Suites.size()];
  // The suite is not that of its session, and it is asked for another key share: the second ClientHello is without the
  // session, which wolfSSL remembers from the first one.
  const bool is_confusing = (kind & 4) != 0 && (kind & 64) != 0 && choices % kTls13Suites.size() == 1;
  // RFC 7627 5.3: a session that began with the extended master secret is not resumed without it.
  const bool lacks_master_secret = (kind & 64) != 0 && !client.options.has_extended_master_secret;
  client.is_well_served = client.options.max_version == TLS1_2_VERSION ? !lacks_master_secret : !is_confusing;
  choose_certificate(client, mode, knows_only_rsa ? 1 : (choices >> 4) % 5);
  if ((choices & 8) != 0) client.options.alpn = {"http/1.1", "h2"};
  return client;
}

// --- Both ------------------------------------------------------------------------------------------

// With a client that nobody has seen: whatever it sends, `program` is.
void take_as_it_is(Server& server, Program& program) {
  server.receive(program.rest());
  (void)server.session().write("answer");
  server.session().close();
}

void converse(Server& server, ClientCertificates mode, Program& program, std::string_view input, bool can_wait) {
  const Client with = make_client(program, mode);
  test::OpensslClient client(with.options);
  fuzz::Peer peer(client, true);
  CheckedSession& session = server.session();
  fuzz::Conversation conversation(
      program, peer, session, [&](std::string_view ciphertext) { server.receive(ciphertext); },
      with.is_welcome && with.is_well_served && can_wait);
  conversation.shake_hands();
  if (session.is_done()) {
    CHECK(with.is_welcome);
    const tls::PeerCertificate* shown = session.get()->peer_certificate();
    const bool was_asked = mode != ClientCertificates::none && with.certificate != nullptr;
    CHECK((shown != nullptr) == was_asked);
    if (shown != nullptr) CHECK(as_text(shown->der()) == test::der_of(with.certificate->certificate));
    const std::string_view alpn = session.get()->alpn_protocol();
    CHECK(alpn == (with.options.alpn.empty() ? "" : "h2"));
  }
  conversation.talk();
  fuzz::record(std::string(input.substr(0, kHeadBytes)), conversation.wire());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const bool is_ready = [] {
    (void)first_session(TLS1_2_VERSION);
    return true;
  }();
  CHECK(is_ready);
  fuzz::restart_random(2);
  Program program(input);
  const uint8_t kind = program.byte();
  const auto mode = static_cast<ClientCertificates>((kind >> 2) % 3);
  const CheckedSession::Feeding feeding = CheckedSession::read_feeding(program);
  Server server(mode, (kind & 2) != 0, feeding);
  if ((kind & 1) != 0)
    take_as_it_is(server, program);
  else
    converse(server, mode, program, input, !feeding.leaves_while_waiting);
  return 0;
}
