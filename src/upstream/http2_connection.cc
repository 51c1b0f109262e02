#include "upstream/http2_connection.h"

#include "base/check.h"
#include "base/limits.h"
#include "upstream/connection_pool.h"
#include "upstream/endpoint.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::upstream {

Http2Connection::Http2Connection(ConnectionPool& pool, Endpoint& endpoint) noexcept
    : pool_(pool),
      endpoint_(&endpoint),
      timer_(on_timeout, this),
      keepalive_timer_(on_keepalive, this),
      flush_task_(on_flush, this),
      retire_task_(on_retire, this) {}

Http2Connection::~Http2Connection() { CHECK(requests_.empty() && connection_ == nullptr); }

void Http2Connection::connect(Duration timeout, const Connection::Opening& opening) {
  connect_timeout_ = timeout;
  connection_ = &pool_.open(*endpoint_, timeout, opening, {.on_change = on_connection_change, .owner = this});
}

bool Http2Connection::has_room() const noexcept {
  if (state_ == State::ended || connection_->names_client() || is_spent()) return false;
  switch (state_) {
    case State::connecting:
    case State::greeting: return request_count_ < endpoint_->http2_capacity();
    case State::open: return session_->may_open() && request_count_ < session_->stream_capacity();
    case State::ended: break;
  }
  return false;
}

// What the destination's rule lets it carry.
bool Http2Connection::is_spent() const noexcept {
  const snapshot::ConnectionTerms& terms = endpoint_->terms;
  if (terms.requests_max != 0 && total_requests_ >= terms.requests_max) return true;
  return state_ == State::open && is_too_old(terms, connection_->opened_at(), pool_.loop().now());
}

// --- events ----------------------------------------------------------------------------------------

void Http2Connection::on_connection_change(void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  switch (connection.state_) {
    case State::connecting: connection.on_connected(); break;
    case State::greeting: connection.on_greeting(); break;
    case State::open:
    case State::ended: connection.read(); break;
  }
}

void Http2Connection::on_connected() {
  if (const int error = connection_->connect_error(); error != 0) return end_connecting(error);
  const tls::Session* tls = connection_->transport().session();
  if (tls != nullptr && tls->alpn_protocol() != "h2") {
    // A connection of HTTP/1 is there for the first request that now asks for one.
    chose_http1_ = true;
    endpoint_->learn_http1(pool_.loop().now());
    std::exchange(connection_, nullptr)->give_back();
    return end_connecting(0);
  }
  state_ = State::greeting;
  session_.emplace(
      http::Http2Session::Role::client, connection_->transport().sink(),
      http::Http2Session::Owner{.on_request = nullptr, .on_stream_change = on_stream_change, .owner = this});
  pool_.loop().timers().arm(timer_, pool_.loop().now() + connect_timeout_);
  on_greeting();  // its SETTINGS may have come with the end of the handshake
}

void Http2Connection::on_greeting() {
  read();
  if (state_ != State::greeting) return end_connecting(session_->error_text().empty() ? ECONNRESET : EBADMSG);
  if (!session_->has_settings()) return;
  if (session_->stream_capacity() == 0) return end_connecting(ECONNREFUSED);
  timer_.cancel();
  state_ = State::open;
  endpoint_->learn_http2_capacity(session_->stream_capacity());
  if (const auto& keepalive = endpoint_->terms.http2_keepalive) {
    keepalive_ = *keepalive;
    pool_.loop().timers().arm(keepalive_timer_, pool_.loop().now() + keepalive_.interval);
  }
  tell_requests();
  rest_if_unused();
  if (endpoint_ != nullptr) pool_.call_first(*endpoint_);
}

// `error` 0: the upstream has chosen HTTP/1.1.
void Http2Connection::end_connecting(int error) {
  connect_error_ = error;
  timer_.cancel();
  stop_taking_requests();
  tell_requests();
  end_if_unused();
}

// Each looks, and stays or goes.
void Http2Connection::tell_requests() {
  List<Http2Request> all;
  all.append(requests_);
  while (!all.empty()) {
    Http2Request& request = all.pop_front();
    requests_.push_back(request);
    request.borrower_.on_change(request.borrower_.owner);
  }
  // The first may have used up what there was: another one is the first next time.
  if (!requests_.empty()) requests_.push_back(requests_.pop_front());
}

void Http2Connection::read() {
  session_->note_time(pool_.loop().now());
  transport::Transport& transport = connection_->transport();
  bool is_alive = true;
  for (ConstBytes input = transport.readable(); is_alive && !input.empty(); input = transport.readable()) {
    is_alive = session_->receive(input);
    transport.consume(input.size());
  }
  if (transport.is_at_end() || transport.has_send_failed()) session_->end_of_input();
  session_->tell_changes();
  if (connection_ == nullptr) return;  // its last request has gone meanwhile
  if (!session_->takes_requests()) stop_taking_requests();
  if (has_writers_waiting_ && transport.writable_bytes() > 0) {
    has_writers_waiting_ = false;
    tell_requests();
  }
  flush_later();
  end_if_unused();
}

