#include "io/stream.h"

#include "io/socket.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::io {

Stream::Stream(Loop& loop, ChangeHandler on_change, void* owner) noexcept
    : loop_(loop),
      on_change_(on_change),
      owner_(owner),
      receive_op_(on_receive_op, this),
      send_op_(on_send_op, this),
      received_(loop.receive_buffers()),
      unsent_(loop.chunks()),
      change_task_(on_change_task, this),
      task_(on_task, this) {}

Stream::~Stream() { CHECK(state_ == State::closed || state_ == State::unopened); }

// --- opening ---------------------------------------------------------------------------------------

void Stream::adopt(int fd) {
  CHECK(state_ == State::unopened);
  fd_ = fd;
  open();
}

void Stream::connect(std::span<const SocketAddress> addresses) {
  CHECK(state_ == State::unopened);
  state_ = State::connecting;
  connector_ = std::make_unique<Connector>(loop_, addresses, on_connector_change, this);
  connector_->start();
}

void Stream::on_connector_change(void* self) {
  Stream& stream = *static_cast<Stream*>(self);
  if (stream.state_ == State::terminating) {
    // Not from within the connector's own call.
    if (stream.is_joined() && !stream.task_.is_linked()) stream.loop_.run_later(stream.task_);
    return;
  }
  if (stream.state_ == State::connecting) stream.take_outcome();
  stream.change();
}

void Stream::take_outcome() {
  connect_error_ = connector_->error();
  if (connect_error_ != 0) return;
  fd_ = connector_->take_fd();
  open();
}

void Stream::open() {
  state_ = State::open;
  resume_receiving();
}

// --- receiving -------------------------------------------------------------------------------------

void Stream::resume_receiving() {
  if (state_ != State::open || receive_ended_ || splice_requested_ || !receive_op_.is_idle() || task_.is_linked())
    return;
  const bool scarce = loop_.receive_buffers().are_scarce();
  if (received_.size() > (scarce ? limits::read_high_when_scarce_bytes : limits::read_high_bytes / 2)) return;
  receive_use_ = Use::transfer;
  loop_.receive(receive_op_, fd_);
}

void Stream::stop_receiving() {
  task_.unlink_if_linked();
  if (receive_op_.is_idle() || receive_stopping_) return;
  receive_stopping_ = true;
  loop_.cancel(receive_op_);
}

void Stream::on_receive_op(void* self, const Completion& completion) {
  Stream& stream = *static_cast<Stream*>(self);
  if (!completion.more) {
    stream.receive_stopping_ = false;
    if (std::exchange(stream.receive_use_, Use::none) == Use::poll) {
      if (stream.state_ == State::terminating) {
        stream.close_if_joined();
      } else {
        stream.readable_noted_ = stream.splice_mode_;
        stream.resume_receiving();  // when splice mode has ended meanwhile
        stream.change();
      }
      return;
    }
  }
  stream.on_received(completion);
}

void Stream::on_received(const Completion& completion) {
  if (completion.result > 0) {
    CHECK(completion.has_buffer);
    bytes_received_ += static_cast<uint64_t>(completion.result);
    received_.push(completion.buffer, static_cast<size_t>(completion.result));
  } else if (completion.has_buffer) {
    loop_.receive_buffers().release(completion.buffer);
  }
  if (state_ == State::terminating) {
    received_.clear();
    close_if_joined();
    return;
  }

  switch (completion.result) {
    case 0: end_receiving(0); break;
    case -ENOBUFS:
      if (splice_requested_) break;  // it was to end anyway, and the owner waits to hear of it
      if (!task_.is_linked()) loop_.wait_for_buffers(task_);
      return;
    case -ECANCELED:  // stop_receiving()
    case -EINTR:
    case -EAGAIN: break;
    default:  // ECONNRESET, ETIMEDOUT, EHOSTUNREACH, EPIPE: the connection is broken
      if (completion.result < 0) end_receiving(-completion.result);
  }
  // While buffers are scarce nobody may take as many as come.
  if (completion.more && (received_.size() > limits::read_high_bytes || loop_.receive_buffers().are_scarce()))
    stop_receiving();
  resume_receiving();
  change();
}

void Stream::consume(size_t size) {
  received_.consume(size);
  resume_receiving();
}

// The kernel tells of a reset once. When a send was told, receiving ends as if by FIN: no order, all the
// same (sk_stream_error and tcp_recvmsg in Linux). EPIPE says nothing of the sort: FIN may have come first.
void Stream::end_receiving(int error) noexcept {
  receive_ended_ = true;
  receive_error_ = error == 0 && send_error_ != EPIPE ? send_error_ : error;
}

// --- sending ---------------------------------------------------------------------------------------

size_t Stream::writable_bytes() const noexcept {
  return limits::write_high_bytes - std::min(limits::write_high_bytes, unsent_.size());
}

void Stream::write(ConstBytes bytes) { unsent_.append(bytes); }

ByteSink Stream::sink() noexcept {
  return {.reserve = [](void* self, size_t at_least) { return static_cast<Stream*>(self)->unsent_.reserve(at_least); },
          .commit = [](void* self, size_t used) { static_cast<Stream*>(self)->unsent_.commit(used); },
          .owner = this};
}

