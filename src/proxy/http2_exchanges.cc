#include "proxy/http2_exchanges.h"

#include "base/check.h"
#include "base/limits.h"
#include "proxy/client_connection.h"

#include <algorithm>
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
  if (is_over_) return leave();
  const bool was_reading_head = is_reading_head();
  const bool had_switched = has_switched();
  switch (advance()) {
    case Outcome::yield:
      if (!yield_task_.is_linked()) all_.services_.loop.run_later(yield_task_);
      [[fallthrough]];
    case Outcome::pending:
      if (all_.connection_.transport().writable_bytes() == 0) all_.has_no_room_ = true;
      if (was_reading_head != is_reading_head() || had_switched != has_switched()) set_deadline(progress_timeout());
      return;
    case Outcome::reuse_client:
    case Outcome::close_client: return leave();
    case Outcome::abort_client:
      stream().reset(is_tunnel() ? http::Http2Error::connect_error : http::Http2Error::internal_error);
      return all_.destroy(*this);
    case Outcome::tunnel: break;  // of HTTP/1 only
  }
  UNREACHABLE();
}

// Not before the end of the response has gone: END_STREAM comes in a DATA frame, and for that even an empty one waits
// for the windows. When that was an answer to a request that the client has not sent in full, its stream is then reset
// without an error (RFC 9113 8.1).
void Http2Exchange::leave() {
  if (stream().is_sent() || stream().is_lost()) return all_.destroy(*this);
  if (!std::exchange(is_over_, true)) set_deadline(limits::client_write_timeout);
}

void Http2Exchange::end() {
  cancel();
  all_.destroy(*this);
}

void Http2Exchange::set_deadline(Duration from_now) {
  moved_at_last_look_ = moved(Count::sent);
  all_.services_.loop.timers().arm(timer_, all_.services_.loop.now() + from_now);
}

// What the client takes of the connection is progress of those that wait for it. (Elsewhere than here, what is compared
// may be of two kinds: then it has moved.)
uint64_t Http2Exchange::moved(Count of_request) const noexcept {
  if (is_reading_head() || is_over_) return 0;
  if (awaiting() == Awaiting::upstream_reading)
    return of_request == Count::sent ? upstream().bytes_sent() : upstream().bytes_taken();
  const transport::Transport& transport = all_.connection_.transport();
  return content_moved() + (transport.writable_bytes() == 0 ? transport.stream().bytes_taken() : 0);
}

// Nothing can be answered within a header block that does not end.
void Http2Exchange::on_expired() {
  if (is_reading_head() || is_over_) return end();
  if (const uint64_t taken = moved(Count::taken); taken != moved_at_last_look_) {
    set_deadline(progress_timeout());
    moved_at_last_look_ = taken;
    return;
  }
  switch (awaiting()) {
    case Awaiting::client: return end();
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
      drain_timer_([](void* self) { static_cast<Http2Exchanges*>(self)->shut_down(); }, this),
      look_task_([](void* self) { static_cast<Http2Exchanges*>(self)->connection_.look(); }, this) {}

Http2Exchanges::~Http2Exchanges() {
  CHECK(count_ == 0);
  drain_timer_.cancel();
  look_task_.unlink_if_linked();
}

bool Http2Exchanges::serve() {
  transport::Transport& transport = connection_.transport();
  read();
  if (transport.is_at_end() || transport.has_send_failed()) session_.end_of_input();
  session_.tell_changes();
  use_room();
  session_.flush();
  transport.flush();
  return !session_.is_finished();
}

void Http2Exchanges::read() {
  session_.note_time(services_.loop.now());
  transport::Transport& transport = connection_.transport();
  bool is_alive = true;
  begun_count_ = 0;
  // A client that asks and does not read: what it asks for next waits until it has taken its answers.
  while (is_alive && transport.stream().unsent_bytes() < limits::http2_unsent_bytes_max) {
    const ConstBytes input = transport.readable();
    if (input.empty()) return;
    if (begun_count_ >= limits::requests_per_turn_max) return look_later();
    const ConstBytes piece = input.first(std::min(input.size(), limits::http2_input_piece_bytes));
    is_alive = session_.receive(piece);
    transport.consume(piece.size());
  }
}

// Each can go on until there is none left; whoever was first is the last one next time.
void Http2Exchanges::use_room() {
  const transport::Transport& transport = connection_.transport();
  if (!has_no_room_ || transport.writable_bytes() == 0) return;
  has_no_room_ = false;
  for (uint32_t left = count_; left > 0 && !exchanges_.empty() && !has_no_room_; --left) {
    Http2Exchange& exchange = exchanges_.pop_front();
    exchanges_.push_back(exchange);
    exchange.move_on();
  }
}

http::Http2Stream* Http2Exchanges::on_request(void* self) {
  auto& all = *static_cast<Http2Exchanges*>(self);
  ++all.begun_count_;
  if (!all.may_begin()) return nullptr;
  Http2Exchange& exchange = all.services_.http2_exchanges.create(all, all.services_, all.connection_);
  all.exchanges_.push_back(exchange);
  ++all.count_;
  const Exchange::Outcome outcome = exchange.advance();  // the head is to come
  CHECK(outcome == Exchange::Outcome::pending);
  return &exchange.stream();
}

// A few bytes of HPACK can become a large head.
bool Http2Exchanges::may_begin() noexcept {
  if (count_ * limits::exchange_arena_bytes_max < limits::http2_heads_bytes_max) return true;  // whatever they have
  size_t bytes = 0;
  exchanges_.for_each([&bytes](const Http2Exchange& exchange) { bytes += exchange.head_bytes(); });
  return bytes < limits::http2_heads_bytes_max;
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
  --count_;
  connection_.on_http2_exchange_ended();
  look_later();
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
  drain_timer_.cancel();
  while (!exchanges_.empty()) exchanges_.front().end();
}

}  // namespace sluice::proxy
