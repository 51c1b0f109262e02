#include "proxy/http2_exchanges.h"

#include "base/check.h"
#include "base/limits.h"
#include "proxy/client_connection.h"

#include <utility>

namespace sluice::proxy {

// --- One stream ------------------------------------------------------------------------------------

Http2Exchange::Http2Exchange(Http2Exchanges& all, Services& services, ClientConnection& connection) noexcept
    : Http2ClientSide(all.session_, connection.transport()),
      Exchange(services, connection, *this),
      all_(all),
      timer_([](void* self) { static_cast<Http2Exchange*>(self)->on_expired(); }, this),
      yield_task_([](void* self) { static_cast<Http2Exchange*>(self)->move_on(); }, this) {
  set_deadline(limits::request_head_timeout);
}

Http2Exchange::~Http2Exchange() {
  timer_.cancel();
  yield_task_.unlink_if_linked();
  unlink();
}

void Http2Exchange::move_on() {
  all_.look_later();
  const bool was_reading_head = is_reading_head();
  switch (advance()) {
    case Outcome::yield:
      if (!yield_task_.is_linked()) all_.services_.loop.run_later(yield_task_);
      [[fallthrough]];
    case Outcome::pending:
      if (was_reading_head && !is_reading_head()) set_deadline(limits::body_progress_timeout);
      return;
    // An answer to a request that the client has not sent in full: its stream is reset without an error when it goes
    // (RFC 9113 8.1).
    case Outcome::reuse_client:
    case Outcome::close_client: return all_.destroy(*this);
    case Outcome::abort_client: stream().reset(http::Http2Error::internal_error); return all_.destroy(*this);
  }
}

void Http2Exchange::end() {
  cancel();
  all_.destroy(*this);
}

// The client is told, by a reset of the stream.
void Http2Exchange::give_up() {
  all_.look_later();
  end();
}

void Http2Exchange::set_deadline(Duration from_now) {
  moved_at_last_look_ = moved();
  timer_.cancel();
  all_.services_.loop.timers().arm(timer_, all_.services_.loop.now() + from_now);
}

uint64_t Http2Exchange::moved() const noexcept {
  return is_reading_head() || awaiting() != Awaiting::upstream_reading ? content_moved() : upstream().bytes_taken();
}

// As ClientConnection does it for the one exchange of HTTP/1.
void Http2Exchange::on_expired() {
  if (is_reading_head()) return give_up();  // a header block that does not end: nothing can be answered within it
  if (moved() != moved_at_last_look_) return set_deadline(progress_timeout());
  switch (awaiting()) {
    case Awaiting::client: return give_up();
    case Awaiting::upstream_reading: return time_out_request();
    case Awaiting::upstream_answer: return set_deadline(progress_timeout());
  }
}

// --- All of a connection ---------------------------------------------------------------------------

Http2Exchanges::Http2Exchanges(Services& services, ClientConnection& connection)
    : services_(services),
      connection_(connection),
      session_(http::Http2Session::Role::server, connection.transport().sink(),
               {.on_request = on_request, .on_stream_change = on_stream_change, .owner = this}),
      minute_began_(services.loop.now()),
      drain_timer_([](void* self) { static_cast<Http2Exchanges*>(self)->shut_down(); }, this),
      look_task_([](void* self) { static_cast<Http2Exchanges*>(self)->connection_.on_upstream_change(); }, this) {}

Http2Exchanges::~Http2Exchanges() {
  CHECK(count_ == 0);
  drain_timer_.cancel();
  look_task_.unlink_if_linked();
}

bool Http2Exchanges::serve() {
  if (const Instant now = services_.loop.now(); now - minute_began_ >= std::chrono::minutes(1)) {
    session_.note_minute();
    minute_began_ = now;
  }
  transport::Transport& transport = connection_.transport();
  bool is_alive = true;
  // A client that asks and does not read: what it asks for next waits until it has taken its answers.
  while (is_alive && !transport.readable().empty() && transport.writable_bytes() > 0) {
    const ConstBytes input = transport.readable();
    is_alive = session_.receive(input);
    transport.consume(input.size());
  }
  if (transport.is_at_end() || transport.has_send_failed()) session_.end_of_input();
  if (transport.writable_bytes() == 0) {
    has_no_room_ = true;
  } else if (std::exchange(has_no_room_, false)) {
    exchanges_.for_each([](Http2Exchange& exchange) { exchange.move_on(); });
  }
  transport.flush();
  return is_alive && !session_.is_finished() && !(transport.is_at_end() && has_none());
}

http::Http2Stream* Http2Exchanges::on_request(void* self) {
  auto& all = *static_cast<Http2Exchanges*>(self);
  Http2Exchange& exchange = all.services_.http2_exchanges.create(all, all.services_, all.connection_);
  all.exchanges_.push_back(exchange);
  ++all.count_;
  const Exchange::Outcome outcome = exchange.advance();  // the head is to come
  CHECK(outcome == Exchange::Outcome::pending);
  return &exchange.stream();
}

void Http2Exchanges::on_stream_change(void*, http::Http2Stream& stream) {
  static_cast<Http2Exchange&>(Http2ClientSide::of(stream)).move_on();
}

// After everything else of this turn: frames go out together.
void Http2Exchanges::look_later() noexcept {
  if (!look_task_.is_linked()) services_.loop.run_later(look_task_);
}

void Http2Exchanges::destroy(Http2Exchange& exchange) {
  services_.http2_exchanges.destroy(exchange);
  if (--count_ == 0) connection_.on_last_exchange_ended();
}

void Http2Exchanges::drain() {
  if (std::exchange(is_draining_, true)) return;
  session_.announce_shutdown();
  services_.loop.timers().arm(drain_timer_, services_.loop.now() + limits::http2_drain_notice);
  look_later();
}

void Http2Exchanges::shut_down() {
  drain_timer_.cancel();
  session_.shut_down();
  look_later();
}

void Http2Exchanges::end() {
  while (!exchanges_.empty()) exchanges_.front().end();
}

}  // namespace sluice::proxy
