#include "upstream/connection.h"

#include "base/limits.h"
#include "io/socket.h"
#include "upstream/connection_pool.h"
#include "upstream/endpoint.h"

#include <cerrno>
#include <utility>

namespace sluice::upstream {

Connection::Connection(ConnectionPool& pool, Endpoint& endpoint) noexcept
    : pool_(pool),
      endpoint_(&endpoint),
      transport_(pool.loop(), on_stream_change, this),
      reader_(http::Http1Reader::Role::responses),
      timer_(on_timeout, this),
      retire_task_(on_retire, this) {}

Connection::~Connection() = default;

void Connection::connect(Duration timeout, Borrower borrower) {
  state_ = State::connecting;
  borrower_ = borrower;
  pool_.loop().timers().arm(timer_, pool_.loop().now() + timeout);
  transport_.stream().connect(endpoint_->address());
}

void Connection::lend(Borrower borrower) noexcept {
  CHECK(state_ == State::idle);
  state_ = State::lent;
  borrower_ = borrower;
  is_reused_ = true;
  sent_before_ = transport_.stream().bytes_sent();
  timer_.cancel();
}

bool Connection::is_clean() const noexcept {
  const io::Stream& stream = transport_.stream();
  return stream.is_open() && !stream.has_receive_ended() && transport_.has_sent_all() && stream.receive_queue().empty();
}

void Connection::give_back() noexcept {
  CHECK(state_ == State::lent);
  count_bytes();
  if (!is_clean() || !endpoint_->keep_idle(*this)) {
    discard();
    return;
  }
  state_ = State::idle;
  borrower_ = {};
  pool_.loop().timers().arm(timer_, pool_.loop().now() + limits::upstream_idle_timeout);
}

void Connection::discard(io::Stream::Ending ending) noexcept {
  if (state_ == State::closing) return;
  if (is_linked()) endpoint_->forget_idle(*this);
  state_ = State::closing;
  endpoint_ = nullptr;
  borrower_ = {};
  timer_.cancel();
  transport_.stream().terminate(ending);
}

const SocketAddress& Connection::local_address() noexcept {
  if (local_address_.port == 0) local_address_ = io::local_address(transport_.stream().fd());
  return local_address_;
}

void Connection::on_stream_change(void* self) { static_cast<Connection*>(self)->on_change(); }

void Connection::on_change() {
  switch (state_) {
    case State::connecting:
      timer_.cancel();
      state_ = State::lent;
      connect_error_ = transport_.stream().connect_error();
      ++(connect_error_ == 0 ? pool_.opened_count : pool_.connect_failure_count);
      borrower_.on_change(borrower_.owner);
      break;
    case State::lent: borrower_.on_change(borrower_.owner); break;
    case State::idle:
      // Nothing may come while no request is under way: a close, or bytes that belong to nobody.
      if (transport_.stream().has_receive_ended() || !transport_.stream().received().empty()) discard();
      break;
    case State::closing:
      if (transport_.stream().is_closed() && !retire_task_.is_linked()) pool_.loop().retire(retire_task_);
      break;
  }
}

void Connection::on_timeout(void* self) {
  auto& connection = *static_cast<Connection*>(self);
  if (connection.state_ == State::connecting) {
    connection.connect_error_ = ETIMEDOUT;
    ++connection.pool_.connect_failure_count;
    connection.state_ = State::lent;
    connection.borrower_.on_change(connection.borrower_.owner);
  } else {
    connection.discard();
  }
}

// When a request is over, and at the end.
void Connection::count_bytes() noexcept {
  const io::Stream& stream = transport_.stream();
  pool_.bytes_received += stream.bytes_received() - std::exchange(counted_received_, stream.bytes_received());
  pool_.bytes_sent += stream.bytes_sent() - std::exchange(counted_sent_, stream.bytes_sent());
}

void Connection::on_retire(void* self) {
  auto& connection = *static_cast<Connection*>(self);
  connection.count_bytes();
  connection.pool_.destroy(connection);
}

}  // namespace sluice::upstream
