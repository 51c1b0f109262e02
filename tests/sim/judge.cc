#include "sim/judge.h"

#include "base/limits.h"
#include "sim/gateway_snapshot.h"
#include "sim/pattern.h"
#include "tls/client_hello.h"

#include <charconv>
#include <string>
#include <utility>

namespace sluice::sim {

namespace {

uint64_t id_of(std::string_view field) {
  uint64_t id = 0;
  std::from_chars(field.data(), field.data() + field.size(), id);
  return id;
}

// What sluice answers by itself, whatever the weather; 0: it asks an upstream.
unsigned always_local(Place place) {
  switch (place) {
    case Place::dead:
    case Place::nowhere: return 503;
    case Place::unknown: return 404;
    case Place::redirected: return 301;
    case Place::direct: return direct_status;
    default: return 0;
  }
}

}  // namespace

void Tally::add(const Tally& other) {
  requests += other.requests;
  answered += other.answered;
  local += other.local;
  lost += other.lost;
  tunnels += other.tunnels;
  streams += other.streams;
  streams_lost += other.streams_lost;
  http2_answered += other.http2_answered;
  http2_cancelled += other.http2_cancelled;
  http2_broken += other.http2_broken;
  executions += other.executions;
  body_bytes += other.body_bytes;
  spliced_bytes += other.spliced_bytes;
  tls_handshakes += other.tls_handshakes;
  retries += other.retries;
  copies += other.copies;
  upstream_reuses += other.upstream_reuses;
  turns += other.turns;
}

// --- upstreams -------------------------------------------------------------------------------------

RequestPlan* Judge::find(std::string_view id) { return plan_.find(id_of(id)); }

RequestPlan& Judge::on_execution(std::string_view method, std::string_view target, std::string_view id_field,
                                 const SocketAddress& upstream) {
  RequestPlan* request = find(id_field);
  if (request == nullptr) world_.fail("an upstream got a request that no client has sent: {} {}", method, target);
  const uint64_t id = request->id;
  if (request->lie == RequestPlan::Lie::bad_field)
    world_.fail("request {} came to an upstream, which has a bad field", id);
  if (method != request->method) world_.fail("request {}: method {} became {}", id, request->method, method);
  const std::string sent = fmt::format("/{}/{}", name_of(request->place), id);
  if (target != sent) world_.fail("request {}: target {} became {}", id, sent, target);
  if (!leads_to(request->place, upstream)) world_.fail("request {} for {} came to {}", id, sent, upstream.to_string());
  ++tally_.executions;
  unsigned executions_max = request->method == "POST" ? 1 : limits::connect_attempts_max;
  if (request->place == Place::retried) executions_max = limits::connect_attempts_max + retries;
  if (++request->executions > executions_max) {
    world_.fail("request {}: a {} was executed {} times", id, request->method, request->executions);
  }
  return *request;
}

void Judge::on_request_content(const RequestPlan& request, uint64_t offset, ConstBytes content) {
  if (offset + content.size() > request.body_size)
    world_.fail("request {}: the upstream got more than the body", request.id);
  if (!is_pattern(request_body_key(request.id), offset, content))
    world_.fail("request {}: wrong bytes in the body, from {} on", request.id, offset);
}

void Judge::on_request_complete(const RequestPlan& request, uint64_t body_bytes) {
  if (body_bytes != request.body_size)
    world_.fail("request {}: the upstream takes {} bytes for the whole body of {}", request.id, body_bytes,
                request.body_size);
  if (!request.client_sent_all) world_.fail("request {}: complete at the upstream, but not sent in full", request.id);
}

void Judge::on_tunnel_up(const RequestPlan& request, uint64_t offset, ConstBytes bytes) {
  if (!is_pattern(tunnel_up_key(request.id), offset, bytes))
    world_.fail("request {}: wrong bytes up the tunnel, from {} on", request.id, offset);
}

void Judge::on_tunnel_up_end(const RequestPlan& request, uint64_t bytes) {
  if (!request.client_tunnel_finished || bytes != request.tunnel_up) {
    world_.fail("request {}: the tunnel's upper end closed in order after {} of {} bytes, but the client had not",
                request.id, bytes, request.tunnel_up);
  }
}

// --- mirrors ---------------------------------------------------------------------------------------

RequestPlan& Judge::on_copy(const MessageReader& reader) {
  const std::string* id = reader.field("x-id");
  RequestPlan* request = id == nullptr ? nullptr : find(*id);
  if (request == nullptr) world_.fail("a mirror got a request that no client has sent");
  if (request->place != Place::retried) world_.fail("request {}: a copy of it came to the mirror", request->id);
  if (std::exchange(request->was_copied, true)) world_.fail("request {}: it was copied twice", request->id);
  const std::string* host = reader.field("host");
  if (host == nullptr || *host != "sim.test-shadow")
    world_.fail("request {}: the host of its copy is {}", request->id, host == nullptr ? "not there" : *host);
  ++tally_.copies;
  return *request;
}

void Judge::on_copy_complete(const RequestPlan& request, uint64_t body_bytes) {
  if (body_bytes != request.body_size)
    world_.fail("request {}: its copy has {} of {} bytes", request.id, body_bytes, request.body_size);
  if (!request.client_sent_all)
    world_.fail("request {}: its copy is complete, but it was not sent in full", request.id);
}

// --- clients ---------------------------------------------------------------------------------------

void Judge::on_informational(const RequestPlan& request, unsigned status) {
  if (request.is_http_1_0) world_.fail("request {}: {} for an HTTP/1.0 client", request.id, status);
  if (status == 100 && !request.expects_continue) world_.fail("request {}: 100 Continue without Expect", request.id);
}

bool Judge::may_be_local(const RequestPlan& request, unsigned status) const {
  if (request.lie == RequestPlan::Lie::bad_field) return status == 400;
  if (const unsigned always = always_local(request.place); always != 0) return status == always;
  if (request.place == Place::faulty && status == injected_status) return true;
  if (plan_.is_calm) return false;
  const bool has_timeout = request.place == Place::timed || request.place == Place::retried;
  return status == 503 || status == 502 || (status == 504 && has_timeout);
}

void Judge::on_response_head(const RequestPlan& request, const SeenHead& head) {
  if (!head.id) {
    if (!may_be_local(request, head.status))
      world_.fail("request {}: sluice answered {} by itself", request.id, head.status);
    return;
  }
  if (id_of(*head.id) != request.id)
    world_.fail("request {} was answered with the response to {}", request.id, *head.id);
  const unsigned expected = request.is_upgrade && !request.upgrade_is_refused ? 101 : request.response.status;
  if (head.status != expected) world_.fail("request {}: status {} became {}", request.id, expected, head.status);
}

void Judge::on_response_content(const RequestPlan& request, const SeenHead& head, uint64_t offset, ConstBytes content) {
  if (!head.id) return;
  if (!is_pattern(response_body_key(request.id), offset, content))
    world_.fail("request {}: wrong bytes in the response, from {} on", request.id, offset);
  tally_.body_bytes += content.size();
}

void Judge::on_response_complete(const RequestPlan& request, const SeenHead& head, uint64_t body_bytes) {
  if (!head.id) {
    if (request.place == Place::direct && head.status == direct_status &&
        body_bytes != (request.method == "HEAD" ? 0 : direct_body_size))
      world_.fail("request {}: the direct response has {} bytes", request.id, body_bytes);
    ++tally_.local;
    return;
  }
  ++tally_.answered;
  const unsigned status = head.status;
  const size_t expected = request.method == "HEAD" || status == 204 || status == 304 ? 0 : request.response.size;
  if (body_bytes != expected)
    world_.fail("request {}: the client takes {} bytes for the whole response of {}", request.id, body_bytes, expected);
  if (!request.response_was_said)
    world_.fail("request {}: the response is complete, but the upstream had not ended it", request.id);
}

void Judge::on_tunnel_down(const RequestPlan& request, uint64_t offset, ConstBytes bytes) {
  if (!is_pattern(tunnel_down_key(request.id), offset, bytes))
    world_.fail("request {}: wrong bytes down the tunnel, from {} on", request.id, offset);
}

void Judge::on_tunnel_down_end(const RequestPlan& request, uint64_t bytes) {
  if (!request.upstream_tunnel_finished || bytes != request.tunnel_down) {
    world_.fail("request {}: the tunnel's lower end closed in order after {} of {} bytes, but the upstream had not",
                request.id, bytes, request.tunnel_down);
  }
}

void Judge::on_lost(const RequestPlan& request, bool may_be_lost) {
  ++tally_.lost;
  // The answer that sluice gives by itself may go under in a long body that nobody reads to its end.
  const bool may_be_local = always_local(request.place) != 0 || request.place == Place::faulty;
  may_be_lost |= may_be_local && request.body_size > limits::lingering_close_bytes;
  if (plan_.is_calm && !may_be_lost) world_.fail("request {} was lost in calm weather", request.id);
}

// --- connections without HTTP ----------------------------------------------------------------------

StreamPlan* Judge::on_opening(const SocketAddress& upstream, ConstBytes bytes, size_t& size) {
  const bool is_passthrough = leads_to(StreamPlan::Way::passthrough, upstream);
  uint64_t id = 0;
  if (is_passthrough) {
    tls::ClientHello hello;
    const tls::HelloStatus status = tls::read_client_hello(bytes, hello);
    if (status == tls::HelloStatus::need_more) return nullptr;
    if (status != tls::HelloStatus::complete) world_.fail("what passes through does not begin with a ClientHello");
    const std::string_view digits = hello.server_name.substr(1);
    std::from_chars(digits.data(), digits.data() + digits.size(), id);
  } else {
    if (bytes.size() < 16) return nullptr;
    const std::string_view digits = as_text(bytes.first(16));
    std::from_chars(digits.data(), digits.data() + digits.size(), id, 16);
  }
  StreamPlan* stream = plan_.find_stream(id);
  if (stream == nullptr) world_.fail("a destination hears from stream {}, which there is not", id);
  if (!leads_to(stream->way, upstream)) world_.fail("stream {} came to {}", id, upstream.to_string());
  if (std::exchange(stream->has_arrived, true)) world_.fail("stream {} came twice", id);
  const std::string opening = stream->opening();
  if (!as_text(bytes).starts_with(opening)) world_.fail("stream {}: its opening was changed", id);
  size = opening.size();
  return stream;
}

void Judge::on_stream_up(const StreamPlan& stream, uint64_t offset, ConstBytes bytes) {
  if (!is_pattern(tunnel_up_key(stream.id), offset, bytes))
    world_.fail("stream {}: wrong bytes up, from {} on", stream.id, offset);
}

void Judge::on_stream_down(const StreamPlan& stream, uint64_t offset, ConstBytes bytes) {
  if (!is_pattern(tunnel_down_key(stream.id), offset, bytes))
    world_.fail("stream {}: wrong bytes down, from {} on", stream.id, offset);
  tally_.body_bytes += bytes.size();
}

void Judge::on_stream_up_end(const StreamPlan& stream, uint64_t bytes) {
  if (!stream.client_finished || bytes != stream.up)
    world_.fail("stream {}: the destination takes {} bytes for all of {}", stream.id, bytes, stream.up);
}

bool Judge::on_stream_down_end(const StreamPlan& stream, uint64_t bytes) {
  if (stream.upstream_finished && bytes == stream.down) return true;
  // Whose TLS is terminated is told in order that there is nobody to talk to. What passes through may end before its
  // ClientHello was read, when the gateway stops; no client takes that for an answer.
  const bool may_be_nothing =
      stream.way == StreamPlan::Way::terminated || (stream.way == StreamPlan::Way::passthrough && bytes == 0);
  if (!may_be_nothing || stream.has_arrived || plan_.is_calm)
    world_.fail("stream {}: the client takes {} bytes for all of {}", stream.id, bytes, stream.down);
  return false;
}

void Judge::on_stream_lost(const StreamPlan& stream) {
  ++tally_.streams_lost;
  if (plan_.is_calm) world_.fail("stream {} was lost in calm weather", stream.id);
}

}  // namespace sluice::sim
