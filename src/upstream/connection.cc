#include "upstream/connection.h"

#include "base/limits.h"
#include "io/socket.h"
#include "upstream/address_choice.h"
#include "upstream/connection_pool.h"
#include "upstream/endpoint.h"

#include <algorithm>
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

void Connection::connect(Duration timeout, const Opening& opening, Borrower borrower) {
  if (!opening.proxy_header.empty()) proxy_header_ = std::make_unique<const std::string>(opening.proxy_header);
  tls_context_ = opening.context;
  server_name_ = opening.server_name;
  offers_http2_ = opening.offers_http2;
  borrower_ = borrower;
  counted_in_ = endpoint_->bound.load;
  pool_.loop().timers().arm(timer_, pool_.loop().now() + timeout);
  if (endpoint_->is_named()) return resolve();
  state_ = State::connecting;
  remote_address_ = endpoint_->address();
  transport_.stream().connect(remote_address_);
}

void Connection::resolve() {
  state_ = State::resolving;
  name_waiter_ = std::make_unique<NameWaiter>(on_resolved, this);
  const Names::Found found = pool_.names.find(endpoint_->name(), *name_waiter_);
  if (found.status == Names::Status::waiting) return;
  connect_to(found.addresses);
}

void Connection::on_resolved(void* self, std::span<const SocketAddress> addresses) {
  static_cast<Connection*>(self)->connect_to(addresses);
}

// The guard looks at the very addresses that are connected to: whatever the name resolves to a moment later.
void Connection::connect_to(std::span<const SocketAddress> found) {
  name_waiter_.reset();
  if (found.empty()) return fail_soon(name_unresolved);
  const AddressChoice choice(found, endpoint_->address().port, endpoint_->guard());
  if (choice.chosen().empty()) return fail_soon(addresses_forbidden);
  state_ = State::connecting;
  transport_.stream().connect(choice.chosen());
}

// Not from within a call of the borrower's.
void Connection::fail_soon(int error) noexcept {
  connect_error_ = error;
  pool_.loop().timers().arm(timer_, pool_.loop().now());
}

void Connection::lend(Borrower borrower) noexcept {
  CHECK(state_ == State::idle && !names_client());
  state_ = State::lent;
  ++lent_count_;
  borrower_ = borrower;
  is_reused_ = true;
  sent_before_ = transport_.stream().bytes_sent();
  timer_.cancel();
}

bool Connection::is_clean() {
  if (transport_.is_tls() && (!transport_.readable().empty() || transport_.is_at_end())) return false;
  const io::Stream& stream = transport_.stream();
  return stream.is_open() && !stream.has_receive_ended() && transport_.has_sent_all() && stream.receive_queue().empty();
}

void Connection::give_back() noexcept {
  CHECK(state_ == State::lent);
  count_bytes();
  if (transport_.is_tls()) endpoint_->keep_resumable(transport_.session()->take_resumable());
  if (!may_serve_again() || !is_clean() || endpoint_->should_make_room() || !endpoint_->keep_idle(*this)) {
    discard();
    return;
  }
  pool_.call_first(*endpoint_);
  state_ = State::idle;
  borrower_ = {};
  const Instant now = pool_.loop().now();
  Instant end = idle_end(endpoint_->terms, opened_at_, now);
  if (patience_ms_ > 0) end = std::min(end, now + std::chrono::milliseconds(patience_ms_));
  if (end != Instant::max()) pool_.loop().timers().arm(timer_, end);
}

void Connection::learn_patience(Duration patience) noexcept {
  const Duration safe = patience - std::min(limits::upstream_patience_margin, patience / 2);
  patience_ms_ = static_cast<uint32_t>(to_milliseconds(safe));
}

bool Connection::may_serve_again() const noexcept {
  const snapshot::ConnectionTerms& terms = endpoint_->terms;
  return !names_client() && (terms.requests_max == 0 || lent_count_ < terms.requests_max) &&
         !is_too_old(terms, opened_at_, pool_.loop().now());
}

void Connection::discard(io::Stream::Ending ending) noexcept {
  if (state_ == State::finishing || state_ == State::closing) return;
  forget_users();
  if (has_farewell(ending)) {
    finish();
  } else {
    close(ending);
  }
}

void Connection::finish_and_discard() noexcept {
  if (state_ == State::finishing || state_ == State::closing) return;
  forget_users();
  if (transport_.stream().is_open()) {
    finish();
  } else {
    close(io::Stream::Ending::orderly);
  }
}

void Connection::forget_users() noexcept {
  if (is_linked()) endpoint_->forget_idle(*this);
  name_waiter_.reset();
  if (transport_.is_tls()) endpoint_->keep_resumable(transport_.session()->take_resumable());
  endpoint_->uncount_connection(std::exchange(counted_in_, nullptr).get());
  pool_.call_first(*std::exchange(endpoint_, nullptr));
  borrower_ = {};
}

