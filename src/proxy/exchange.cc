#include "proxy/exchange.h"

#include "http/grpc.h"
#include "http/http1_writer.h"
#include "http/hygiene.h"
#include "http/websocket.h"
#include "proxy/client_connection.h"
#include "proxy/first_words.h"
#include "proxy/tcp_proxy.h"
#include "route/retry.h"

#include <charconv>
#include <utility>

namespace sluice::proxy {

using forward::CopyStatus;
using forward::SpliceStatus;
using observe::ResponseFlag;

namespace {
constexpr std::string_view kNotRegistered = "not_registered";
}  // namespace

Exchange::Exchange(Services& services, ClientConnection& connection, ClientSide& client) noexcept
    : services_(services),
      connection_(connection),
      client_(&client),
      arena_(limits::exchange_arena_bytes_max, first_block_),
      request_(arena_),
      response_(arena_),
      borrowed_(services, {.on_change = on_upstream_change, .owner = this}),
      timer_(on_timer, this),
      try_timer_(on_try_timer, this),
      started_at_(services.loop.now()) {
  services_.observer.counters.requests_active.add();
}

Exchange::~Exchange() {
  CHECK(state_ == State::ended && snapshot_ == nullptr);
  services_.observer.counters.requests_active.subtract();
}

Exchange::Outcome Exchange::advance() {
  if (timed_out_) return on_timed_out();
  if (try_timed_out_) return on_try_timed_out();
  switch (state_) {
    case State::reading_head: return read_request_head();
    case State::delayed:
      if (client_->has_left()) return on_client_lost();
      return timer_.is_armed() ? Outcome::pending : inject_abort();
    case State::backing_off:
      if (client_->has_left()) return on_client_lost();
      return try_timer_.is_armed() ? Outcome::pending : borrow_upstream(BorrowedUpstream::Wanted::any);
    case State::connecting:
      if (client_->has_left()) return on_client_lost();
      return on_borrowed(
          borrowed_.look_at_connect(is_connect() ? BorrowedUpstream::Wanted::bytes : BorrowedUpstream::Wanted::any));
    case State::forwarding: return forward_both_ways();
    case State::tunnelling: return advance_tunnel();
    case State::answering: return write_answer();
    case State::ended: break;
  }
  UNREACHABLE();
}

// --- 3 and 4. The head, and the route that it chooses ----------------------------------------------

Exchange::Outcome Exchange::read_request_head() {
  switch (client_->read_head(request_)) {
    case HeadStatus::pending: return Outcome::pending;
    case HeadStatus::done: return on_request_head();
    case HeadStatus::failed: return on_bad_request();
    case HeadStatus::ended: return on_client_lost();
  }
  UNREACHABLE();
}

Exchange::Outcome Exchange::on_request_head() {
  received_path_ = request_.target;
  snapshot_ = &services_.snapshots.pin_current();
  const uint64_t random = services_.random.next();
  if (connection_.is_outbound()) return on_outbound_head(random);
  const snapshot::GatewayTopology& topology = snapshot_->tables.topology;
  const http::ForwardingFacts facts{
      .peer = connection_.peer_address(),
      .is_tls = connection_.is_tls(),
      .request_id = {services_.random.next(), services_.random.next()},
      .client_certificate = topology.tells_client_cert() ? connection_.forwarded_certificate() : std::string_view{},
      .keeps_client_certificates = topology.keeps_client_certs(connection_.has_certificate()),
      .trusted_proxies = topology.num_trusted_proxies,
      .path_normalization = snapshot_->tables.path_normalization};
  if (const auto answer = prepare(request_, facts)) return reply_locally(*answer);
  decision_ = connection_.choose_route(*snapshot_, request_, random);
  if (const auto web = http::read_grpc_web(request_); web && connection_.translates_grpc_web_in(*snapshot_)) {
    if (!http::translate_grpc_web(request_, *web)) return reply_locally(431, "request_headers_too_large");
    grpc_web_ = std::make_unique<GrpcWebClientSide>(*client_, *web);
    client_ = grpc_web_.get();
  }
  return inject_delay();
}

// --- 5. An upstream connection ---------------------------------------------------------------------

Exchange::Outcome Exchange::borrow_upstream(BorrowedUpstream::Wanted wanted) {
  state_ = State::connecting;
  // What a client speaks to its proxy says nothing of the destination.
  const bool is_to_proxy = connection_.is_outbound() && !connection_.is_redirected();
  const http::Version version = is_to_proxy ? http::Version::http_1_1 : request_.version;
  return on_borrowed(borrowed_.borrow(*snapshot_, decision_.destination->cluster, connection_,
                                      connection_.requested_target(request_), version, wanted));
}

Exchange::Outcome Exchange::on_borrowed(BorrowedUpstream::Status status) {
  switch (status) {
    case BorrowedUpstream::Status::connecting: return Outcome::pending;
    case BorrowedUpstream::Status::ready: return on_upstream_ready();
    case BorrowedUpstream::Status::unavailable:
      flags_.set(ResponseFlag::no_healthy_upstream);
      return reply_locally(503, "no_healthy_upstream", "no healthy upstream");
    case BorrowedUpstream::Status::overflow:
      flags_.set(ResponseFlag::upstream_overflow);
      return reply_locally({.status = 503,
                            .details = "upstream_reset_before_response_started{overflow}",
                            .body = "upstream connect error or disconnect/reset before headers. reset reason: overflow",
                            .is_overloaded = true});
    case BorrowedUpstream::Status::failed:
      flags_.set(ResponseFlag::upstream_connection_failure);
      if (borrowed_.attempts() > 1) flags_.set(ResponseFlag::upstream_retry_limit_exceeded);
      return reply_locally(
          503, "upstream_reset_before_response_started{connection_failure}",
          "upstream connect error or disconnect/reset before headers. reset reason: connection failure");
    case BorrowedUpstream::Status::unresolved:
      flags_.set(ResponseFlag::dns_resolution_failure);
      return reply_locally(503, "dns_resolution_failure", "the name of the host has no address");
    case BorrowedUpstream::Status::forbidden:
      return reply_locally(403, "private_address", "the address of the host is not one that is reached through here");
  }
  UNREACHABLE();
}

void Exchange::on_upstream_change(void* self) { static_cast<Exchange*>(self)->client_->wake(); }

Exchange::Outcome Exchange::on_upstream_ready() {
  if (is_connect()) return on_connect_ready();
  state_ = State::forwarding;
  const std::string_view target = http::upstream_target(request_);
  if (target.empty() || !set_attempt_count()) return reply_locally(431, "request_headers_too_large");
  if (upstream::Http2Request* shared = borrowed_.http2()) {
    upstream_ = &side_.emplace<Http2UpstreamSide>(*shared);
  } else {
    upstream_ = &side_.emplace<Http1UpstreamSide>(borrowed_.connection());
  }
  upstream_->expect_head(response_, request_.method);
  upstream_->write_head(request_, target);
  if (!request_.has_content()) on_request_done();
  if (std::exchange(request_.expects_continue, false)) client_->write_continue();
  return forward_both_ways();
}

// Hygiene has said that it is the first. False: the head has filled the arena.
bool Exchange::set_attempt_count() {
  if (borrowed_.attempts() == 1 || connection_.is_outbound()) return true;
  char text[10];
  const char* end = std::to_chars(text, text + sizeof text, borrowed_.attempts()).ptr;
  const std::string_view copy = arena_.copy({text, static_cast<size_t>(end - text)});
  return copy.data() != nullptr && request_.headers.set("x-envoy-attempt-count", copy);
}

forward::ContentSource& Exchange::request_content() noexcept {
  if (replay_) return *replay_;
  return client_->request();
}

// Timeouts are for the response: they begin when the request is complete, as in Envoy. The route's is for all attempts
// together.
void Exchange::on_request_done() {
  request_done_ = true;
  if (carries_bytes_) return;
  if (mirrors_ != 0) send_to_mirrors();
  const auto arm = [this](Timer& timer, Duration timeout) {
    if (timeout > Duration::zero() && !timer.is_armed())
      services_.loop.timers().arm(timer, services_.loop.now() + timeout);
  };
  arm(timer_, response_timeout(*decision_.route, request_));
  arm(try_timer_, retries_->per_try_timeout);
}

// --- 6. Forwarding ---------------------------------------------------------------------------------

Exchange::Outcome Exchange::forward_both_ways() {
  for (bool moved = true; moved;) {
    moved = false;
    if (!splice_) {
      const Outcome outcome = copy_both_ways(moved);
      if (outcome != Outcome::pending) return outcome;
      if (state_ == State::tunnelling) return advance_tunnel();
      if (state_ != State::forwarding) return Outcome::pending;  // another attempt
      if (!moved && splice_direction_ != SpliceDirection::none) begin_splice(moved);
    }
    if (splice_) {
      const Outcome outcome = advance_splice(moved);
      if (outcome != Outcome::pending) return outcome;
    }
  }
  if (splice_direction_ != SpliceDirection::none) return Outcome::pending;
  // A client that has gone away while nothing of it is due: the upstream need not go on.
  if (request_done_ && !carries_bytes_ && client_->has_left()) return on_client_lost();
  if (client_->response().has_failed()) return on_client_lost();
  return Outcome::pending;
}

Exchange::Outcome Exchange::copy_both_ways(bool& moved) {
  Outcome outcome = Outcome::pending;
  if (!request_done_) outcome = forward_request_body(moved);
  if (outcome == Outcome::pending && response_state_ == ResponseState::awaiting_head)
    outcome = await_response_head(moved);
  if (outcome == Outcome::pending && response_state_ == ResponseState::body) outcome = forward_response_body(moved);
  if (upstream_ != nullptr) upstream_->flush();
  return outcome == Outcome::pending && are_bytes_over() ? end_bytes() : outcome;
}

Exchange::Outcome Exchange::forward_request_body(bool& moved) {
  if (holds_bytes_) {
    const Outcome outcome = look_at_first_bytes();
    if (outcome != Outcome::pending || holds_bytes_) return outcome;
  }
  const forward::CopyResult copied = forward::copy_content(request_content(), &upstream_->request());
  request_bytes_ = replay_ ? replay_->bytes_received() : request_bytes_ + copied.bytes;
  moved |= copied.bytes > 0;
  switch (copied.status) {
    case CopyStatus::blocked: consider_splice(SpliceDirection::request); return Outcome::pending;
    case CopyStatus::yield: return Outcome::yield;
    case CopyStatus::done:
      on_request_done();
      moved = true;
      return Outcome::pending;
    case CopyStatus::source_ended: return on_client_lost();
    case CopyStatus::source_failed: return on_bad_request();
    case CopyStatus::sink_failed:
      // It may have answered before it stopped reading: the response, or its absence, decides.
      if (carries_bytes_) request_done_ = true;
      return Outcome::pending;
  }
  UNREACHABLE();
}

Exchange::Outcome Exchange::await_response_head(bool& moved) {
  switch (upstream_->read_head()) {
    case HeadStatus::pending: return Outcome::pending;
    case HeadStatus::done: moved = true; return on_response_head();
    case HeadStatus::failed: return on_bad_response();
    case HeadStatus::ended: return on_upstream_lost();
  }
  UNREACHABLE();
}

Exchange::Outcome Exchange::on_response_head() {
  if (response_.status == 101) return switch_protocols();
  // To an extended CONNECT, it would say that the protocols were switched.
  if (request_.wants_upgrade && request_.version == http::Version::http_2 && response_.status / 100 == 2)
    return on_bad_response();
  if (response_.status < 200) return forward_informational();
  if (route::retries_response(*retries_, response_)) {
    if (may_try_again()) return try_again();
    if (borrowed_.attempts() > 1 && !borrowed_.has_attempts_left())
      flags_.set(ResponseFlag::upstream_retry_limit_exceeded);
  }
  forget_retries();

  const Duration upstream_time = services_.loop.now() - started_at_;
  upstream_service_ms_ = to_milliseconds(upstream_time);
  status_ = response_.status;
  details_ = "via_upstream";
  borrowed_.learn_patience(response_);
  if (!prepare_fields(upstream_time) || !apply_response_operations(response_.headers)) return on_bad_response();
  client_keep_alive_ = client_->write_head(response_, request_, may_keep_client());
  response_started_ = true;
  response_state_ = ResponseState::body;
  consider_splice(SpliceDirection::response);
  return Outcome::pending;
}

// False: they do not fit.
bool Exchange::prepare_fields(Duration upstream_time) {
  const WallTime wall = services_.loop.wall_now();
  return connection_.is_outbound() ? http::prepare_outbound_response(response_, wall)
                                   : http::prepare_response(response_, upstream_time, wall);
}

// 100 is answered by sluice itself (on_upstream_ready); others (103) go on to clients that know them.
Exchange::Outcome Exchange::forward_informational() {
  if (++informational_count_ > limits::informational_responses_max) return on_bad_response();
  if (response_.status != 100 && request_.version != http::Version::http_1_0) {
    if (!prepare_fields(services_.loop.now() - started_at_)) return on_bad_response();
    client_->write_informational(response_);
  }
  response_ = http::ResponseHead(arena_);
  upstream_->expect_head(response_, request_.method);
  return Outcome::pending;
}

Exchange::Outcome Exchange::forward_response_body(bool& moved) {
  const forward::CopyResult copied = forward::copy_content(upstream_->response(), &client_->response());
  response_bytes_ += copied.bytes;
  moved |= copied.bytes > 0;
  switch (copied.status) {
    case CopyStatus::blocked: consider_splice(SpliceDirection::response); return Outcome::pending;
    case CopyStatus::yield: return Outcome::yield;
    case CopyStatus::done: return on_response_done();
    case CopyStatus::source_ended: return on_upstream_lost();
    case CopyStatus::source_failed: return on_bad_response();
    case CopyStatus::sink_failed: return on_client_lost();
  }
  UNREACHABLE();
}

Exchange::Outcome Exchange::on_response_done() {
  response_state_ = ResponseState::done;
  if (carries_bytes_) return Outcome::pending;
  if (http::is_grpc(request_)) note_grpc_status();
  release_upstream(/*reusable=*/request_done_ && response_.keep_alive);
  // An upstream that answered before it had read everything: what the client still sends is not wanted.
  return end(client_keep_alive_ && request_done_ ? Outcome::reuse_client : Outcome::close_client);
}

// Behind the content, or in the head of a response that has none.
void Exchange::note_grpc_status() noexcept {
  const http::HeaderList& trailers = upstream_->response().trailers();
  const http::HeaderList& fields = trailers.find("grpc-status") ? trailers : response_.headers;
  grpc_status_ = read_grpc_status(fields.find("grpc-status").value_or(std::string_view()));
}

// --- Zero copy -------------------------------------------------------------------------------------

// A long body that both sides carry as it is: from now on by splice, once first the source and then the
// sink have become quiet.
void Exchange::consider_splice(SpliceDirection direction) {
  if (splice_refused_ || splice_direction_ != SpliceDirection::none) return;
  const bool is_request = direction == SpliceDirection::request;
  if (splice_content(is_request).passable_bytes() < limits::splice_threshold_bytes) return;
  transport::Transport* const client = client_->connection();
  transport::Transport* const upstream = upstream_->connection();
  if (client == nullptr || client->is_tls() || upstream == nullptr || upstream->is_tls()) return;
  io::Stream& source = (is_request ? client : upstream)->stream();
  // A source that does not take what is sent to it is read on, lest it waits for that and we for it.
  if (source.has_receive_ended() || !source.has_sent_all() || (!is_request && !request_done_)) return;
  if (!(is_request ? upstream_->request() : client_->response()).is_passable()) return;
  splice_direction_ = direction;
  source.request_splice_mode();
}

// Of the message that is spliced, or may be.
forward::ContentSource& Exchange::splice_content(bool is_request) noexcept {
  return is_request ? request_content() : upstream_->response();
}

void Exchange::leave_splice_mode() {
  if (std::exchange(splice_direction_, SpliceDirection::none) == SpliceDirection::none) return;
  splice_.reset();
  client_->connection()->stream().leave_splice_mode();
  if (upstream_ != nullptr) upstream_->connection()->stream().leave_splice_mode();
}

void Exchange::begin_splice(bool& moved) {
  const bool is_request = splice_direction_ == SpliceDirection::request;
  io::Stream& client = client_->connection()->stream();
  io::Stream& upstream = upstream_->connection()->stream();
  io::Stream& source = is_request ? client : upstream;
  io::Stream& sink = is_request ? upstream : client;
  const uint64_t bytes = splice_content(is_request).passable_bytes();

  if (!source.has_receive_ended() && source.has_sent_all() && sink.send_error() == 0 && bytes > 0) {
    // The sink is listened to until it has taken what was copied: it may answer early and take no more.
    if (source.is_spliceable() && source.receive_queue().empty() && sink.has_sent_all()) sink.request_splice_mode();
    if (!forward::SplicePump::is_ready(source, sink)) return;
    splice_.emplace(services_.pipes, source, sink, bytes);
    if (splice_->start()) return;
    splice_refused_ = true;  // no descriptors: copy on
  }
  // Or the end came first, or copying has moved the whole body meanwhile. Copying goes on, and sees it.
  leave_splice_mode();
  moved = true;
}

Exchange::Outcome Exchange::advance_splice(bool& moved) {
  const uint64_t before = splice_->bytes_taken();
  const SpliceStatus status = splice_->advance(forward::SplicePump::WatchSink::yes);
  const uint64_t count = splice_->bytes_taken() - before;
  const bool is_request = splice_direction_ == SpliceDirection::request;
  splice_content(is_request).pass_by(count);
  (is_request ? request_bytes_ : response_bytes_) += count;
  services_.observer.counters.spliced_bytes.add(count);
  switch (status) {
    case SpliceStatus::waiting: return Outcome::pending;
    case SpliceStatus::yield: return Outcome::yield;
    case SpliceStatus::interrupted:
      // The sink has something to say: an early response, a client that leaves or pipelines. Copying
      // listens to both sides.
      splice_refused_ = true;
      [[fallthrough]];
    case SpliceStatus::done:
    case SpliceStatus::source_ended:
    case SpliceStatus::source_failed:
    case SpliceStatus::sink_failed:
      // Back to copying, whose next look finds the body done, the source ended or the sink broken.
      leave_splice_mode();
      moved = true;
      return Outcome::pending;
  }
  UNREACHABLE();
}

// --- 101 Switching Protocols -----------------------------------------------------------------------

// Between two connections of HTTP/1, bytes go through a tunnel, which may splice. A stream of HTTP/2 carries them as
// the content of its messages, and so does what is at the other end of it.
Exchange::Outcome Exchange::switch_protocols() {
  if (!request_.wants_upgrade) return on_bad_response();
  // A client of HTTP/2 hears of a success alone.
  if (request_.version == http::Version::http_2 && !http::agrees_to_upgrade(request_, response_))
    return on_bad_response();
  const Duration upstream_time = services_.loop.now() - started_at_;
  upstream_service_ms_ = to_milliseconds(upstream_time);
  status_ = 101;
  details_ = "via_upstream";
  const std::string_view protocol = response_.headers.find("upgrade").value_or(request_.upgrade);
  if (!prepare_fields(upstream_time) || !apply_response_operations(response_.headers)) return on_bad_response();
  client_->write_switched(response_, protocol);
  response_started_ = true;
  timer_.cancel();
  forget_retries();
  transport::Transport* const client = client_->connection();
  transport::Transport* const upstream = upstream_->connection();
  if (client != nullptr && upstream != nullptr) {
    state_ = State::tunnelling;
    tunnel_.emplace(services_, *client, *upstream);
    return Outcome::pending;
  }
  services_.observer.counters.tunnels_active.add();
  carries_bytes_ = true;
  upstream_->switch_to_bytes();
  request_done_ = false;
  response_state_ = ResponseState::body;
  return Outcome::pending;
}

// Each direction ends on its own.
bool Exchange::are_bytes_over() const noexcept {
  if (!carries_bytes_ || !request_done_ || response_state_ != ResponseState::done) return false;
  return upstream_->request().has_failed() || !upstream_->has_unsent();
}

Exchange::Outcome Exchange::end_bytes() {
  release_upstream(/*reusable=*/false, io::Stream::Ending::orderly);
  return end(Outcome::close_client);
}

Exchange::Outcome Exchange::advance_tunnel() {
  const Tunnel::Status status = tunnel_->advance();
  request_bytes_ = tunnel_->bytes_to_upstream();
  response_bytes_ = tunnel_->bytes_to_client();
  switch (status) {
    case Tunnel::Status::open: return Outcome::pending;
    case Tunnel::Status::yield: return Outcome::yield;
    case Tunnel::Status::done:
      tunnel_.reset();
      release_upstream(/*reusable=*/false, io::Stream::Ending::orderly);
      return end(Outcome::close_client);
    case Tunnel::Status::failed: {
      const transport::Transport& client = *client_->connection();
      const bool is_client_lost = client.stream().receive_error() != 0 || client.has_send_failed() ||
                                  client.has_read_failed() || client.is_truncated();
      tunnel_.reset();
      return is_client_lost ? on_client_lost() : on_upstream_lost();
    }
  }
  UNREACHABLE();
}

// --- Ways in which it ends early -------------------------------------------------------------------

Exchange::Outcome Exchange::on_bad_request() {
  const http::Refusal refusal = client_->refusal();
  const Answer answer = refusal_answer(refusal.error, refusal.text);
  if (!client_->response().has_failed()) return reply_locally(answer);
  // Its stream was reset at once: nobody can be told.
  release_upstream(/*reusable=*/false);
  flags_.bits |= answer.flags.bits;
  details_ = answer.details;
  return end(Outcome::abort_client);
}

void Exchange::time_out_head() { static_cast<void>(reply_locally(408, "request_header_timeout")); }

// The upstream's connection ended before the response did.
Exchange::Outcome Exchange::on_upstream_lost() {
  const bool was_reset = upstream_->was_reset();
  if (response_started_) {
    flags_.set(was_reset ? ResponseFlag::upstream_remote_reset : ResponseFlag::upstream_connection_termination);
    details_ = "upstream_reset_after_response_started{connection_termination}";
    release_upstream(/*reusable=*/false);
    return end(Outcome::abort_client);
  }
  if (may_retry_lost_request()) {
    ++lost_count_;
    start_over();
    borrowed_.forgive_endpoint();  // its connection was stale
    return borrow_upstream(BorrowedUpstream::Wanted::fresh);
  }
  if (route::retries_lost(*retries_)) {
    if (may_try_again()) return try_again();
    if (borrowed_.attempts() > 1) flags_.set(ResponseFlag::upstream_retry_limit_exceeded);
  }
  flags_.set(was_reset ? ResponseFlag::upstream_remote_reset : ResponseFlag::upstream_connection_termination);
  if (upstream_->has_read_failed()) {
    borrowed_.note_tls_error();
  } else {
    upstream_failure_ = was_reset ? "remote_reset" : "connection_termination";
  }
  return reply_locally(
      503, "upstream_reset_before_response_started{connection_termination}",
      "upstream connect error or disconnect/reset before headers. reset reason: connection termination");
}

Exchange::Outcome Exchange::on_bad_response() {
  if (!response_started_ && route::retries_lost(*retries_) && may_try_again()) return try_again();
  flags_.set(ResponseFlag::upstream_protocol_error);
  if (response_started_) {
    details_ = "upstream_reset_after_response_started{protocol_error}";
    release_upstream(/*reusable=*/false);
    return end(Outcome::abort_client);
  }
  upstream_failure_ = "protocol_error";
  return reply_locally(502, "upstream_reset_before_response_started{protocol_error}",
                       "upstream connect error or disconnect/reset before headers. reset reason: protocol error");
}

Exchange::Outcome Exchange::on_timed_out() {
  timed_out_ = false;
  flags_.set(ResponseFlag::upstream_request_timeout);
  return reply_locally(504, "response_timeout", "upstream request timeout");
}

Exchange::Outcome Exchange::on_client_lost() {
  flags_.set(ResponseFlag::downstream_connection_termination);
  if (details_ != host_mismatch) details_ = "downstream_remote_disconnect";
  if (!response_started_) status_ = 0;
  release_upstream(/*reusable=*/false);
  // The alert tells that nothing is complete; a reset would overtake it.
  return end(client_->has_read_failed() ? Outcome::close_client : Outcome::abort_client);
}

void Exchange::cancel() {
  if (state_ == State::ended) return;
  tunnel_.reset();
  static_cast<void>(on_client_lost());
}

void Exchange::on_timer(void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  if (exchange.state_ != State::delayed) return exchange.time_out_request();
  exchange.client_->wake();  // the delay is over
}

void Exchange::time_out_request() {
  timed_out_ = true;
  client_->wake();
}

// --- The end ---------------------------------------------------------------------------------------

Exchange::Outcome Exchange::end(Outcome outcome) {
  timer_.cancel();
  try_timer_.cancel();
  if (std::exchange(carries_bytes_, false)) services_.observer.counters.tunnels_active.subtract();
  if (mirrors_ != 0) lose_mirrors();
  write_record();
  if (snapshot_ != nullptr) services_.snapshots.unpin(*std::exchange(snapshot_, nullptr));
  state_ = State::ended;
  return outcome;
}

// An upstream that has switched protocols, or may have, must not take what it got for all there was.
void Exchange::release_upstream(bool reusable) {
  const bool may_be_tunnel = request_.wants_upgrade || is_connect();
  release_upstream(reusable, may_be_tunnel ? io::Stream::Ending::reset : io::Stream::Ending::orderly);
}

void Exchange::release_upstream(bool reusable, io::Stream::Ending ending) {
  leave_splice_mode();
  upstream_ = nullptr;
  side_.emplace<std::monostate>();
  borrowed_.release(reusable, ending);
}

bool Exchange::may_keep_client() const noexcept { return request_.keep_alive && !services_.draining; }

Exchange::Awaiting Exchange::awaiting() const noexcept {
  if (has_switched()) return Awaiting::client;
  if (splice_) {
    const bool is_request = splice_direction_ == SpliceDirection::request;
    if (!splice_->is_sink_blocked()) return is_request ? Awaiting::client : Awaiting::upstream_answer;
    return is_request ? Awaiting::upstream_reading : Awaiting::client;
  }
  if (client_->has_unsent()) return Awaiting::client;
  if (state_ != State::forwarding) return Awaiting::upstream_answer;
  if (upstream_->has_unsent()) return response_started_ ? Awaiting::upstream_answer : Awaiting::upstream_reading;
  // Two that talk may both be silent: after a response has begun, and with gRPC before it, too.
  const bool is_conversation = response_started_ || (borrowed_.http2() != nullptr && http::is_grpc(request_));
  return request_done_ || is_conversation ? Awaiting::upstream_answer : Awaiting::client;
}

Duration Exchange::progress_timeout() const noexcept {
  if (is_tunnel() && snapshot_ != nullptr) {
    const Duration allowed =
        snapshot_->tables.clusters[decision_.destination->cluster].connection_terms.tunnel_idle_timeout;
    if (allowed > Duration::zero()) return allowed;
  }
  return has_switched() ? limits::tunnel_idle_timeout : limits::body_progress_timeout;
}

const snapshot::Cluster* Exchange::cluster_of_record() const noexcept {
  if (status_ == 502 && details_ == kNotRegistered) return &black_hole_cluster();
  if (decision_.outcome != route::Outcome::forward || snapshot_ == nullptr) return nullptr;
  return &snapshot_->tables.clusters[decision_.destination->cluster];
}

void Exchange::write_record() { services_.observer.on_request_end(make_record(services_.observer.access_log.needs())); }

// What is known so far.
observe::RequestRecord Exchange::make_record(snapshot::FormatNeeds needs) const noexcept {
  const Duration duration = services_.loop.now() - started_at_;
  return {
      .start = services_.loop.wall_now() - duration,
      .duration = duration,
      .upstream_service_ms = upstream_service_ms_,
      .method = request_.method,
      .path = rewritten_path_.empty() ? received_path_ : rewritten_path_,
      .original_path = rewritten_path_.empty() ? std::string_view() : received_path_,
      .version = request_.version,
      .authority = request_.authority,
      .user_agent = request_.headers.find("user-agent").value_or(std::string_view{}),
      .request_id = http::request_id(request_),
      .forwarded_for = request_.headers.find("x-forwarded-for").value_or(std::string_view{}),
      .request_fields = &request_.headers,
      .response_fields = &response_.headers,
      .status = status_,
      .is_grpc = http::is_grpc(request_),
      .grpc_status = grpc_status_,
      .flags = flags_,
      .details = details_,
      .connection_termination_details = {},
      .upstream_failure_reason = upstream_failure_.empty() ? borrowed_.failure_reason() : upstream_failure_,
      .bytes_received = request_bytes_,
      .bytes_sent = response_bytes_,
      .cluster = cluster_of_record(),
      .route_name = decision_.route_name(),
      .upstream_host = borrowed_.address(),
      .upstream_local = borrowed_.local_address(),
      .downstream_local = needs.local_address ? connection_.local_address() : SocketAddress{},
      .downstream_remote = request_.client.value_or(connection_.peer_address()),
      .requested_server_name = connection_.server_name(),
      .is_https = request_.client ? request_.is_https : connection_.is_tls(),
      .client_tls = needs.client_tls ? connection_.client_tls() : nullptr,
  };
}

}  // namespace sluice::proxy
