// The client's side of TLS, with a hostile server. The first bytes of the input choose client and server; the rest is
// either what the server sends, as it is, or a program that changes what a server of OpenSSL sends
// (hostile_peer/conversation.h says what must then be true).
#include "hostile_peer/checked_session.h"
#include "hostile_peer/conversation.h"
#include "hostile_peer/credentials.h"
#include "hostile_peer/fixed_random.h"
#include "hostile_peer/program.h"
#include "hostile_peer/recording.h"

#include "unit/tls/openssl_server.h"

#include "base/check.h"
#include "tls/client_context.h"
#include "tls/server_context.h"

#include <array>
#include <memory>
#include <string>
#include <utility>

using namespace sluice;
using fuzz::CheckedSession;
using fuzz::credentials;
using fuzz::Program;

namespace {

constexpr size_t kHeadBytes = 2;  // of an input: they choose the client and how it is fed

// --- The client ------------------------------------------------------------------------------------

enum class Trust : uint8_t { ca, ca_and_list, pinned, nobody_asked };
constexpr size_t kTrusts = 4;

std::shared_ptr<tls::ClientContext> make_context(Trust trust, bool has_certificate) {
  snapshot::UpstreamTls upstream;
  upstream.name = "DestinationRule default/fuzz";
  upstream.verifies = trust != Trust::nobody_asked;
  upstream.verification =
      fuzz::verification(trust == Trust::ca_and_list ? fuzz::Revocation::checked : fuzz::Revocation::not_checked);
  if (trust == Trust::pinned) {
    upstream.verification.certificate_hashes = {test::certificate_hash(credentials().server_ecdsa.certificate)};
  }
  if (has_certificate) upstream.key_pair = fuzz::key_pair(credentials().client);
  return *tls::ClientContext::create(upstream, {"h2", "http/1.1"});
}

tls::ClientContext& context_of(Trust trust, bool has_certificate) {
  static const auto contexts = [] {
    std::array<std::shared_ptr<tls::ClientContext>, 2 * kTrusts> made;
    for (size_t i = 0; i < made.size(); ++i) made[i] = make_context(static_cast<Trust>(i / 2), i % 2 != 0);
    return made;
  }();
  return *contexts[2 * static_cast<size_t>(trust) + (has_certificate ? 1 : 0)];
}

struct Client {
  Trust trust;
  bool has_certificate;
  bool has_pool;
  std::string server_name = fuzz::kServerName;

  [[nodiscard]] std::unique_ptr<tls::Session> connect(CheckedSession& session,
                                                      std::unique_ptr<tls::ResumableSession> resumable) const {
    return tls::Session::connect(context_of(trust, has_certificate), server_name, std::move(resumable),
                                 has_pool ? &CheckedSession::pool() : nullptr, session.waiter());
  }
};

// --- The server ------------------------------------------------------------------------------------

struct Server {
  test::ServerOptions options;
  const test::Pem* certificate;
  bool is_coming_back = false;  // the client has been here before