bool Connection::has_farewell(io::Stream::Ending ending) const noexcept {
  if (ending != io::Stream::Ending::orderly || !transport_.is_tls() || !transport_.stream().is_open()) return false;
  return connect_error_ == EPROTO || transport_.session()->is_handshake_done();
}

void Connection::finish() {
  state_ = State::finishing;
  pool_.loop().timers().arm(timer_, pool_.loop().now() + limits::lingering_close_timeout);
  transport_.finish_writing();
  if (transport_.has_sent_all() || transport_.has_send_failed()) close(io::Stream::Ending::orderly);
}

void Connection::close(io::Stream::Ending ending) noexcept {
  state_ = State::closing;
  timer_.cancel();
  transport_.stream().terminate(ending);
}

const SocketAddress& Connection::local_address() noexcept {
  if (!local_address_.is_known()) local_address_ = io::local_address(transport_.stream().fd());
  return local_address_;
}

void Connection::on_stream_change(void* self) { static_cast<Connection*>(self)->on_change(); }

void Connection::on_change() {
  switch (state_) {
    case State::resolving: break;
    case State::connecting: on_connected(); break;
    case State::handshaking: on_handshake_bytes(); break;
    case State::lent: borrower_.on_change(borrower_.owner); break;
    case State::idle:
      // Nothing may come while no request is under way: a close, or bytes that belong to nobody.
      if (!is_clean()) discard();
      break;
    case State::finishing:
      if (transport_.has_sent_all() || transport_.has_send_failed()) close(io::Stream::Ending::orderly);
      break;
    case State::closing:
      if (transport_.stream().is_closed() && !retire_task_.is_linked()) pool_.loop().retire(retire_task_);
      break;
  }
}

void Connection::on_connected() {
  if (endpoint_->is_named()) remote_address_ = transport_.stream().tried_address();
  const int error = transport_.stream().connect_error();
  if (const auto& keepalive = endpoint_->terms.tcp_keepalive; error == 0 && keepalive) {
    io::send_keepalives(
        transport_.stream().fd(),
        {.probes = keepalive->probes, .idle_seconds = keepalive->idle, .interval_seconds = keepalive->interval});
  }
  if (error == 0 && names_client()) {
    // At once: the endpoint may be the one that speaks first.
    transport_.stream().write(as_bytes(*proxy_header_));
    transport_.stream().flush();
  }
  if (error != 0 || tls_context_ == nullptr) return end_connecting(error);
  std::unique_ptr<tls::Session> session =
      tls::Session::connect(*tls_context_, server_name_, endpoint_->take_resumable(), &pool_.handshakes(),
                            {.on_ready = on_handshake_ready, .owner = this}, offers_http2_);
  tls_context_ = nullptr;
  if (session == nullptr) return end_connecting(ENOMEM);
  transport_.start_tls(std::move(session));
  state_ = State::handshaking;
  on_handshake_bytes();
}

void Connection::on_handshake_bytes() {
  switch (transport_.drive_handshake()) {
    case tls::SessionStatus::ok: return end_connecting(0);
    case tls::SessionStatus::need_input:
    case tls::SessionStatus::waiting:
      if (transport_.stream().has_receive_ended()) end_connecting(ECONNRESET);
      return;
    case tls::SessionStatus::closed:
    case tls::SessionStatus::failed: return end_connecting(EPROTO);
  }
}

void Connection::on_handshake_ready(void* self) {
  auto& connection = *static_cast<Connection*>(self);
  if (connection.state_ == State::handshaking) connection.on_handshake_bytes();
}

void Connection::end_connecting(int error) {
  timer_.cancel();
  state_ = State::lent;
  lent_count_ = 1;
  opened_at_ = pool_.loop().now();
  connect_error_ = error;
  sent_before_ = transport_.stream().bytes_sent();
  ++(error == 0 ? pool_.opened_count : pool_.connect_failure_count);
  borrower_.on_change(borrower_.owner);
}

std::string_view Connection::tls_error() const noexcept {
  return transport_.session() == nullptr ? std::string_view() : transport_.session()->error_text();
}

void Connection::on_timeout(void* self) {
  auto& connection = *static_cast<Connection*>(self);
  switch (connection.state_) {
    case State::resolving:
      connection.name_waiter_.reset();
      connection.end_connecting(connection.connect_error_ != 0 ? connection.connect_error_ : name_unresolved);
      break;
    case State::connecting:
    case State::handshaking: connection.end_connecting(ETIMEDOUT); break;
    case State::finishing: connection.close(io::Stream::Ending::orderly); break;
    default: connection.discard(); break;
  }
}

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
