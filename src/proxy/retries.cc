// Requests that are sent more than once: because the connection that was taken for them had been closed already, or
// because the route says what is to be tried again (route/retry.h).
#include "proxy/client_connection.h"
#include "proxy/exchange.h"
#include "route/retry.h"

namespace sluice::proxy {

using observe::ResponseFlag;

void Exchange::prepare_retries() {
  static const snapshot::RetryPolicy default_policy;
  retries_ = decision_.route->retries == nullptr ? &default_policy : decision_.route->retries.get();
  borrowed_.limit_attempts(1U + retries_->attempts, route::retries_connect(*retries_));
  if (!request_.has_content()) return;
  keeps_for_retries_ = route::may_repeat_content(*retries_, request_);
  if (!keeps_for_retries_ && mirrors_ == 0) return;
  const size_t bytes_max = mirrors_ == 0 ? limits::replayed_content_bytes_max : limits::mirrored_content_bytes_max;
  if (request_.framing == http::BodyFraming::chunked || request_.content_length <= bytes_max)
    replay_.emplace(client_->request(), bytes_max, services_.kept_content);
}

// --- Connections that were closed already ----------------------------------------------------------

// A pooled connection that its upstream closed just as it was taken: once more, on a new one, when the
// upstream cannot have acted on the request or acting twice does no harm (RFC 9110 9.2.2, RFC 9112 9.3.1).
bool Exchange::may_retry_lost_request() const noexcept {
  if (!upstream_->may_have_been_stale() || !can_repeat() || lost_count_ == limits::connect_attempts_max) return false;
  if (upstream_->has_sent_nothing()) return true;
  if (retries_->attempts == 0) return false;
  constexpr std::string_view kIdempotent[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"};
  for (const std::string_view method : kIdempotent) {
    if (request_.method == method) return true;
  }
  return false;
}

// What was read of the body, bytes or the mark that ends a chunked one (with its trailers), has gone to the upstream:
// nothing has, or it is kept. That more is kept for mirrors makes no difference.
bool Exchange::can_repeat() const noexcept {
  if (keeps_for_retries_ && replay_)
    return replay_->can_rewind() && replay_->bytes_received() <= limits::replayed_content_bytes_max;
  return request_bytes_ == 0 && !(request_done_ && request_.framing == http::BodyFraming::chunked);
}

// --- What the route says ---------------------------------------------------------------------------

bool Exchange::may_try_again() {
  if (!borrowed_.has_attempts_left() || !can_repeat()) return false;
  if (borrowed_.count_retry()) return true;
  flags_.set(ResponseFlag::upstream_overflow);  // and what there is goes to the client, as with Envoy
  return false;
}

// Another attempt, after a pause.
Exchange::Outcome Exchange::try_again() {
  start_over();
  if (!retries_->avoids_previous_endpoint) borrowed_.forgive_endpoint();
  state_ = State::backing_off;
  const Duration pause = route::retry_backoff(*retries_, borrowed_.attempts() + 1, services_.random.next());
  services_.loop.timers().arm(try_timer_, services_.loop.now() + pause);
  return Outcome::pending;
}

// What the last attempt has left is gone.
void Exchange::start_over() {
  services_.observer.counters.upstream_retries.add();
  release_upstream(/*reusable=*/false);
  response_ = http::ResponseHead(arena_);
  response_state_ = ResponseState::awaiting_head;
  request_done_ = false;
  try_timer_.cancel();
  if (replay_) replay_->rewind();
}

// This response is the one.
void Exchange::forget_retries() {
  try_timer_.cancel();
  if (replay_ && mirrors_ == 0) replay_->forget();
}

void Exchange::on_try_timer(void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  const bool has_held_enough = std::exchange(exchange.holds_bytes_, false);  // there are no tries of a tunnel
  exchange.try_timed_out_ = !has_held_enough && exchange.state_ == State::forwarding;
  exchange.client_->wake();
}

Exchange::Outcome Exchange::on_try_timed_out() {
  try_timed_out_ = false;
  if (route::retries_lost(*retries_) && may_try_again()) return try_again();
  flags_.set(ResponseFlag::upstream_request_timeout);
  if (borrowed_.attempts() > 1) flags_.set(ResponseFlag::upstream_retry_limit_exceeded);
  return reply_locally(504, "upstream_per_try_timeout", "upstream request timeout");
}

}  // namespace sluice::proxy
