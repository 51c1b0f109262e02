#include "proxy/exchange.h"

#include "http/http1_writer.h"
#include "http/hygiene.h"
#include "proxy/client_connection.h"
#include "proxy/header_operations.h"

#include <utility>

namespace sluice::proxy {

using forward::BodyEncoding;
using forward::CopyStatus;
using forward::SpliceStatus;
using http::BodyFraming;
using observe::ResponseFlag;

Exchange::Exchange(Services& services, ClientConnection& client) noexcept
    : services_(services),
      client_(client),
      arena_(limits::exchange_arena_bytes_max, first_block_),
      request_reader_(http::Http1Reader::Role::requests),
      request_(arena_),
      response_(arena_),
      upstream_(services, {.on_change = on_upstream_change, .owner = this}),
      timer_(on_timeout, this),
      started_at_(services.loop.now()) {
  services_.observer.counters.requests_active.add();
}

Exchange::~Exchange() {
  CHECK(state_ == State::ended && snapshot_ == nullptr);
  services_.observer.counters.requests_active.subtract();
}

Exchange::Outcome Exchange::advance() {
  if (timed_out_) return on_timed_out();
  switch (state_) {
    case State::reading_head: {
      if (!std::exchange(head_begun_, true)) request_reader_.begin_request(request_);
      transport::Transport& client = client_.transport();
      for (ConstBytes input = client.readable(); !input.empty(); input = client.readable()) {
        const http::ReadStep step = request_reader_.read_head(input);
        client.consume(step.consumed);
        if (step.progress == http::Progress::failed) return on_bad_request();
        if (step.progress == http::Progress::done) return on_request_head();
      }
      return client.is_at_end() ? on_client_lost() : Outcome::pending;
    }
    case State::connecting:
      if (client_.transport().stream().has_receive_ended() && client_.transport().is_at_end()) return on_client_lost();
      return on_borrowed(upstream_.look_at_connect(BorrowedUpstream::Wanted::any));
    case State::forwarding: return forward_both_ways();
    case State::tunnelling: return advance_tunnel();
    case State::ended: break;
  }
  UNREACHABLE();
}

// --- 3 and 4. The head is there: choose a route ----------------------------------------------------

Exchange::Outcome Exchange::on_request_head() {
  received_path_ = request_.target;
  snapshot_ = &services_.snapshots.pin_current();
  if (request_.method == "CONNECT")
    return reply_locally(405, "connect_not_enabled", "CONNECT is not enabled on this listener\n");

  const uint64_t random = services_.random.next();
  const snapshot::GatewayTopology& topology = snapshot_->tables.topology;
  const http::ForwardingFacts facts{
      .peer = client_.peer_address(),
      .is_tls = client_.is_tls(),
      .request_id = {services_.random.next(), services_.random.next()},
      .client_certificate = topology.tells_client_cert() ? client_.forwarded_certificate() : std::string_view{},
      .keeps_client_certificates = topology.keeps_client_certs(client_.has_certificate()),
      .trusted_proxies = topology.num_trusted_proxies};
  switch (http::prepare_request(request_, facts)) {
    case http::Prepared::ok: break;
    case http::Prepared::too_large:
      flags_.set(ResponseFlag::downstream_protocol_error);
      return reply_locally(431, "request_headers_too_large");
    case http::Prepared::bad_path:
      flags_.set(ResponseFlag::downstream_protocol_error);
      return reply_locally(400, "path_normalization_failed");
  }

  if (const snapshot::RouteTable* routes = client_.routes_in(*snapshot_))
    decision_ = route::choose_route(*routes, request_, random);
  switch (decision_.outcome) {
    case route::Outcome::https_redirect: return redirect_to_https();
    case route::Outcome::not_found:
      flags_.set(ResponseFlag::no_route_found);
      return reply_locally(404, "route_not_found");
    case route::Outcome::no_cluster:
      flags_.set(ResponseFlag::no_cluster_found);
      return reply_locally(503, "cluster_not_found");
    case route::Outcome::forward: break;
  }
  if (!apply_request_operations()) return reply_locally(431, "request_headers_too_large");
  return borrow_upstream(BorrowedUpstream::Wanted::any);
}

// Those of the destination, then those of the route, as in Envoy.
std::array<const snapshot::HeaderOperations*, 2> Exchange::header_operations() const noexcept {
  const auto at = [this](std::optional<uint32_t> index) {
    return index ? &snapshot_->tables.header_operations[*index] : nullptr;
  };
  return {decision_.destination == nullptr ? nullptr : at(decision_.destination->header_operations),
          decision_.route == nullptr ? nullptr : at(decision_.route->header_operations)};
}

// False: the head becomes too large.
bool Exchange::apply_request_operations() {
  for (const snapshot::HeaderOperations* operations : header_operations()) {
    if (operations == nullptr) continue;
    if (!operations->request.empty()) {
      observe::RequestRecord record = make_record(operations->request.needs);
      record.path = http::upstream_target(request_);  // normalised: somebody may decide by it
      if (!apply_operations(operations->request, request_.headers, record)) return false;
    }
    if (operations->authority.empty()) continue;
    request_.authority = operations->authority;
    request_.host = operations->host;
    if (!request_.headers.set("host", request_.authority)) return false;
  }
  return true;
}

// `fields` are those of the response. False: there are too many, or one is too long.
bool Exchange::apply_response_operations(http::HeaderList& fields) {
  for (const snapshot::HeaderOperations* operations : header_operations()) {
    if (operations == nullptr || operations->response.empty()) continue;
    observe::RequestRecord record = make_record(operations->response.needs);
    record.response_fields = &fields;
    if (!apply_operations(operations->response, fields, record)) return false;
  }
  return true;
}

// --- 5. An upstream connection ---------------------------------------------------------------------

Exchange::Outcome Exchange::borrow_upstream(BorrowedUpstream::Wanted wanted) {
  state_ = State::connecting;
  return on_borrowed(upstream_.borrow(*snapshot_, decision_.destination->cluster, request_.host, wanted));
}

Exchange::Outcome Exchange::on_borrowed(BorrowedUpstream::Status status) {
  switch (status) {
    case BorrowedUpstream::Status::connecting: return Outcome::pending;
    case BorrowedUpstream::Status::ready: return on_upstream_ready();
    case BorrowedUpstream::Status::unavailable:
      flags_.set(ResponseFlag::no_healthy_upstream);
      return reply_locally(503, "no_healthy_upstream", "no healthy upstream");
    case BorrowedUpstream::Status::failed:
      flags_.set(ResponseFlag::upstream_connection_failure);
      flags_.set(ResponseFlag::upstream_retry_limit_exceeded);
      return reply_locally(
          503, "upstream_reset_before_response_started{connection_failure}",
          "upstream connect error or disconnect/reset before headers. reset reason: connection failure");
  }
  UNREACHABLE();
}

void Exchange::on_upstream_change(void* self) { static_cast<Exchange*>(self)->client_.on_upstream_change(); }

Exchange::Outcome Exchange::on_upstream_ready() {
  state_ = State::forwarding;
  request_encoding_ = request_.framing == BodyFraming::chunked ? BodyEncoding::chunked : BodyEncoding::identity;
  http::MessageFraming framing{.body = request_.framing, .content_length = request_.content_length};
  if (request_.wants_upgrade) framing.upgrade = request_.upgrade;
  const std::string_view target = http::upstream_target(request_);
  if (target.empty()) return reply_locally(431, "request_headers_too_large");  // the head has filled the arena
  http::write_request_head(upstream_->transport().sink(), request_.method, target, request_.headers, framing);
  if (request_reader_.is_body_done() && request_encoding_ == BodyEncoding::identity) on_request_done();
  if (request_.expects_continue && !request_done_ && client_.transport().readable().empty()) {
    client_.transport().write(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"));
  }
  return forward_both_ways();
}

// The route's timeout is for the response: it begins when the request is complete, as in Envoy.
void Exchange::on_request_done() {
  request_done_ = true;
  const Duration timeout = decision_.route->timeout;
  if (timeout > Duration::zero()) services_.loop.timers().arm(timer_, services_.loop.now() + timeout);
}

// --- 6. Forwarding ---------------------------------------------------------------------------------

Exchange::Outcome Exchange::forward_both_ways() {
  for (bool moved = true; moved;) {
    moved = false;
    if (!splice_) {
      const Outcome outcome = copy_both_ways(moved);
      if (outcome != Outcome::pending) return outcome;
      if (state_ == State::tunnelling) return advance_tunnel();
      if (!moved && splice_direction_ != SpliceDirection::none) begin_splice(moved);
    }
    if (splice_) {
      const Outcome outcome = advance_splice(moved);
      if (outcome != Outcome::pending) return outcome;
    }
  }
  if (splice_direction_ != SpliceDirection::none) return Outcome::pending;
  // A client that has gone away while nothing of it is due: the upstream need not go on.
  if (request_done_ && client_.transport().stream().has_receive_ended() && client_.transport().is_at_end())
    return on_client_lost();
  if (client_.transport().has_send_failed()) return on_client_lost();
  return Outcome::pending;
}

Exchange::Outcome Exchange::copy_both_ways(bool& moved) {
  Outcome outcome = Outcome::pending;
  if (!request_done_) outcome = forward_request_body(moved);
  if (outcome == Outcome::pending && response_state_ == ResponseState::awaiting_head)
    outcome = await_response_head(moved);
  if (outcome == Outcome::pending && response_state_ == ResponseState::body) outcome = forward_response_body(moved);
  if (upstream_.is_borrowed()) upstream_->transport().flush();
  return outcome;
}

Exchange::Outcome Exchange::forward_request_body(bool& moved) {
  const forward::CopyResult copied =
      forward::copy_body(request_reader_, client_.transport(), &upstream_->transport(), request_encoding_);
  request_bytes_ += copied.bytes;
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
      return Outcome::pending;
  }
  UNREACHABLE();
}

Exchange::Outcome Exchange::await_response_head(bool& moved) {
  transport::Transport& upstream = upstream_->transport();
  if (!std::exchange(response_head_begun_, true)) upstream_->reader().begin_response(response_, request_.method);
  for (ConstBytes input = upstream.readable(); !input.empty(); input = upstream.readable()) {
    const http::ReadStep step = upstream_->reader().read_head(input);
    upstream.consume(step.consumed);
    if (step.progress == http::Progress::failed) return on_bad_response();
    if (step.progress == http::Progress::done) {
      moved = true;
      return on_response_head();
    }
  }
  return upstream.is_at_end() ? on_upstream_lost() : Outcome::pending;
}

Exchange::Outcome Exchange::on_response_head() {
  if (response_.status == 101) return start_tunnel();
  if (response_.status < 200) return forward_informational();

  const Duration upstream_time = services_.loop.now() - started_at_;
  upstream_service_ms_ = to_milliseconds(upstream_time);
  status_ = response_.status;
  details_ = "via_upstream";
  if (!http::prepare_response(response_, upstream_time, services_.loop.wall_now()) ||
      !apply_response_operations(response_.headers))
    return on_bad_response();

  // A body whose length is not known is chunked for an HTTP/1.1 client; for an older one its end is
  // the connection's.
  const bool length_unknown =
      response_.framing == BodyFraming::chunked || response_.framing == BodyFraming::until_close;
  const bool client_takes_chunks = request_.version == http::Version::http_1_1;
  response_encoding_ = length_unknown && client_takes_chunks ? BodyEncoding::chunked : BodyEncoding::identity;
  client_keep_alive_ = may_keep_client() && (!length_unknown || client_takes_chunks);

  http::MessageFraming framing{.body = response_.framing, .content_length = response_.content_length};
  if (length_unknown) framing.body = client_takes_chunks ? BodyFraming::chunked : BodyFraming::until_close;
  // RFC 9110 8.6: of a response without content, only these may tell the length it would have.
  const bool may_tell_length = (request_.method == "HEAD" && response_.status != 204) || response_.status == 304;
  framing.show_content_length = may_tell_length && response_.has_content_length;
  framing.close = !client_keep_alive_;
  framing.keep_alive = client_keep_alive_ && request_.version == http::Version::http_1_0;
  http::write_response_head(client_.transport().sink(), response_.status, response_.reason, response_.headers, framing);
  response_started_ = true;
  response_state_ = ResponseState::body;
  return Outcome::pending;
}

// 100 is answered by sluice itself (on_upstream_ready); others (103) go on to clients that know them.
Exchange::Outcome Exchange::forward_informational() {
  if (++informational_count_ > limits::informational_responses_max) return on_bad_response();
  if (response_.status != 100 && request_.version == http::Version::http_1_1) {
    if (!http::prepare_response(response_, services_.loop.now() - started_at_, services_.loop.wall_now()))
      return on_bad_response();
    http::write_response_head(client_.transport().sink(), response_.status, response_.reason, response_.headers, {});
  }
  response_ = http::ResponseHead(arena_);
  response_head_begun_ = false;
  return Outcome::pending;
}

Exchange::Outcome Exchange::forward_response_body(bool& moved) {
  const forward::CopyResult copied =
      forward::copy_body(upstream_->reader(), upstream_->transport(), &client_.transport(), response_encoding_);
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
  release_upstream(/*reusable=*/request_done_ && response_.keep_alive);
  // An upstream that answered before it had read everything: what the client still sends is not wanted.
  return end(client_keep_alive_ && request_done_ ? Outcome::reuse_client : Outcome::close_client);
}

// --- Zero copy -------------------------------------------------------------------------------------

// A long body that both sides carry as it is: from now on by splice, once first the source and then the
// sink have become quiet.
void Exchange::consider_splice(SpliceDirection direction) {
  if (splice_refused_ || splice_direction_ != SpliceDirection::none) return;
  if (client_.transport().is_tls() || upstream_->transport().is_tls()) return;
  const bool is_request = direction == SpliceDirection::request;
  const io::Stream& source = (is_request ? client_.transport() : upstream_->transport()).stream();
  // A source that does not take what is sent to it is read on, lest it waits for that and we for it.
  if (source.has_receive_ended() || !source.has_sent_all() || (!is_request && !request_done_)) return;
  const http::Http1Reader& reader = is_request ? request_reader_ : upstream_->reader();
  if ((is_request ? request_encoding_ : response_encoding_) != BodyEncoding::identity) return;
  if (reader.passable_bytes() < limits::splice_threshold_bytes) return;
  splice_direction_ = direction;
  (is_request ? client_.transport() : upstream_->transport()).stream().request_splice_mode();
}

void Exchange::leave_splice_mode() {
  if (std::exchange(splice_direction_, SpliceDirection::none) == SpliceDirection::none) return;
  splice_.reset();
  client_.transport().stream().leave_splice_mode();
  if (upstream_.is_borrowed()) upstream_->transport().stream().leave_splice_mode();
}

void Exchange::begin_splice(bool& moved) {
  const bool is_request = splice_direction_ == SpliceDirection::request;
  io::Stream& client = client_.transport().stream();
  io::Stream& upstream = upstream_->transport().stream();
  io::Stream& source = is_request ? client : upstream;
  io::Stream& sink = is_request ? upstream : client;
  const uint64_t bytes = (is_request ? request_reader_ : upstream_->reader()).passable_bytes();

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
  (is_request ? request_reader_ : upstream_->reader()).pass_by(count);
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

Exchange::Outcome Exchange::start_tunnel() {
  if (!request_.wants_upgrade) return on_bad_response();
  const Duration upstream_time = services_.loop.now() - started_at_;
  upstream_service_ms_ = to_milliseconds(upstream_time);
  status_ = 101;
  details_ = "via_upstream";
  const std::string_view upgrade = response_.headers.find("upgrade").value_or(request_.upgrade);
  if (!http::prepare_response(response_, upstream_time, services_.loop.wall_now()) ||
      !apply_response_operations(response_.headers))
    return on_bad_response();
  http::write_response_head(client_.transport().sink(), 101, response_.reason, response_.headers, {.upgrade = upgrade});
  response_started_ = true;
  timer_.cancel();
  state_ = State::tunnelling;
  tunnel_.emplace(services_, client_.transport(), upstream_->transport());
  return Outcome::pending;
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
    case Tunnel::Status::failed:
      tunnel_.reset();
      release_upstream(/*reusable=*/false);
      return end(client_.transport().has_read_failed() ? Outcome::close_client : Outcome::abort_client);
  }
  UNREACHABLE();
}

// --- Ways in which it ends early -------------------------------------------------------------------

Exchange::Outcome Exchange::on_bad_request() {
  flags_.set(ResponseFlag::downstream_protocol_error);
  switch (request_reader_.error()) {
    case http::ReadError::head_too_large:
    case http::ReadError::too_many_headers: return reply_locally(431, "request_headers_too_large");
    case http::ReadError::target_too_long: return reply_locally(414, request_reader_.error_text());
    case http::ReadError::version_not_supported: return reply_locally(505, request_reader_.error_text());
    case http::ReadError::not_implemented: return reply_locally(501, request_reader_.error_text());
    default: return reply_locally(400, request_reader_.error_text());
  }
}

void Exchange::time_out_head() { static_cast<void>(reply_locally(408, "request_header_timeout")); }

// The upstream's connection ended before the response did.
Exchange::Outcome Exchange::on_upstream_lost() {
  const bool was_reset =
      upstream_->transport().stream().receive_error() != 0 || upstream_->transport().has_send_failed();
  if (response_started_) {
    flags_.set(was_reset ? ResponseFlag::upstream_remote_reset : ResponseFlag::upstream_connection_termination);
    details_ = "upstream_reset_after_response_started{connection_termination}";
    release_upstream(/*reusable=*/false);
    return end(Outcome::abort_client);
  }
  if (may_retry_lost_request()) {
    services_.observer.counters.upstream_retries.add();
    release_upstream(/*reusable=*/false);
    response_ = http::ResponseHead(arena_);
    response_head_begun_ = false;
    upstream_.forgive_endpoint();  // its connection was stale
    return borrow_upstream(BorrowedUpstream::Wanted::fresh);
  }
  flags_.set(was_reset ? ResponseFlag::upstream_remote_reset : ResponseFlag::upstream_connection_termination);
  if (upstream_->transport().has_read_failed()) {
    upstream_.note_tls_error();
  } else {
    upstream_failure_ = was_reset ? "remote_reset" : "connection_termination";
  }
  return reply_locally(
      503, "upstream_reset_before_response_started{connection_termination}",
      "upstream connect error or disconnect/reset before headers. reset reason: connection termination");
}

// A pooled connection that its upstream closed just as it was taken: once more, on a new one, when the
// upstream cannot have acted on the request or acting twice does no harm (RFC 9110 9.2.2, RFC 9112 9.3.1).
bool Exchange::may_retry_lost_request() const noexcept {
  if (!upstream_->is_reused() || upstream_->reader().is_inside_head() || has_body_begun()) return false;
  if (upstream_->has_sent_nothing()) return true;
  constexpr std::string_view kIdempotent[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"};
  for (const std::string_view method : kIdempotent) {
    if (request_.method == method) return true;
  }
  return false;
}

// What was read of the body has gone to the upstream and is kept nowhere: bytes, or the mark that ends a
// chunked body (with its trailers).
bool Exchange::has_body_begun() const noexcept {
  return request_bytes_ > 0 || (request_done_ && request_encoding_ == BodyEncoding::chunked);
}

Exchange::Outcome Exchange::on_bad_response() {
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
  flags_.set(ResponseFlag::upstream_request_timeout);
  return reply_locally(504, "response_timeout", "upstream request timeout");
}

Exchange::Outcome Exchange::on_client_lost() {
  flags_.set(ResponseFlag::downstream_connection_termination);
  details_ = "downstream_remote_disconnect";
  if (!response_started_) status_ = 0;
  release_upstream(/*reusable=*/false);
  // The alert tells that nothing is complete; a reset would overtake it.
  return end(client_.transport().has_read_failed() ? Outcome::close_client : Outcome::abort_client);
}

void Exchange::cancel() {
  if (state_ == State::ended) return;
  tunnel_.reset();
  static_cast<void>(on_client_lost());
}

// The route's timeout.
void Exchange::on_timeout(void* self) { static_cast<Exchange*>(self)->time_out_request(); }

void Exchange::time_out_request() {
  timed_out_ = true;
  client_.on_upstream_change();
}

// --- The end ---------------------------------------------------------------------------------------

Exchange::Outcome Exchange::end(Outcome outcome) {
  timer_.cancel();
  write_record();
  if (snapshot_ != nullptr) services_.snapshots.unpin(*std::exchange(snapshot_, nullptr));
  state_ = State::ended;
  return outcome;
}

// An upstream that has switched protocols, or may have, must not take what it got for all there was.
void Exchange::release_upstream(bool reusable) {
  release_upstream(reusable, request_.wants_upgrade ? io::Stream::Ending::reset : io::Stream::Ending::orderly);
}

void Exchange::release_upstream(bool reusable, io::Stream::Ending ending) {
  leave_splice_mode();
  upstream_.release(reusable, ending);
}

bool Exchange::may_keep_client() const noexcept { return request_.keep_alive && !services_.draining; }

Exchange::Awaiting Exchange::awaiting() const noexcept {
  if (tunnel_) return Awaiting::client;
  if (splice_) {
    const bool is_request = splice_direction_ == SpliceDirection::request;
    if (!splice_->is_sink_blocked()) return is_request ? Awaiting::client : Awaiting::upstream_answer;
    return is_request ? Awaiting::upstream_reading : Awaiting::client;
  }
  if (client_.transport().stream().unsent_bytes() > 0) return Awaiting::client;
  if (state_ != State::forwarding) return Awaiting::upstream_answer;
  if (upstream_->transport().stream().unsent_bytes() > 0)
    return response_started_ ? Awaiting::upstream_answer : Awaiting::upstream_reading;
  return request_done_ ? Awaiting::upstream_answer : Awaiting::client;
}

Duration Exchange::progress_timeout() const noexcept {
  return tunnel_ ? limits::tunnel_idle_timeout : limits::body_progress_timeout;
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
      .path = received_path_,
      .version = request_.version,
      .authority = request_.authority,
      .user_agent = request_.headers.find("user-agent").value_or(std::string_view{}),
      .request_id = http::request_id(request_),
      .forwarded_for = request_.headers.find("x-forwarded-for").value_or(std::string_view{}),
      .request_fields = &request_.headers,
      .response_fields = &response_.headers,
      .status = status_,
      .flags = flags_,
      .details = details_,
      .connection_termination_details = {},
      .upstream_failure_reason = upstream_failure_.empty() ? upstream_.failure_reason() : upstream_failure_,
      .bytes_received = request_bytes_,
      .bytes_sent = response_bytes_,
      .cluster = decision_.outcome == route::Outcome::forward && snapshot_ != nullptr
                     ? &snapshot_->tables.clusters[decision_.destination->cluster]
                     : nullptr,
      .route = decision_.route,
      .upstream_host = upstream_.address(),
      .upstream_local = upstream_.local_address(),
      .downstream_local = needs.local_address ? client_.local_address() : SocketAddress{},
      .downstream_remote = request_.client.value_or(client_.peer_address()),
      .requested_server_name = client_.server_name(),
      .is_https = request_.client ? request_.is_https : client_.is_tls(),
      .client_tls = needs.client_tls ? client_.client_tls() : nullptr,
  };
}

}  // namespace sluice::proxy
