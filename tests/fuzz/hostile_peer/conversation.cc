#include "conversation.h"

#include "base/check.h"

#include <cstdio>
#include <utility>

namespace sluice::fuzz {
namespace {

constexpr int kRoundsMax = 32;
constexpr int kActionsMax = 64;
constexpr size_t kWriteStep = 313;
constexpr size_t kWrittenBytesMax = 100'000;  // by each side

constexpr std::string_view kFatal = "\x02";

// Up to a bit more than two records.
size_t read_size(Program& program) {
  const size_t choice = program.byte();
  return choice < 128 ? choice : (choice - 127) * kWriteStep;
}

std::string text_of(size_t size, size_t begin) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>((begin + i) * 7 >> 3);
  return text;
}

}  // namespace

Conversation::Conversation(Program& program, Peer& peer, CheckedSession& session,
                           std::function<void(std::string_view ciphertext)> deliver, bool is_wanted)
    : program_(program),
      peer_(peer),
      editor_(program, peer),
      session_(session),
      deliver_(std::move(deliver)),
      is_wanted_(is_wanted) {}

// False: nothing was on its way.
bool Conversation::pass_on() {
  const std::string output = peer_.openssl().take_output();
  editor_.pass(output);
  if (output.empty()) editor_.flush();
  const std::string_view ciphertext = editor_.take();
  deliver_(ciphertext);
  const std::string answer = session_.take_output();
  peer_.openssl().feed(as_bytes(answer));
  return !output.empty() || !ciphertext.empty() || !answer.empty();
}

void Conversation::shake_hands() {
  for (int round = 0; round < kRoundsMax; ++round) {
    (void)peer_.openssl().handshake();
    if (!pass_on()) break;
  }
  if (session_.is_done()) check_handshake();
  if (!must_succeed()) return;
  if (!session_.is_done()) std::fprintf(stderr, "refused: %s\n", std::string(session_.get()->error_text()).c_str());
  CHECK(session_.is_done() && peer_.openssl().is_handshake_done());
}

void Conversation::exchange() {
  for (int round = 0; round < kRoundsMax; ++round) {
    received_by_peer_ += peer_.openssl().read();
    if (!pass_on()) break;
  }
  check_plaintext();
}

// --- Talk ------------------------------------------------------------------------------------------

void Conversation::talk() {
  exchange();
  for (int count = 0; count < kActionsMax && !program_.is_at_end(); ++count) {
    act();
    exchange();
  }
  let_peer_write();
  let_session_write();
  exchange();
}

void Conversation::act() {
  test::OpensslPeer& openssl = peer_.openssl();
  switch (program_.number(8)) {
    case 0: let_peer_write(); break;
    case 1: let_session_write(); break;
    case 2: editor_.inject(); break;
    case 3:
      if (openssl.is_handshake_done() && peer_.is_tls_1_3() && !peer_has_closed_) openssl.send_key_update();
      break;
    case 4:
      if (openssl.is_handshake_done()) {
        openssl.send_close_notify();
        peer_has_closed_ = true;
      }
      break;
    case 5:
      session_.close();
      session_has_closed_ = session_has_closed_ || session_.is_done();
      break;
    case 6:
      if (openssl.is_handshake_done() && !peer_.is_tls_1_3()) {
        is_wanted_ = false;
        (void)openssl.ask_for_renegotiation();
      }
      break;
    default:  // without waiting for what it leads to
      let_peer_write();
      let_session_write();
  }
}

void Conversation::let_peer_write() {
  const std::string text = text_of(1 + read_size(program_), sent_by_peer_.size());
  if (!peer_.openssl().is_handshake_done() || peer_has_closed_ || sent_by_peer_.size() > kWrittenBytesMax) return;
  if (peer_.write(text)) sent_by_peer_ += text;
}

void Conversation::let_session_write() {
  const std::string text = text_of(read_size(program_), sent_by_session_.size());
  if (session_has_closed_ || sent_by_session_.size() > kWrittenBytesMax) return;
  if (session_.write(text)) sent_by_session_ += text;
}

// --- What must be true -----------------------------------------------------------------------------

void Conversation::check_handshake() const {
  HandshakeStream arrived;
  // TLS 1.3 allows any number of these. Before there is a hello, nobody knows the version, and sluice has no session
  // yet (tls/client_hello): those do not count.
  int change_cipher_specs = 0;
  bool has_begun = false;
  for (const ArrivedRecord& record : editor_.wire().records(session_.handshake_bytes())) {
    switch (record.content.type) {
      case SSL3_RT_HANDSHAKE:
        has_begun = true;
        arrived.add(record.epoch, record.content.bytes);
        break;
      case SSL3_RT_CHANGE_CIPHER_SPEC: change_cipher_specs += has_begun ? 1 : 0; break;
      case SSL3_RT_ALERT: CHECK(!record.content.bytes.starts_with(kFatal)); break;
      default: UNREACHABLE();  // has no place in a handshake
    }
  }
  CHECK(editor_.handshake().agrees_until_finished(arrived));
  CHECK(peer_.is_tls_1_3() || change_cipher_specs == 1);
  // Whom the session believes to talk to, and how.
  CHECK(session_.get()->protocol_version() == peer_.openssl().version());
  CHECK(session_.get()->cipher_suite() == peer_.openssl().cipher());
}

void Conversation::check_plaintext() const {
  // Opaque records can only be those of the peer.
  const std::string expected = editor_.sees_everything() ? expected_plaintext() : sent_by_peer_;
  CHECK(expected.starts_with(session_.plaintext()));
  CHECK(sent_by_session_.starts_with(received_by_peer_));
  if (!must_succeed()) return;
  CHECK(session_.plaintext() == sent_by_peer_);
  CHECK(received_by_peer_ == sent_by_session_);
  CHECK(session_.is_closed() == peer_has_closed_);
  CHECK(!session_has_closed_ || peer_.openssl().got_close_notify());
}

// What has arrived until the peer closed, or until something that cannot be the peer's.
std::string Conversation::expected_plaintext() const {
  std::string expected;
  if (!session_.is_done()) return expected;
  const bool is_tls_1_3 = peer_.is_tls_1_3();
  for (const ArrivedRecord& record : editor_.wire().records(SIZE_MAX)) {
    if (record.end <= session_.handshake_bytes()) continue;
    const Content& content = record.content;
    if (is_tls_1_3 && record.epoch == kPlain && content.type == SSL3_RT_CHANGE_CIPHER_SPEC) continue;
    const bool is_close =
        content.type == SSL3_RT_ALERT && (content.bytes.starts_with(kFatal) || content.bytes.ends_with('\0'));
    if (record.epoch < (is_tls_1_3 ? kApplication : kHandshake) || is_close) break;
    if (content.type == SSL3_RT_APPLICATION_DATA) expected += content.bytes;
  }
  return expected;
}

}  // namespace sluice::fuzz