// The upstream is to answer a PING now and then; one that does not is gone, whatever the kernel thinks.
void Http2Connection::on_keepalive(void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  const Instant now = connection.pool_.loop().now();
  if (!std::exchange(connection.is_pinging_, !connection.is_pinging_)) {
    connection.session_->ping();
    connection.flush_later();
    return connection.pool_.loop().timers().arm(connection.keepalive_timer_, now + connection.keepalive_.timeout);
  }
  if (connection.session_->awaits_ping()) return connection.lose();
  const Duration rest = std::max(connection.keepalive_.interval - connection.keepalive_.timeout, Duration{});
  connection.pool_.loop().timers().arm(connection.keepalive_timer_, now + rest);
}

void Http2Connection::lose() {
  session_->end_of_input();
  session_->tell_changes();
  if (connection_ == nullptr) return;  // its last request has gone meanwhile
  stop_taking_requests();
  end_if_unused();
}

void Http2Connection::on_stream_change(void*, http::Http2Stream& stream) {
  const Http2Request& request = static_cast<Http2Request::Stream&>(stream).request;
  request.borrower_.on_change(request.borrower_.owner);
}

void Http2Connection::flush_later() noexcept {
  if (!flush_task_.is_linked()) pool_.loop().run_later(flush_task_);
}

void Http2Connection::on_flush(void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  if (connection.connection_ != nullptr) connection.connection_->transport().flush();
}

// --- requests --------------------------------------------------------------------------------------

void Http2Connection::add(Http2Request& request) noexcept {
  CHECK(state_ != State::ended);
  requests_.push_back(request);
  ++request_count_;
  ++total_requests_;
  if (state_ == State::open) timer_.cancel();
}

void Http2Connection::remove(Http2Request& request) noexcept {
  static_cast<ListNode<Http2Request>&>(request).unlink();
  --request_count_;
  if (connection_ != nullptr && session_) connection_->count_bytes();
  rest_if_unused();
  if (endpoint_ != nullptr) pool_.call_first(*endpoint_);
  flush_later();
  end_if_unused();
}

void Http2Connection::rest_if_unused() {
  if (request_count_ > 0 || state_ != State::open) return;
  if (connection_->names_client() || is_spent() || endpoint_->should_make_room()) return close();
  const Instant end = idle_end(endpoint_->terms, connection_->opened_at(), pool_.loop().now());
  if (end != Instant::max()) pool_.loop().timers().arm(timer_, end);
}

void Http2Connection::on_timeout(void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  if (connection.state_ == State::greeting) {
    connection.end_connecting(ETIMEDOUT);
  } else {
    connection.close();
  }
}

void Http2Connection::close() noexcept {
  if (session_) session_->shut_down();
  stop_taking_requests();
  end_if_unused();
}

void Http2Connection::stop_taking_requests() noexcept {
  if (state_ == State::ended) return;
  state_ = State::ended;
  static_cast<ListNode<Http2Connection>&>(*this).unlink();
  endpoint_ = nullptr;
}

void Http2Connection::end_if_unused() noexcept {
  if (state_ != State::ended || request_count_ > 0 || retire_task_.is_linked()) return;
  timer_.cancel();
  keepalive_timer_.cancel();
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->finish_and_discard();
  pool_.loop().retire(retire_task_);
}

void Http2Connection::on_retire(void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  connection.flush_task_.unlink_if_linked();
  connection.pool_.destroy(connection);
}

// --- one of them -----------------------------------------------------------------------------------

Http2Request::Http2Request(Http2Connection& connection, Connection::Borrower borrower) noexcept
    : connection_(connection), borrower_(borrower) {
  connection_.add(*this);
}

Http2Request::~Http2Request() {
  stream_.reset();
  connection_.remove(*this);
}

Http2Request::Status Http2Request::status() const noexcept {
  if (stream_) return Status::ready;
  switch (connection_.state_) {
    case Http2Connection::State::connecting:
    case Http2Connection::State::greeting: return Status::connecting;
    case Http2Connection::State::open: return connection_.session_->may_open() ? Status::ready : Status::full;
    case Http2Connection::State::ended: return connection_.chose_http1_ ? Status::is_http1 : Status::failed;
  }
  UNREACHABLE();
}

size_t Http2Request::writable_bytes() noexcept {
  const size_t room = connection_.connection_->transport().writable_bytes();
  if (room == 0) connection_.has_writers_waiting_ = true;
  return std::min(room, stream_->writable_bytes());
}

http::Http2Stream& Http2Request::stream() {
  if (!stream_) stream_.emplace(*connection_.session_, *this);
  return *stream_;
}

}  // namespace sluice::upstream