  [[nodiscard]] bool is_trusted_by(const Client& client) const {
    const fuzz::Credentials& all = credentials();
    const bool has_name = client.server_name != "wrong.test";
    switch (client.trust) {
      case Trust::ca: return has_name && certificate != &all.server_of_others;
      case Trust::ca_and_list: return has_name && (certificate == &all.server_ecdsa || certificate == &all.server_rsa);
      case Trust::pinned: return has_name && certificate == &all.server_ecdsa;
      case Trust::nobody_asked: return true;
    }
    return false;
  }
  [[nodiscard]] bool takes(const Client& client) const {
    return client.has_certificate || options.client_ca_pem.empty();
  }
};

Server make_server(Program& program) {
  const fuzz::Credentials& all = credentials();
  const std::array<const test::Pem*, 4> certificates{&all.server_ecdsa, &all.server_rsa, &all.server_by_intermediate,
                                                     &all.server_of_others};
  const uint8_t kind = program.byte();
  Server server;
  server.certificate = certificates[kind & 3];
  server.options.certificate_pem = server.certificate->certificate;
  server.options.key_pem = server.certificate->key;
  if ((kind & 4) != 0) server.options.max_version = TLS1_2_VERSION;
  if ((kind & 8) != 0) server.options.client_ca_pem = all.ca_pem;
  server.options.has_tickets = (kind & 16) == 0;
  server.is_coming_back = (kind & 32) != 0;
  constexpr std::array<const char*, 4> protocols{"", "h2", "http/1.1", "spdy/1"};
  server.options.alpn = protocols[kind >> 6];
  return server;
}

// --- Both ------------------------------------------------------------------------------------------

// With a server that nobody has seen: whatever it sends, `program` is.
void take_as_it_is(const Client& client, const CheckedSession::Feeding& feeding, Program& program) {
  CheckedSession session(feeding);
  session.start(client.connect(session, nullptr));
  session.receive("");
  session.receive(program.rest());
  (void)session.write("question");
  if (session.is_done()) (void)session.get()->take_resumable();
  session.close();
}

// What a plain conversation with the same server has left; null: nothing.
std::unique_ptr<tls::ResumableSession> visit(const Client& client, test::OpensslServer& openssl,
                                             const CheckedSession::Feeding& feeding = {}) {
  Program nothing("");
  fuzz::Peer peer(openssl, false);
  CheckedSession session(feeding);
  session.start(client.connect(session, nullptr));
  fuzz::Conversation conversation(
      nothing, peer, session, [&](std::string_view ciphertext) { session.receive(ciphertext); }, false);
  conversation.shake_hands();
  conversation.talk();
  return session.is_done() ? session.get()->take_resumable() : nullptr;
}

void check_whom_it_talks_to(const tls::Session& session, const Client& client, const Server& server) {
  CHECK(server.is_trusted_by(client));
  // In TLS 1.3 the server looks at the client's certificate when the client is done.
  CHECK(server.takes(client) || session.protocol_version() == "TLSv1.3");
  const tls::PeerCertificate* shown = session.peer_certificate();
  CHECK((shown != nullptr) == (client.trust != Trust::nobody_asked));
  if (shown != nullptr) CHECK(as_text(shown->der()) == test::der_of(server.options.certificate_pem));
  const std::string_view alpn = session.alpn_protocol();
  CHECK(alpn.empty() || alpn == server.options.alpn);
}

void converse(const Client& client, const CheckedSession::Feeding& feeding, Program& program, std::string_view input) {
  const Server with = make_server(program);
  auto openssl = std::make_unique<test::OpensslServer>(with.options);
  std::unique_ptr<tls::ResumableSession> resumable;
  std::unique_ptr<test::OpensslServer> first;
  if (with.is_coming_back) {
    resumable = visit(client, *openssl);
    first = std::exchange(openssl, std::make_unique<test::OpensslServer>(*openssl));
  }
  fuzz::Peer peer(*openssl, false);
  CheckedSession session(feeding);
  session.start(client.connect(session, std::move(resumable)));
  const bool is_wanted = with.is_trusted_by(client) && with.takes(client) && !feeding.leaves_while_waiting;
  fuzz::Conversation conversation(
      program, peer, session, [&](std::string_view ciphertext) { session.receive(ciphertext); }, is_wanted);
  conversation.shake_hands();
  if (session.is_done()) check_whom_it_talks_to(*session.get(), client, with);
  conversation.talk();
  if (session.is_done()) (void)session.get()->take_resumable();
  fuzz::record(std::string(input.substr(0, kHeadBytes)), conversation.wire());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const bool is_ready = [] {
    // What the libraries keep for the whole process is no session's.
    const fuzz::Credentials& all = credentials();
    test::OpensslServer server({.certificate_pem = all.server_ecdsa.certificate, .key_pem = all.server_ecdsa.key});
    return visit({.trust = Trust::ca, .has_certificate = false, .has_pool = false}, server,
                 {.heap_bytes_max = PTRDIFF_MAX}) != nullptr;
  }();
  CHECK(is_ready);
  fuzz::restart_random(2);
  Program program(input);
  const uint8_t kind = program.byte();
  const Client client{.trust = static_cast<Trust>((kind >> 1) & 3),
                      .has_certificate = (kind & 8) != 0,
                      .has_pool = (kind & 16) != 0,
                      .server_name = (kind & 32) != 0   ? "wrong.test"
                                     : (kind & 64) != 0 ? "192.0.2.1"
                                                        : fuzz::kServerName};
  const CheckedSession::Feeding feeding = CheckedSession::read_feeding(program);
  if ((kind & 1) != 0)
    take_as_it_is(client, feeding, program);
  else
    converse(client, feeding, program, input);
  return 0;
}
