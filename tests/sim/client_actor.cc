#include "sim/client_actor.h"

#include "openssl_client.h"
#include "sim/gateway_snapshot.h"
#include "sim/pattern.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace sluice::sim {

namespace {

using namespace std::chrono_literals;
using Body = RequestPlan::Body;
using Leave = RequestPlan::Leave;
using Manners = ClientPlan::Manners;

constexpr size_t kPieceMax = 8 * 1024;
constexpr Duration kContinueWaitMax = 1s;
constexpr Duration kRudePatience = 300s;

std::string head_of(const RequestPlan& request) {
  std::string text = fmt::format("{} /{}/{} HTTP/{}\r\n", request.method, name_of(request.place), request.id,
                                 request.is_http_1_0 ? "1.0" : "1.1");
  text += request.place == Place::redirected ? "Host: redirected.test\r\n" : "Host: sim.test\r\n";
  text += fmt::format("X-Id: {}\r\n", request.id);
  if (request.body == Body::length) text += fmt::format("Content-Length: {}\r\n", request.body_size);
  if (request.body == Body::chunked) text += "Transfer-Encoding: chunked\r\n";
  if (request.expects_continue) text += "Expect: 100-continue\r\n";
  if (request.is_upgrade) {
    text += "Connection: Upgrade\r\nUpgrade: sim\r\n";
  } else if (request.is_http_1_0 && request.keep_alive) {
    text += "Connection: keep-alive\r\n";
  } else if (!request.is_http_1_0 && !request.keep_alive) {
    text += "Connection: close\r\n";
  }
  return text + "\r\n";
}

}  // namespace

ClientActor::ClientActor(Judge& judge, bool is_calm, ClientPlan& plan)
    : Talker(judge.world()),
      judge_(judge),
      is_calm_(is_calm),
      plan_(plan),
      reader_(MessageReader::Role::responses, [this](ConstBytes content) { on_content(content); }) {
  writing_ = plan.writing;
  reading_ = plan.reading;
  world_.after(plan.start, [this] { connect(); });
}

std::string ClientActor::state() const {
  const uint64_t id = awaited_index_ < plan_.requests.size() ? plan_.requests[awaited_index_].id : 0;
  return fmt::format(
      "sending {} ({}, {} bytes), awaiting {} of {} (request {}, {} bytes), manners {}, tunnel {}, from {}",
      sending_index_, static_cast<int>(sending_), body_sent_, awaited_index_, plan_.requests.size(), id, body_received_,
      static_cast<int>(plan_.manners), is_in_tunnel_, is_talking() ? endpoint().local().to_string() : "-");
}

void ClientActor::connect() {
  if (is_done_) return;
  if (has_misbehaved_) {  // once is enough
    finish();
    return;
  }
  Endpoint* endpoint = world_.network().connect(listen_address(plan_.is_tls));
  if (endpoint == nullptr) {
    if (is_calm_) world_.fail("a client was refused in calm weather");
    finish();
    return;
  }
  awaited_index_ = sending_index_ = begun_count_;
  sending_ = Sending::between;
  server_closes_ = is_in_tunnel_ = tunnel_read_ended_ = tunnel_write_ended_ = false;
  tunnel_sent_ = tunnel_received_ = 0;
  const bool speaks_tls = plan_.is_tls && plan_.manners != Manners::silent && plan_.manners != Manners::garbage;
  test::ClientOptions options;
  if (world_.chance(500)) options.max_version = TLS1_2_VERSION;
  talk_over(*endpoint, speaks_tls ? std::make_unique<test::OpensslClient>(options) : nullptr);
  begin_response();
}

void ClientActor::finish(bool with_reset) {
  hang_up(with_reset);
  is_done_ = true;
}

// Everything was asked and answered.
void ClientActor::rest() {
  if (plan_.ending == ClientPlan::Ending::wait && !server_closes_) {
    is_resting_ = true;
  } else {
    finish(plan_.ending == ClientPlan::Ending::reset);
  }
}

// --- sending ---------------------------------------------------------------------------------------

bool ClientActor::produce() {
  if (has_left_ || is_done_) return false;
  if (plan_.manners != Manners::good && misbehave()) return !out().empty();
  switch (sending_) {
    case Sending::between: return send_head();
    case Sending::await_continue: return false;
    case Sending::body: return send_body();
    case Sending::end: on_request_sent(); return produce();
    case Sending::tunnel: return send_tunnel();
  }
  return false;
}

// True: that was all that it had to say.
bool ClientActor::misbehave() {
  if (plan_.manners == Manners::stops_sending && sending_ != Sending::body) return false;
  if (plan_.manners == Manners::stops_reading) {
    stop_reading();
    give_up_later();
    return false;
  }
  if (std::exchange(has_misbehaved_, true)) return true;
  give_up_later();
  if (plan_.manners == Manners::slow_head) {
    out().append(as_bytes("GET /one/1 HTTP/1.1\r\nHost: sim"));
  } else if (plan_.manners == Manners::garbage) {
    std::array<std::byte, 300> bytes;
    fill_pattern(world_.random().next(), 0, bytes);
    out().append(bytes);
    out().append(as_bytes("\r\n\r\n"));
  }
  return true;
}

