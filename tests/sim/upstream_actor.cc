#include "sim/upstream_actor.h"

#include "sim/pattern.h"

#include <algorithm>
#include <array>

namespace sluice::sim {

namespace {

using namespace std::chrono_literals;
using Fault = ResponsePlan::Fault;
using Framing = ResponsePlan::Framing;
using When = ResponsePlan::When;

constexpr size_t kPieceMax = 8 * 1024;

}  // namespace

UpstreamActor::UpstreamActor(Judge& judge, const RunPlan& plan, Endpoint& endpoint)
    : Talker(judge.world()),
      judge_(judge),
      reader_(MessageReader::Role::requests, [this](ConstBytes content) { on_content(content); }) {
  writing_ = plan.upstream_writing;
  reading_ = plan.upstream_reading;
  reader_.begin();
  talk_over(endpoint);
}

// --- reading ---------------------------------------------------------------------------------------

void UpstreamActor::on_bytes(ConstBytes bytes) {
  while (!bytes.empty() && is_talking()) {
    if (saying_ == Saying::tunnel) {
      judge_.on_tunnel_up(*request_, tunnel_received_, bytes);
      tunnel_received_ += bytes.size();
      return;
    }
    if (reader_.is_complete()) {
      if (request_ != nullptr)
        world_.fail("request {}: the upstream got more bytes before it had answered", request_->id);
      reader_.begin();
    }
    const bool had_head = reader_.has_head();
    bytes = bytes.subspan(reader_.read(bytes));
    if (reader_.is_broken()) world_.fail("an upstream got what is no HTTP: {}", reader_.error());
    if (!had_head && reader_.has_head()) on_head();
    if (is_talking() && reader_.is_complete()) on_request_complete();
  }
}

void UpstreamActor::on_head() {
  const std::string* id = reader_.field("x-id");
  request_ = &judge_.on_execution(reader_.method(), reader_.target(), id == nullptr ? std::string_view() : *id,
                                  endpoint().local());
  world_.trace("upstream {}: request {}", endpoint().local().to_string(), request_->id);
  body_received_ = body_said_ = 0;
  is_answering_ = is_answered_ = false;
  switch (request_->response.fault) {
    case Fault::close_before: hang_up(false); return;
    case Fault::no_reading: stop_reading(); return;
    default: break;
  }
  if (request_->response.when == When::with_head) answer_after(request_->response.delay);
}

void UpstreamActor::on_content(ConstBytes content) {
  judge_.on_request_content(*request_, body_received_, content);
  body_received_ += content.size();
  if (request_->response.when == When::within_body && body_received_ >= request_->body_size / 2)
    answer_after(Duration::zero());
}

void UpstreamActor::on_request_complete() {
  judge_.on_request_complete(*request_, body_received_);
  if (is_answered_) {
    request_ = nullptr;  // it had been answered early
    return;
  }
  answer_after(request_->response.delay);
}

void UpstreamActor::on_end(bool is_orderly) {
  if (saying_ == Saying::tunnel) {
    if (is_orderly) {
      judge_.on_tunnel_up_end(*request_, tunnel_received_);
      tunnel_read_ended_ = true;
      if (tunnel_write_ended_) hang_up(false);
      return;
    }
  }
  hang_up(false);
}

// --- answering -------------------------------------------------------------------------------------

void UpstreamActor::answer_after(Duration delay) {
  if (is_answering_ || request_->response.fault == Fault::no_answer || request_->response.fault == Fault::no_reading)
    return;
  is_answering_ = true;
  world_.after(delay, [this, request = request_] {
    if (!is_talking() || request != request_) return;
    saying_ = Saying::head;
    pump_later();
  });
}

bool UpstreamActor::produce() {
  switch (saying_) {
    case Saying::nothing: return false;
    case Saying::head: say_head(); break;
    case Saying::body: say_body(); break;
    case Saying::tunnel: say_tunnel(); break;
  }
  return is_talking() && !out().empty();
}

bool UpstreamActor::has_response_body() const {
  return request_->method != "HEAD" && request_->response.status != 204 && request_->response.status != 304;
}

void UpstreamActor::say_head() {
  const ResponsePlan& plan = request_->response;
  std::string text;
  if (plan.fault == Fault::garbage) {
    out().append(as_bytes(world_.chance(500) ? "hello, this is no HTTP\r\n\r\n"
                                             : "HTTP/1.1 2OO OK\r\ncontent-length: 0\r\n\r\n"));
    finish_writing();
    saying_ = Saying::nothing;
    return;
  }
  for (unsigned i = 0; i < plan.informational; ++i) text += "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";
  if (switches_protocols()) {
    text += fmt::format("HTTP/1.1 101 Switching Protocols\r\nx-id: {}\r\nConnection: Upgrade\r\nUpgrade: sim\r\n\r\n",
                        request_->id);
    saying_ = Saying::tunnel;
  } else {
    text += fmt::format("HTTP/1.1 {} Planned\r\nX-Id: {}\r\n", plan.status, request_->id);
    const bool may_announce = plan.status != 204;
    if (plan.framing == Framing::length && may_announce) text += fmt::format("Content-Length: {}\r\n", plan.size);
    if (plan.framing == Framing::chunked && may_announce) text += "Transfer-Encoding: chunked\r\n";
    if (plan.says_close) text += "Connection: close\r\n";
    text += "\r\n";
    saying_ = Saying::body;
  }
  out().append(as_bytes(text));
  if (saying_ == Saying::body && (!has_response_body() || (plan.framing == Framing::length && plan.size == 0)))
    say_end();
}

bool UpstreamActor::stops_here() {
  const ResponsePlan& plan = request_->response;
  if ((plan.fault != Fault::end_early && plan.fault != Fault::reset_early) || body_said_ < plan.fault_at) return false;
  if (body_said_ == plan.size && plan.framing == Framing::length) return false;  // that was all of it
  world_.trace("upstream: request {} stops at {}", request_->id, body_said_);
  hang_up(plan.fault == Fault::reset_early);
  return true;
}

void UpstreamActor::say_body() {
  const ResponsePlan& plan = request_->response;
  if (stops_here()) return;
  size_t count = std::min<size_t>(plan.size - body_said_, world_.between(1, kPieceMax));
  if (plan.fault != Fault::none && body_said_ < plan.fault_at)
    count = std::min<size_t>(count, plan.fault_at - body_said_);
  if (count == 0) {
    say_end();
    return;
  }
  std::array<std::byte, kPieceMax> piece;
  fill_pattern(response_body_key(request_->id), body_said_, MutableBytes(piece).first(count));
  if (plan.framing == Framing::chunked) out().append(as_bytes(fmt::format("{:x}\r\n", count)));
  out().append(ConstBytes(piece).first(count));
  if (plan.framing == Framing::chunked) out().append(as_bytes("\r\n"));
  body_said_ += count;
  if (body_said_ == plan.size && plan.framing == Framing::length) say_end();  // the last byte is the end
}

void UpstreamActor::say_end() {
  const ResponsePlan& plan = request_->response;
  if (has_response_body() && plan.framing == Framing::chunked) {
    out().append(as_bytes(plan.has_trailers ? "0\r\nx-check: sum\r\n\r\n" : "0\r\n\r\n"));
  }
  on_said();
}

void UpstreamActor::on_said() {
  const ResponsePlan& plan = request_->response;
  request_->response_was_said = is_answered_ = true;
  saying_ = Saying::nothing;
  world_.trace("upstream: request {} is answered", request_->id);
  const bool ends_connection = plan.says_close || (plan.framing == Framing::until_close && has_response_body());
  if (reader_.is_complete()) request_ = nullptr;
  if (ends_connection) {
    finish_writing();
  } else {
    do_afterwards(plan.afterwards);
  }
}

void UpstreamActor::do_afterwards(ResponsePlan::Afterwards afterwards) {
  using enum ResponsePlan::Afterwards;
  switch (afterwards) {
    case keep: return;
    case close: finish_writing(); return;
    case close_later:
    case reset_later:
      // Perhaps in the middle of the next answer, whose end an orderly close might then be.
      world_.after(world_.delay(10ms),
                   [this, afterwards] { hang_up(afterwards == reset_later || saying_ != Saying::nothing); });
      return;
    case surplus:
      world_.after(world_.delay(3ms), [this] {
        if (!is_talking() || saying_ != Saying::nothing) return;
        out().append(as_bytes("surplus\r\n\r\n"));
        finish_writing();
        pump_later();
      });
      return;
  }
}

void UpstreamActor::say_tunnel() {
  if (tunnel_write_ended_) return;
  if (request_->tunnel_reset_by_upstream && tunnel_said_ >= request_->tunnel_down / 2) {
    hang_up(true);
    return;
  }
  std::array<std::byte, kPieceMax> piece;
  const size_t count = std::min<size_t>(request_->tunnel_down - tunnel_said_, world_.between(1, kPieceMax));
  if (count == 0) {
    finish_writing();
    tunnel_write_ended_ = request_->upstream_tunnel_finished = true;
    pump_later();
    if (tunnel_read_ended_) hang_up(false);
    return;
  }
  fill_pattern(tunnel_down_key(request_->id), tunnel_said_, MutableBytes(piece).first(count));
  out().append(ConstBytes(piece).first(count));
  tunnel_said_ += count;
}

}  // namespace sluice::sim
