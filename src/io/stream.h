// One TCP connection on the ring: bytes that arrived, bytes to send, and its end. A stream knows
// nothing of TLS or HTTP.
//
// The owner embeds it and is told of every change by one callback (on_change): it then looks at the
// stream and acts. The callback comes at most once a turn, when the turn's completions are all in, and
// never runs inside a call of the stream's own functions.
//
// Receiving is multishot and pauses itself while limits::read_high_bytes are unconsumed. Sending: what
// was written goes out at flush(), at most one send in flight. Reading past a peer's half-close and
// writing after it both work.
//
// The end is a protocol (docs/close_protocol.md): terminate() marks and shuts down, the loop delivers
// what the kernel still owes, then the descriptor is closed and on_change is called the last time with
// is_closed(). Nobody else closes the descriptor. One owner, the thread of its loop.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "io/connector.h"
#include "io/loop.h"
#include "io/op.h"
#include "io/receive_buffers.h"
#include "io/send_queue.h"

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace sluice::io {

class Stream {
 public:
  using ChangeHandler = void (*)(void* owner);

  Stream(Loop& loop, ChangeHandler on_change, void* owner) noexcept;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();  // closed, or never opened

  // --- opening ---
  // A connected descriptor, which the stream owns from now on. Receives at once.
  void adopt(int fd);
  // Connects to the first of `addresses` that answers (io/connector.h); on_change tells the outcome: is_open() or
  // connect_error(). A socket that cannot be made is reported the same way.
  void connect(std::span<const SocketAddress> addresses);
  void connect(const SocketAddress& address) { connect(std::span(&address, 1)); }
  // While on_change tells that outcome: the address that it is of.
  [[nodiscard]] const SocketAddress& tried_address() const noexcept { return connector_->address(); }

  [[nodiscard]] bool is_connecting() const noexcept { return state_ == State::connecting; }
  [[nodiscard]] bool is_open() const noexcept { return state_ == State::open; }
  [[nodiscard]] int connect_error() const noexcept { return connect_error_; }  // errno; 0: none

  // --- receiving ---
  [[nodiscard]] ConstBytes received() const noexcept { return received_.front(); }  // the first contiguous bytes
  [[nodiscard]] const ReceiveQueue& receive_queue() const noexcept { return received_; }
  void consume(size_t size);
  // The peer will send no more and everything was consumed.
  [[nodiscard]] bool is_at_end() const noexcept { return receive_ended_ && received_.empty(); }
  // The peer will send no more (FIN or failure), whatever is still to be consumed.
  [[nodiscard]] bool has_receive_ended() const noexcept { return receive_ended_; }
  // errno of a receive that failed (ECONNRESET): the end was not an orderly one. 0: none.
  [[nodiscard]] int receive_error() const noexcept { return receive_error_; }

  // --- sending ---
  // Room that the owner may fill before the peer takes some; 0 when flow control says wait. Writing
  // more than that is allowed (a head, a TLS record), but unbounded writing is the owner's mistake.
  [[nodiscard]] size_t writable_bytes() const noexcept;
  void write(ConstBytes bytes);
  [[nodiscard]] ByteSink sink() noexcept;
  void flush();
  // Nothing that is sent soon would acknowledge what was received, so that is done now (TCP_QUICKACK, tcp(7)).
  void acknowledge() noexcept;
  // Sends FIN once everything written has gone.
  void finish_writing();
  [[nodiscard]] size_t unsent_bytes() const noexcept { return unsent_.size(); }
  [[nodiscard]] bool is_sending() const noexcept { return !send_op_.is_idle(); }
  [[nodiscard]] bool has_sent_all() const noexcept { return unsent_.empty() && send_op_.is_idle(); }
  // errno of a send that failed; what was unsent is lost. 0: none.
  [[nodiscard]] int send_error() const noexcept { return send_error_; }

  // --- splice mode: forward/splice_pump moves bytes by splice(2), the stream only waits for readiness ---
  // Ask; then wait (on_change) until is_spliceable(): nothing in flight, nothing unsent. Bytes that were
  // received before stay in the queue and come first.
  void request_splice_mode();
  [[nodiscard]] bool is_spliceable() const noexcept;
  // Only when is_spliceable(). The descriptor becomes non-blocking.
  void enter_splice_mode();
  // Back to receiving and sending; pending polls are cancelled.
  void leave_splice_mode();
  [[nodiscard]] bool in_splice_mode() const noexcept { return splice_mode_; }
  // One on_change when the descriptor is ready (or in error) again. Idempotent while waiting.
  void await_readable();
  void await_writable();
  // Whether await_readable() found the descriptor ready since the last call.
  [[nodiscard]] bool take_readable() noexcept { return std::exchange(readable_noted_, false); }
  // What splice(2) moved and found.
  void note_spliced(uint64_t received, uint64_t sent) noexcept;
  void note_receive_ended(int error) noexcept;
  void note_send_error(int error) noexcept;
  [[nodiscard]] int fd() const noexcept { return fd_; }

  // --- ending ---
  // `reset`: the peer gets RST instead of FIN, so that it cannot take what it has for complete.
  enum class Ending { orderly, reset };
  void terminate(Ending ending = Ending::orderly);
  [[nodiscard]] bool is_terminating() const noexcept { return state_ == State::terminating; }
  [[nodiscard]] bool is_closed() const noexcept { return state_ == State::closed; }

  [[nodiscard]] uint64_t bytes_received() const noexcept { return bytes_received_; }
  [[nodiscard]] uint64_t bytes_sent() const noexcept { return bytes_sent_; }
  // Of those, what the peer's kernel has taken. Asks the kernel.
  [[nodiscard]] uint64_t bytes_taken() const noexcept;
  [[nodiscard]] Loop& loop() const noexcept { return loop_; }

 private:
  enum class State : uint8_t { unopened, connecting, open, terminating, closed };

  // What an op was armed for; its handler follows this, not the stream's mode, which may have changed.
  enum class Use : uint8_t { none, transfer, poll };

  static void on_receive_op(void* self, const Completion& completion);
  static void on_send_op(void* self, const Completion& completion);
  static void on_task(void* self);
  static void on_change_task(void* self);

  void on_received(const Completion& completion);
  void on_sent(const Completion& completion);
  static void on_connector_change(void* self);
  void take_outcome();
  void open();
  void resume_receiving();
  void stop_receiving();
  void end_receiving(int error) noexcept;
  void fail_sending(int error) noexcept;
  [[nodiscard]] bool is_joined() const noexcept;
  void close_if_joined();
  void change() noexcept {
    if (!change_task_.is_linked()) loop_.run_after_completions(change_task_);
  }

  Loop& loop_;
  ChangeHandler on_change_;
  void* owner_;
  Op receive_op_;
  Op send_op_;
  ReceiveQueue received_;
  SendQueue unsent_;
  Task change_task_;  // on_change is due in this turn
  Task task_;         // waits for receive buffers; reports the close
  uint64_t bytes_received_ = 0;
  uint64_t bytes_sent_ = 0;
  std::unique_ptr<Connector>
      connector_;  // from connect() until the outcome was told and nothing of it is in the kernel
  int fd_ = -1;
  int connect_error_ = 0;
  int receive_error_ = 0;
  int send_error_ = 0;
  State state_ = State::unopened;
  Use receive_use_ = Use::none;
  Use send_use_ = Use::none;
  bool receive_ended_ = false;
  bool receive_stopping_ = false;  // the multishot receive was asked to end
  bool finish_wanted_ = false;     // FIN goes out once unsent_ is empty
  bool finish_sent_ = false;
  bool splice_requested_ = false;  // from request_splice_mode() until leave_splice_mode(): no new transfers
  bool splice_mode_ = false;       // the descriptor is non-blocking
  bool readable_noted_ = false;    // a poll has said so, and nobody has asked since
};

}  // namespace sluice::io
