// A tls::Session fed as transport/ feeds it, held to what its header promises in every call, whatever it is fed.
#pragma once

#include "program.h"
#include "unit/tls/connection.h"

#include "tls/handshake_pool.h"
#include "tls/session.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::fuzz {

class CheckedSession {
 public:
  struct Feeding {
    size_t piece_bytes = SIZE_MAX;  // at most, in each call
    size_t room_bytes = 16 * 1024;  // for the plaintext of a read()
    bool leaves_while_waiting = false;
    ptrdiff_t heap_bytes_max = 256 * 1024;  // that its calls may take and keep
  };

  [[nodiscard]] static Feeding read_feeding(Program& program);

  explicit CheckedSession(const Feeding& feeding) : feeding_(feeding) {}
  CheckedSession(const CheckedSession&) = delete;
  CheckedSession& operator=(const CheckedSession&) = delete;

  // For the session, when it is made: signatures are then waited for.
  [[nodiscard]] static tls::HandshakePool& pool();
  [[nodiscard]] tls::HandshakeWaiter waiter();
  void start(std::unique_ptr<tls::Session> session);

  void receive(std::string_view ciphertext);
  // False: it has failed, or was closed before.
  [[nodiscard]] bool write(std::string_view plaintext);
  void close();
  [[nodiscard]] std::string take_output() { return output_.take(); }

  [[nodiscard]] tls::Session* get() const { return session_.get(); }  // null: not started, or left
  [[nodiscard]] bool is_done() const { return session_ != nullptr && session_->is_handshake_done(); }
  [[nodiscard]] bool has_failed() const { return status_ == tls::SessionStatus::failed; }
  [[nodiscard]] bool is_closed() const { return status_ == tls::SessionStatus::closed; }
  // Of what was received, when the handshake was done.
  [[nodiscard]] size_t handshake_bytes() const { return handshake_bytes_; }
  [[nodiscard]] const std::string& plaintext() const { return plaintext_; }

 private:
  class Call;

  // What is in `unread_`, at most a piece of it; false: nothing more can be done with it.
  bool take_step();
  tls::SessionStatus shake_hands(ConstBytes& input);
  tls::SessionStatus read(ConstBytes& input);
  void wait();
  void check_failure();

  Feeding feeding_;
  std::unique_ptr<tls::Session> session_;
  tls::SessionStatus status_ = tls::SessionStatus::need_input;
  test::StringSink output_;
  std::string unread_;
  std::string plaintext_;
  std::vector<std::byte> room_;
  size_t consumed_bytes_ = 0;
  size_t silent_bytes_ = 0;  // consumed since the last plaintext
  size_t handshake_bytes_ = 0;
  size_t handshake_output_bytes_ = 0;
  ptrdiff_t heap_bytes_ = 0;  // that the session has taken, and not given back
  bool is_ready_ = false;     // what it was waiting for is there
};

}  // namespace sluice::fuzz
