#include "checked_session.h"

#include "base/check.h"
#include "base/limits.h"

#include <algorithm>
#include <array>
#include <utility>

// Of AddressSanitizer; null without it.
extern "C" __attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes();

namespace sluice::fuzz {
namespace {

using tls::SessionStatus;

// Certificate chain, staple, and what is around them: nobody is sent more than what is configured.
constexpr size_t kHandshakeOutputBytesMax = limits::ocsp_staple_bytes_max + 16 * 1024;
// An answer to a key update is about as long as what asks for it.
constexpr size_t kAlertBytesMax = 64;

ptrdiff_t heap_bytes() {
  return __sanitizer_get_current_allocated_bytes == nullptr
             ? 0
             : static_cast<ptrdiff_t>(__sanitizer_get_current_allocated_bytes());
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < '\x7f'; });
}

}  // namespace

CheckedSession::Feeding CheckedSession::read_feeding(Program& program) {
  constexpr std::array<size_t, 8> pieces{SIZE_MAX, 1, 5, 100, 1000, 16'384, 4, SIZE_MAX};
  const uint8_t choice = program.byte();
  return {.piece_bytes = pieces[choice & 7],
          .room_bytes = (choice & 8) != 0 ? 10U : 16U * 1024,
          .leaves_while_waiting = (choice & 0xf0) == 0xf0};
}

// Counts what a call into the session costs.
class CheckedSession::Call {
 public:
  explicit Call(CheckedSession& owner)
      : owner_(owner), heap_(heap_bytes()), output_capacity_(static_cast<ptrdiff_t>(owner.output_.text().capacity())) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    owner_.heap_bytes_ += heap_bytes() - heap_;
    owner_.heap_bytes_ -= static_cast<ptrdiff_t>(owner_.output_.text().capacity()) - output_capacity_;
    CHECK(owner_.heap_bytes_ <= owner_.feeding_.heap_bytes_max);
  }

 private:
  CheckedSession& owner_;
  ptrdiff_t heap_;
  ptrdiff_t output_capacity_;
};

// --- Waiting ---------------------------------------------------------------------------------------

tls::HandshakePool& CheckedSession::pool() {
  static tls::HandshakePool pool;
  static const bool is_served = [] {
    pool.signing.begin_service(tls::RsaBatching::automatic, [](void*) {}, nullptr);
    return true;
  }();
  CHECK(is_served);
  return pool;
}

tls::HandshakeWaiter CheckedSession::waiter() {
  return {.on_ready = [](void* self) { static_cast<CheckedSession*>(self)->is_ready_ = true; }, .owner = this};
}

// What the shard's turn and its signing thread do.
void CheckedSession::wait() {
  if (feeding_.leaves_while_waiting) session_ = nullptr;
  pool().end_turn();
  while (pool().signing.serve_one_batch()) {
  }
  pool().signing.collect();
  CHECK(session_ == nullptr || std::exchange(is_ready_, false));
}

// --- Feeding ---------------------------------------------------------------------------------------

void CheckedSession::start(std::unique_ptr<tls::Session> session) {
  CHECK(session != nullptr);
  session_ = std::move(session);
  room_.resize(feeding_.room_bytes);
}

void CheckedSession::receive(std::string_view ciphertext) {
  unread_ += ciphertext;
  if (is_closed() && !is_done()) return;
  while (session_ != nullptr && take_step()) {
  }
}

bool CheckedSession::take_step() {
  const size_t offered = std::min({unread_.size(), feeding_.piece_bytes, limits::read_high_bytes});
  ConstBytes input = as_bytes(std::string_view(unread_).substr(0, offered));
  const size_t delivered = plaintext_.size();
  const SessionStatus before = status_;
  const bool had_ended = has_failed() || is_closed();
  const bool was_done = session_->is_handshake_done();
  status_ = was_done ? read(input) : shake_hands(input);

  const size_t consumed = offered - input.size();
  unread_.erase(0, consumed);
  consumed_bytes_ += consumed;
  silent_bytes_ =
      plaintext_.size() > delivered || was_done != session_->is_handshake_done() ? 0 : silent_bytes_ + consumed;
  CHECK(consumed == 0 || silent_bytes_ <= limits::tls_silent_bytes_max + offered);
  switch (status_) {
    case SessionStatus::ok:
      CHECK(!had_ended);
      if (was_done) {
        CHECK(plaintext_.size() > delivered);
      } else {
        handshake_bytes_ = consumed_bytes_;
      }
      return true;
    case SessionStatus::need_input:
      CHECK(!had_ended && (offered == 0 || consumed > 0));
      CHECK(!was_done || (input.empty() && session_->pending_bytes() == 0));
      return !unread_.empty();
    case SessionStatus::waiting:
      CHECK(!was_done);
      wait();
      return session_ != nullptr;
    case SessionStatus::closed:
      CHECK(before != SessionStatus::failed);
      return was_done && !had_ended;  // once more: it stays so
    case SessionStatus::failed: check_failure(); return !had_ended;
  }
  return false;
}

SessionStatus CheckedSession::shake_hands(ConstBytes& input) {
  const Call call(*this);
  const size_t before = output_.text().size();
  const SessionStatus status = session_->handshake(input, output_.sink());
  handshake_output_bytes_ += output_.text().size() - before;
  CHECK(handshake_output_bytes_ <= kHandshakeOutputBytesMax);
  CHECK((status == SessionStatus::ok) == session_->is_handshake_done());
  return status;
}

SessionStatus CheckedSession::read(ConstBytes& input) {
  const size_t output_before = output_.text().size();
  const size_t input_before = input.size();
  const auto [status, size] = [&] {
    const Call call(*this);
    return session_->read(input, room_, output_.sink());
  }();
  CHECK(output_.text().size() - output_before <= 2 * (input_before - input.size()) + kAlertBytesMax);
  CHECK(size <= room_.size() && (status == SessionStatus::ok) == (size > 0));
  plaintext_.append(as_text(ConstBytes(room_).first(size)));
  return status;
}

void CheckedSession::check_failure() {
  CHECK(!session_->error_text().empty() && is_printable(session_->error_text()));
  CHECK(!session_->is_handshake_done() || !session_->write(as_bytes("x"), output_.sink()));
}

// --- Writing ---------------------------------------------------------------------------------------

bool CheckedSession::write(std::string_view plaintext) {
  if (!is_done()) return false;
  const Call call(*this);
  const size_t before = output_.text().size();
  const bool is_written = session_->write(as_bytes(plaintext), output_.sink());
  const size_t written = output_.text().size() - before;
  CHECK(written <= plaintext.size() + tls::Session::overhead_bytes_max(plaintext.size()));
  CHECK(!is_written || written >= plaintext.size());
  return is_written;
}

void CheckedSession::close() {
  if (!is_done()) return;
  session_->close(output_.sink());
  const size_t before = output_.text().size();
  session_->close(output_.sink());
  CHECK(output_.text().size() == before);
}

}  // namespace sluice::fuzz