void ClientActor::give_up_later() {
  if (plan_.manners == Manners::stops_reading && std::exchange(has_misbehaved_, true)) return;
  world_.after(kRudePatience, [this] {
    // Who stops reading may have been served from buffers and now be idle; all others must have been cut off.
    if (!is_done_ && !is_resting_ && plan_.manners != Manners::stops_reading)
      world_.fail("a client with bad manners is still there: {}", state());
    finish(true);
  });
}

bool ClientActor::send_head() {
  if (sending_index_ == plan_.requests.size() || server_closes_) return false;
  if (sending_index_ > awaited_index_ && !plan_.is_pipelined) return false;
  if (begun_count_ > sending_index_) return false;
  RequestPlan& request = sent();
  // What ends the connection is not followed by anything.
  if (sending_index_ > awaited_index_) {
    const RequestPlan& before = plan_.requests[sending_index_ - 1];
    if (before.is_upgrade || before.is_http_1_0 || !before.keep_alive || before.leave != Leave::stay) return false;
    if (request.is_upgrade || request.expects_continue) return false;
  }
  ++begun_count_;
  body_sent_ = 0;
  ++judge_.tally().requests;
  world_.trace("client {}: request {} {} /{}/ body {}{}{}", endpoint().local().to_string(), request.id, request.method,
               name_of(request.place), request.body_size, request.is_http_1_0 ? " 1.0" : "",
               request.is_upgrade ? " upgrade" : "");
  out().append(as_bytes(head_of(request)));
  if (request.expects_continue && request.body_size > 0) {
    sending_ = Sending::await_continue;
    world_.after(kContinueWaitMax, [this, index = sending_index_] {
      if (sending_ != Sending::await_continue || index != sending_index_) return;
      sending_ = Sending::body;
      pump_later();
    });
  } else {
    sending_ = request.body == Body::none ? Sending::end : Sending::body;
  }
  if (request.body_size == 0 && request.body != Body::chunked) request.client_sent_all = true;
  if (plan_.patience > Duration::zero()) {
    world_.after(plan_.patience, [this, index = sending_index_] {
      if (!is_done_ && awaited_index_ <= index) finish(world_.chance(500));
    });
  }
  return true;
}

bool ClientActor::leaves(bool while_sending, uint64_t bytes, RequestPlan& request) {
  if (request.leave == Leave::stay || request.leaves_while_sending != while_sending || bytes < request.leave_at ||
      has_left_)
    return false;
  world_.trace("client: leaves request {} after {} bytes", request.id, bytes);
  has_left_ = true;
  if (request.leave == Leave::half_close) {
    finish_writing();
    pump_later();
  } else {
    finish(request.leave == Leave::reset);
  }
  return true;
}

bool ClientActor::send_body() {
  RequestPlan& request = sent();
  if (leaves(/*while_sending=*/true, body_sent_, request)) return false;
  size_t count = std::min<size_t>(request.body_size - body_sent_, world_.between(1, kPieceMax));
  if (request.leaves_while_sending && body_sent_ < request.leave_at)
    count = std::min<size_t>(count, request.leave_at - body_sent_);
  if (count == 0) {
    request.client_sent_all = true;
    sending_ = Sending::end;
    if (request.body != Body::chunked) return produce();
    out().append(as_bytes("0\r\n\r\n"));
    return true;
  }
  std::array<std::byte, kPieceMax> piece;
  fill_pattern(request_body_key(request.id), body_sent_, MutableBytes(piece).first(count));
  if (request.body == Body::chunked) out().append(as_bytes(fmt::format("{:x}\r\n", count)));
  out().append(ConstBytes(piece).first(count));
  if (request.body == Body::chunked) out().append(as_bytes("\r\n"));
  body_sent_ += count;
  if (body_sent_ == request.body_size && request.body == Body::length) request.client_sent_all = true;
  return true;
}

void ClientActor::on_request_sent() {
  sending_ = Sending::between;
  ++sending_index_;
}

bool ClientActor::send_tunnel() {
  RequestPlan& request = awaited();
  if (tunnel_write_ended_) return false;
  if (request.tunnel_reset_by_client && tunnel_sent_ >= request.tunnel_up / 2) {
    finish(/*with_reset=*/true);
    return false;
  }
  std::array<std::byte, kPieceMax> piece;
  const size_t count = std::min<size_t>(request.tunnel_up - tunnel_sent_, world_.between(1, kPieceMax));
  if (count == 0) {
    tunnel_write_ended_ = request.client_tunnel_finished = true;
    finish_writing();
    pump_later();
    if (tunnel_read_ended_) on_tunnel_end(/*is_orderly=*/true);
    return false;
  }
  fill_pattern(tunnel_up_key(request.id), tunnel_sent_, MutableBytes(piece).first(count));
  out().append(ConstBytes(piece).first(count));
  tunnel_sent_ += count;
  return true;
}

