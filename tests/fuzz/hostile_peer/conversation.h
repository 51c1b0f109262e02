// A peer of OpenSSL and the session under test, with the editor between them: handshake, then talk, all as the
// fuzzer's program says. And what must then be true: a handshake of which a single message was changed is never
// finished, and what is delivered is what was sent.
//
// Harmless, and for that reason no obstacle to a finished handshake, are: where records begin and end, their version
// while they are not protected, ChangeCipherSpec in TLS 1.3 (RFC 8446 D.4), alerts that are only warnings, and
// HelloRequest (RFC 5246 7.4.1.1). Everything else in a handshake is authenticated by Finished.
#pragma once

#include "checked_session.h"
#include "editor.h"
#include "peer.h"
#include "program.h"

#include <functional>
#include <string>

namespace sluice::fuzz {

class Conversation {
 public:
  // `deliver` gives the session what came over the wire. `is_wanted`: if the program changes nothing, the session
  // must finish the handshake, and everything must arrive.
  Conversation(Program& program, Peer& peer, CheckedSession& session,
               std::function<void(std::string_view ciphertext)> deliver, bool is_wanted);

  void shake_hands();
  // One thing after the other, until the program ends.
  void talk();

  [[nodiscard]] const Wire& wire() const { return editor_.wire(); }

 private:
  [[nodiscard]] bool must_succeed() const { return is_wanted_ && editor_.is_faithful(); }
  void act();
  void let_peer_write();
  void let_session_write();
  void exchange();
  [[nodiscard]] bool pass_on();
  void check_handshake() const;
  void check_plaintext() const;
  [[nodiscard]] std::string expected_plaintext() const;

  Program& program_;
  Peer& peer_;
  Editor editor_;
  CheckedSession& session_;
  std::function<void(std::string_view ciphertext)> deliver_;
  std::string sent_by_peer_;
  std::string sent_by_session_;
  std::string received_by_peer_;
  bool is_wanted_;
  bool peer_has_closed_ = false;
  bool session_has_closed_ = false;
};

}  // namespace sluice::fuzz