void Stream::flush() {
  if (state_ != State::open) return;
  if (!splice_mode_) {
    if (!send_op_.is_idle()) return;
    if (send_error_ != 0) unsent_.clear();
    if (!unsent_.empty()) {
      send_use_ = Use::transfer;
      loop_.send(send_op_, fd_, unsent_.message(), finish_wanted_ ? AfterSend::shutdown : AfterSend::nothing);
      return;
    }
  }
  if (finish_wanted_ && !std::exchange(finish_sent_, true)) shutdown_socket(fd_, ShutdownHow::write);
}

void Stream::acknowledge() noexcept {
  if (state_ == State::open) acknowledge_now(fd_);
}

void Stream::finish_writing() {
  finish_wanted_ = true;
  flush();
}

void Stream::on_send_op(void* self, const Completion& completion) {
  Stream& stream = *static_cast<Stream*>(self);
  switch (std::exchange(stream.send_use_, Use::none)) {
    case Use::transfer: stream.on_sent(completion); break;
    case Use::poll:
      if (stream.state_ == State::terminating) {
        stream.close_if_joined();
      } else {
        stream.flush();  // when splice mode has ended meanwhile
        stream.change();
      }
      break;
    case Use::none: UNREACHABLE();
  }
}

void Stream::on_sent(const Completion& completion) {
  if (state_ == State::terminating) {
    unsent_.clear();
    close_if_joined();
    return;
  }
  if (completion.result >= 0) {
    bytes_sent_ += static_cast<uint64_t>(completion.result);
    unsent_.consume(static_cast<size_t>(completion.result));
  } else if (completion.result != -EINTR && completion.result != -EAGAIN) {
    fail_sending(-completion.result);  // EPIPE, ECONNRESET, ETIMEDOUT: the peer takes no more
  }
  flush();
  change();
}

uint64_t Stream::bytes_taken() const noexcept { return bytes_sent_ - (fd_ < 0 ? 0 : unacknowledged_bytes(fd_)); }

void Stream::fail_sending(int error) noexcept {
  send_error_ = error;
  unsent_.clear();
}

// --- splice mode -----------------------------------------------------------------------------------

void Stream::request_splice_mode() {
  splice_requested_ = true;
  stop_receiving();
}

bool Stream::is_spliceable() const noexcept {
  return state_ == State::open && splice_requested_ && receive_op_.is_idle() && send_op_.is_idle() && unsent_.empty();
}

void Stream::enter_splice_mode() {
  CHECK(is_spliceable());
  splice_mode_ = true;
  set_nonblocking(fd_, true);
}

void Stream::leave_splice_mode() {
  splice_requested_ = false;
  readable_noted_ = false;
  if (std::exchange(splice_mode_, false)) {
    set_nonblocking(fd_, false);
    if (receive_use_ == Use::poll) loop_.cancel(receive_op_);
    if (send_use_ == Use::poll) loop_.cancel(send_op_);
  }
  resume_receiving();
  flush();
}

void Stream::await_readable() {
  CHECK(splice_mode_);
  if (!receive_op_.is_idle() || state_ != State::open) return;
  receive_use_ = Use::poll;
  loop_.poll(receive_op_, fd_, PollFor::readable);
}

void Stream::await_writable() {
  CHECK(splice_mode_);
  if (!send_op_.is_idle() || state_ != State::open) return;
  send_use_ = Use::poll;
  loop_.poll(send_op_, fd_, PollFor::writable);
}

void Stream::note_spliced(uint64_t received, uint64_t sent) noexcept {
  bytes_received_ += received;
  bytes_sent_ += sent;
}

void Stream::note_receive_ended(int error) noexcept { end_receiving(error); }

void Stream::note_send_error(int error) noexcept { fail_sending(error); }

// --- ending ----------------------------------------------------------------------------------------

void Stream::terminate(Ending ending) {
  if (state_ == State::terminating || state_ == State::closed) return;
  state_ = State::terminating;
  task_.unlink_if_linked();
  if (fd_ >= 0 && ending == Ending::reset) {
    reset_on_close(fd_);
  } else if (fd_ >= 0 && !std::exchange(finish_sent_, true)) {
    // Of writing only: what is read after the other half was shut down widens no window, and a peer that is
    // blocked in its own writing would stay so for a minute (docs/kernel_contract.md 22).
    shutdown_socket(fd_, ShutdownHow::write);
  }
  if (!receive_op_.is_idle() && !receive_stopping_) loop_.cancel(receive_op_);
  if (!send_op_.is_idle()) loop_.cancel(send_op_);
  if (connector_ != nullptr) connector_->stop(ending == Ending::reset);
  received_.clear();
  if (send_op_.is_idle()) unsent_.clear();
  if (is_joined()) loop_.run_later(task_);  // reports the close, not from within this call
}

bool Stream::is_joined() const noexcept {
  return receive_op_.is_idle() && send_op_.is_idle() && (connector_ == nullptr || connector_->is_joined());
}

void Stream::close_if_joined() {
  if (!is_joined()) return;
  unsent_.clear();
  connector_.reset();
  if (fd_ >= 0) close_descriptor(std::exchange(fd_, -1));
  state_ = State::closed;
  change();
}

void Stream::on_change_task(void* self) {
  Stream& stream = *static_cast<Stream*>(self);
  stream.on_change_(stream.owner_);
  if (stream.connector_ != nullptr && stream.connector_->is_joined()) stream.connector_.reset();
}

void Stream::on_task(void* self) {
  Stream& stream = *static_cast<Stream*>(self);
  if (stream.state_ == State::terminating) {
    stream.close_if_joined();
  } else {
    stream.resume_receiving();  // receive buffers are there again
  }
}

}  // namespace sluice::io
