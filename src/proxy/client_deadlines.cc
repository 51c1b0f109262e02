// The part of ClientConnection that watches time: until when something has to have happened, and whether it has.
#include "base/limits.h"
#include "proxy/client_connection.h"
#include "proxy/http1_exchange.h"
#include "proxy/http2_exchanges.h"
#include "proxy/tcp_proxy.h"
#include "proxy/upstream_side.h"

#include <utility>

namespace sluice::proxy {

// Deadlines move with every request, the timer does not: it is armed anew only for an earlier one, and
// looks at the deadline when it fires.
void ClientConnection::set_deadline(Duration from_now) {
  deadline_ = services_.loop.now() + from_now;
  moved_at_last_look_ = bytes_moved();
  if (timer_.is_armed() && armed_for_ <= deadline_) return;
  armed_for_ = deadline_;
  services_.loop.timers().arm(timer_, deadline_);
}

void ClientConnection::watch_tunnel() { set_deadline(tcp_proxy_->patience()); }

// Until the next request.
void ClientConnection::may_rest_for(Duration from_now) {
  rest_until_ = services_.loop.now() + from_now;
  set_deadline(from_now);
}

// While something is to be sent, only what is taken of it is progress.
uint64_t ClientConnection::bytes_moved() const noexcept {
  const io::Stream& stream = transport_.stream();
  if (const UpstreamSide* upstream = upstream_to_read()) return upstream->bytes_sent();
  if (tcp_proxy_ != nullptr) return stream.bytes_received() + stream.bytes_sent();  // either direction will do
  return stream.unsent_bytes() > 0 ? stream.bytes_sent() : stream.bytes_received() + stream.bytes_sent();
}

// The upstream that is to take the request; null: it is somebody else's move.
const UpstreamSide* ClientConnection::upstream_to_read() const noexcept {
  if (exchange_ == nullptr || exchange_->awaiting() != Exchange::Awaiting::upstream_reading) return nullptr;
  return &exchange_->upstream();
}

// Asked when a deadline has passed. The kernel's send buffer takes much at once and then nothing for long;
// what the peer has taken of it since the deadline before is progress too.
bool ClientConnection::has_moved() noexcept {
  const UpstreamSide* upstream = upstream_to_read();
  const uint64_t taken = upstream != nullptr ? upstream->bytes_taken() : transport_.stream().bytes_taken();
  const bool was_taken = std::exchange(taken_at_last_look_, taken) != taken;
  return was_taken || bytes_moved() != moved_at_last_look_;
}

void ClientConnection::on_timer(void* self) {
  auto& connection = *static_cast<ClientConnection*>(self);
  if (connection.services_.loop.now() < connection.deadline_) {
    connection.armed_for_ = connection.deadline_;
    connection.services_.loop.timers().arm(connection.timer_, connection.deadline_);
    return;
  }
  connection.on_expired();
}

void ClientConnection::on_expired() {
  switch (state_) {
    case State::proxy_header:
      services_.observer.counters.proxy_header_failures.add();
      close_at_once(io::Stream::Ending::orderly);
      break;
    case State::accepted:
      if (is_redirected()) return on_first_bytes_missing();
      [[fallthrough]];
    case State::tls_handshake:
      services_.observer.counters.tls_handshake_failures.add();
      close_at_once(io::Stream::Ending::orderly);
      break;
    case State::open:
      if (http2_ != nullptr && !http2_->has_none()) {
        set_deadline(limits::client_idle_timeout);  // exchanges look after themselves
      } else if (exchange_ == nullptr) {
        look_at_rest();
      } else if (exchange_->is_reading_head()) {
        exchange_->time_out_head();
        end_exchange();
        finish();
      } else if (has_moved()) {
        set_deadline(exchange_->progress_timeout());
      } else {
        switch (exchange_->awaiting()) {
          case Exchange::Awaiting::client: close_at_once(io::Stream::Ending::reset); break;
          case Exchange::Awaiting::upstream_reading: exchange_->time_out_request(); break;
          case Exchange::Awaiting::upstream_answer: set_deadline(exchange_->progress_timeout()); break;
        }
      }
      break;
    case State::tunnelling:
      if (tcp_proxy_->has_held_enough()) {
        tcp_proxy_->let_go();
        if (tcp_proxy_ != nullptr) watch_tunnel();
      } else if (tcp_proxy_->is_connecting() || !tcp_proxy_->may_time_out(has_moved())) {
        watch_tunnel();
      } else {
        tcp_proxy_->time_out();
        end_tcp_proxy();
        close_at_once(io::Stream::Ending::reset);
      }
      break;
    case State::finishing: look_at_taking(); break;
    case State::lingering: look_at_lingering(); break;
    case State::closing: break;
  }
}

// No request, for long enough; or the client was to take its answers, and has.
void ClientConnection::look_at_rest() {
  if (transport_.stream().unsent_bytes() > 0) {
    look_at_taking();
  } else if (const Instant now = services_.loop.now(); now < rest_until_) {
    set_deadline(rest_until_ - now);
  } else if (http2_ != nullptr) {
    http2_->shut_down();
  } else {
    finish();
  }
}

// The client is to take what is still unsent: as long as it takes some of it.
void ClientConnection::look_at_taking() {
  if (has_moved()) {
    set_deadline(limits::client_write_timeout);
  } else {
    close_at_once(io::Stream::Ending::reset);
  }
}

// A client of HTTP/2 says something to what it takes (WINDOW_UPDATE). A closed socket would answer that with a reset,
// and the rest of the last response be lost: the client has time as long as it takes some of it, and to read what it
// took.
void ClientConnection::look_at_lingering() {
  const io::Stream& stream = transport_.stream();
  const uint64_t taken = stream.bytes_taken();
  const bool was_taken = std::exchange(taken_at_last_look_, taken) != taken;
  if (http2_ == nullptr || !was_taken) {
    close_at_once(io::Stream::Ending::orderly);
  } else {
    set_deadline(taken == stream.bytes_sent() ? limits::lingering_close_timeout : limits::client_write_timeout);
  }
}

}  // namespace sluice::proxy