// --- receiving -------------------------------------------------------------------------------------

void ClientActor::begin_response() {
  body_received_ = 0;
  reader_.begin(awaited_index_ < plan_.requests.size() && awaited().method == "HEAD");
}

void ClientActor::on_bytes(ConstBytes bytes) {
  if (plan_.manners == Manners::garbage || plan_.manners == Manners::slow_head || plan_.manners == Manners::silent)
    return;
  while (!bytes.empty() && is_talking()) {
    if (is_in_tunnel_) {
      judge_.on_tunnel_down(awaited(), tunnel_received_, bytes);
      tunnel_received_ += bytes.size();
      return;
    }
    if (!is_awaiting()) world_.fail("a client got bytes that it had not asked for, after request {}", awaited_index_);
    const bool had_head = reader_.has_head();
    bytes = bytes.subspan(reader_.read(bytes));
    if (reader_.is_broken()) world_.fail("request {}: the response is no HTTP: {}", awaited().id, reader_.error());
    if (!had_head && reader_.has_head()) on_head();
    if (is_talking() && !is_in_tunnel_ && reader_.is_complete()) on_response_complete();
  }
}

SeenHead ClientActor::seen() const {
  const std::string* id = reader_.field("x-id");
  return {.status = reader_.status(), .id = id == nullptr ? std::nullopt : std::optional(*id)};
}

void ClientActor::on_head() {
  RequestPlan& request = awaited();
  const unsigned status = reader_.status();
  if (status == 101) {
    judge_.on_response_head(request, seen());
    is_in_tunnel_ = true;
    sending_ = Sending::tunnel;
    pump_later();
  } else if (status < 200) {
    judge_.on_informational(request, status);
    if (status == 100 && sending_ == Sending::await_continue) {
      sending_ = Sending::body;
      pump_later();
    }
  } else {
    judge_.on_response_head(request, seen());
    if (request.body_size == 0 || !request.leaves_while_sending)
      static_cast<void>(leaves(/*while_sending=*/false, 0, request));
  }
}

void ClientActor::on_content(ConstBytes content) {
  RequestPlan& request = awaited();
  judge_.on_response_content(request, seen(), body_received_, content);
  body_received_ += content.size();
  static_cast<void>(leaves(/*while_sending=*/false, body_received_, request));
}

void ClientActor::on_response_complete() {
  if (reader_.status() < 200) {
    begin_response();
    return;
  }
  RequestPlan& request = awaited();
  judge_.on_response_complete(request, seen(), body_received_);
  server_closes_ = reader_.says_close() || (request.is_http_1_0 && !request.keep_alive) || !request.keep_alive ||
                   reader_.is_until_close();
  const bool was_sent = request.client_sent_all;
  if (was_sent && sending_index_ == awaited_index_) on_request_sent();
  ++awaited_index_;
  if (!was_sent) {  // answered before it was sent in full: the connection is of no use any more
    if (is_calm_ && request.response.when == ResponsePlan::When::after_request && reader_.field("x-id") != nullptr) {
      world_.fail("request {} was answered before it was sent", request.id);
    }
    server_closes_ = true;
  }
  if (has_left_) {
    finish();
  } else if (server_closes_) {
    hang_up(false);
    if (begun_count_ == plan_.requests.size()) {
      finish();
    } else {
      connect();
    }
  } else if (awaited_index_ == plan_.requests.size()) {
    rest();
  } else {
    begin_response();
    pump_later();
  }
}

void ClientActor::on_end(bool is_orderly) {
  if (is_in_tunnel_) {
    on_tunnel_end(is_orderly);
    return;
  }
  if (plan_.manners == Manners::garbage || plan_.manners == Manners::slow_head || plan_.manners == Manners::silent ||
      is_resting_) {
    finish();
    return;
  }
  if (is_orderly && is_awaiting() && reader_.is_until_close()) {
    reader_.end_of_input();
    server_closes_ = true;
    on_response_complete();
    return;
  }
  if (is_awaiting()) {
    judge_.on_lost(awaited(), /*may_be_lost=*/has_left_ || server_closes_ || plan_.manners != Manners::good ||
                                  awaited_index_ + 1 < begun_count_);
  }
  hang_up(false);
  if (has_left_ || begun_count_ == plan_.requests.size()) {
    finish();
  } else {
    connect();
  }
}

void ClientActor::on_tunnel_end(bool is_orderly) {
  RequestPlan& request = awaited();
  if (!is_orderly) {
    judge_.on_lost(request, /*may_be_lost=*/false);
  } else {
    if (!std::exchange(tunnel_read_ended_, true)) judge_.on_tunnel_down_end(request, tunnel_received_);
    if (!tunnel_write_ended_) return;
    ++judge_.tally().tunnels;
  }
  hang_up(false);
  if (begun_count_ == plan_.requests.size()) {
    finish();
  } else {
    connect();
  }
}

}  // namespace sluice::sim
