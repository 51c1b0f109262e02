#include "sim/http2_client_actor.h"

#include "base/limits.h"
#include "http2_ends.h"
#include "openssl_client.h"
#include "sim/gateway_snapshot.h"
#include "sim/http2_offences.h"
#include "sim/pattern.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::sim {

namespace {

using namespace std::chrono_literals;
using http::BodyFraming;
using http::Http2Session;
using Body = RequestPlan::Body;
using Leave = RequestPlan::Leave;
using Lie = RequestPlan::Lie;
using Manners = ClientPlan::Manners;

constexpr size_t kPieceMax = 8 * 1024;
constexpr Duration kContinueWaitMax = 1s;
constexpr Duration kRudePatience = 300s;
constexpr uint32_t kOpeningMax = 30'000;
constexpr std::string_view kTooMuch = "more than it said";

// A stream that the gateway ends early has one of these codes, unless the client was wrong.
bool is_blameless(uint32_t reset_code) {
  using enum http::Http2Error;
  switch (static_cast<http::Http2Error>(reset_code)) {
    case no_error:
    case internal_error:
    case refused_stream:
    case cancel: return true;
    default: return false;
  }
}

// In place of the session's own SETTINGS_INITIAL_WINDOW_SIZE.
void set_first_window(std::string& preface, uint32_t window) {
  const std::string setting = test::setting(4, limits::http2_stream_window_bytes);
  const size_t at = preface.find(setting);
  CHECK(at != std::string::npos);
  preface.replace(at, setting.size(), test::setting(4, window));
}

// What the session adds to the window of its connection.
constexpr uint32_t kConnectionWindowAdded = limits::http2_upstream_window_bytes - 65'535;

void leave_connection_window(std::string& preface) {
  const std::string update = test::frame(test::Frame::window_update, 0, 0, test::big_endian(kConnectionWindowAdded, 4));
  const size_t at = preface.find(update);
  CHECK(at != std::string::npos);
  preface.erase(at, update.size());
}

}  // namespace

Http2ClientActor::Asked::Asked(Http2Session& session, RequestPlan& its_plan)
    : plan(its_plan), arena(limits::exchange_arena_bytes_max), response(arena), stream(session) {}

Http2ClientActor::Http2ClientActor(Judge& judge, bool is_calm, ClientPlan& plan)
    : Talker(judge.world()), judge_(judge), is_calm_(is_calm), plan_(plan), http2_(*plan.http2) {
  writing_ = plan.writing;
  reading_ = plan.reading;
  world_.after(plan.start, [this] { connect(); });
}

Http2ClientActor::~Http2ClientActor() = default;

bool Http2ClientActor::is_rude() const noexcept {
  return has_no_session() || plan_.manners == Manners::stops_reading || has_misbehaved_;
}

std::string Http2ClientActor::state() const {
  std::string streams;
  for (const auto& asked : asked_) {
    streams +=
        fmt::format(", stream {}: request {}, {} of {} bytes sent, status {}, {} bytes received", asked->stream.id(),
                    asked->plan.id, asked->sent, asked->plan.body_size, asked->head.status, asked->received);
  }
  return fmt::format("HTTP/2, {} of {} requests begun, manners {}, {} of {} PINGs answered{}, from {}{}", begun_count_,
                     plan_.requests.size(), static_cast<int>(plan_.manners), watch_.ping_acks(), pings_,
                     has_said_goodbye_ ? ", GOAWAY sent" : "", is_talking() ? endpoint().local().to_string() : "-",
                     streams);
}

// --- connections -----------------------------------------------------------------------------------

void Http2ClientActor::connect() {
  if (is_done_) return;
  Endpoint* endpoint = world_.network().connect(listen_address(plan_.is_tls));
  if (endpoint == nullptr) {
    if (is_calm_) world_.fail("a client was refused in calm weather");
    finish();
    return;
  }
  std::unique_ptr<test::OpensslClient> tls;
  if (plan_.is_tls) {
    test::ClientOptions options;
    if (world_.chance(500)) options.max_version = TLS1_2_VERSION;
    options.alpn = {"h2"};
    if (world_.chance(500)) options.alpn.emplace_back("http/1.1");
    tls = std::make_unique<test::OpensslClient>(options);
  }
  talk_over(*endpoint, std::move(tls));
  if (has_no_session()) {
    misbehave();
  } else {
    begin_session();
  }
}

void Http2ClientActor::begin_session() {
  ++connection_;
  begun_here_ = pings_ = 0;
  connection_window_opened_ = 0;
  watch_ = {};
  is_holding_ = has_said_goodbye_ = false;
  const ByteSink sink{[](void* self, size_t at_least) {
                        auto& actor = *static_cast<Http2ClientActor*>(self);
                        actor.room_.assign(std::max<size_t>(at_least, 1'000), '\0');
                        return MutableBytes(reinterpret_cast<std::byte*>(actor.room_.data()), actor.room_.size());
                      },
                      [](void* self, size_t used) {
                        auto& actor = *static_cast<Http2ClientActor*>(self);
                        actor.out().append(as_bytes(actor.room_).first(used));
                      },
                      this};
  // What has changed is seen by looking at all.
  session_ = std::make_unique<Http2Session>(
      Http2Session::Role::client, sink,
      Http2Session::Owner{.on_request = nullptr, .on_stream_change = [](void*, http::Http2Stream&) {}, .owner = this});
  std::string preface(as_text(out().bytes()));
  set_first_window(preface, http2_.first_window);
  if (http2_.is_tight) leave_connection_window(preface);
  out().clear();
  out().append(as_bytes(preface));
  if (plan_.manners == Manners::stops_reading) {
    stop_reading();
    give_up_later();
  }
}

void Http2ClientActor::end_session() {
  asked_.clear();
  session_.reset();
}

void Http2ClientActor::finish(bool with_reset) {
  hang_up(with_reset);
  for (const auto& asked : asked_) {
    if (!asked->is_over) judge_.on_lost(asked->plan, /*may_be_lost=*/true);
  }
  end_session();
  is_resting_ = false;
  is_done_ = true;
}

// This connection has ended.
void Http2ClientActor::go_on() {
  hang_up(false);
  end_session();
  if (begun_count_ == plan_.requests.size() || has_left_ || has_misbehaved_) {
    finish();
  } else {
    connect();
  }
}

void Http2ClientActor::on_idle() {
  if (has_left_ || has_misbehaved_ || watch_.ping_acks() < pings_) return;
  if (has_said_goodbye_) return;  // the gateway ends it now
  if (!session_->takes_requests()) {
    go_on();
  } else if (begun_count_ == plan_.requests.size()) {
    if (plan_.ending == ClientPlan::Ending::wait) {
      is_resting_ = true;
    } else {
      finish(plan_.ending == ClientPlan::Ending::reset);
    }
  }
}

void Http2ClientActor::leave(bool with_reset) {
  has_left_ = true;
  finish(with_reset);
}

bool Http2ClientActor::has_no_session() const noexcept {
  return plan_.manners == Manners::silent || plan_.manners == Manners::slow_head || plan_.manners == Manners::garbage;
}

void Http2ClientActor::misbehave() {
  has_misbehaved_ = true;
  give_up_later();
  if (plan_.manners == Manners::garbage) {
    std::array<std::byte, 300> bytes;
    fill_pattern(world_.random().next(), 0, bytes);
    bytes[3] = std::byte{0};  // the first frame is no SETTINGS
    if (!plan_.is_tls || world_.chance(500)) out().append(as_bytes(test::client_magic));
    out().append(bytes);
  } else {
    out().append(as_bytes(test::client_preface()));
    if (plan_.manners == Manners::slow_head)
      out().append(as_bytes(test::frame(test::Frame::headers, 0, 1, test::header_block(test::get_fields()))));
  }
}

void Http2ClientActor::give_up_later() {
  world_.after(kRudePatience, [this] {
    // Who stops reading may have been served from buffers and now be idle; all others must have been cut off.
    if (!is_done_ && plan_.manners != Manners::stops_reading)
      world_.fail("a client with bad manners is still there: {}", state());
    finish(true);
  });
}

// --- sending ---------------------------------------------------------------------------------------

bool Http2ClientActor::produce() {
  if (session_ == nullptr || has_left_ || has_misbehaved_ || is_done_) return !out().empty();
  if (plan_.manners == Manners::breaks_rules && begun_count_ > 0 && world_.chance(100)) {
    const size_t offence = world_.random().below(static_cast<uint32_t>(http2_offence_count()));
    world_.trace("client {}: breaks rule {}", endpoint().local().to_string(), offence);
    has_misbehaved_ = true;
    give_up_later();
    say_frames(http2_offence(offence));
    return true;
  }
  if (pings_ < http2_.pings_max && world_.chance(50)) ping();
  if (world_.chance(500) && send_content()) return !out().empty();
  if (may_ask()) {
    ask();
  } else {
    static_cast<void>(send_content());
  }
  return !out().empty();
}

// What is in out() ends with a whole frame.
void Http2ClientActor::say_frames(const std::string& frames) {
  out().append(as_bytes(frames));
  pump_later();
}

void Http2ClientActor::ping() {
  ++pings_;
  say_frames(test::frame(test::Frame::ping, 0, 0, fmt::format("{:08}", pings_)));
}

bool Http2ClientActor::may_ask() {
  if (begun_count_ == plan_.requests.size() || asked_.size() >= http2_.streams_max || !session_->may_open())
    return false;
  return session_->has_settings() || !http2_.awaits_settings;
}

void Http2ClientActor::ask() {
  RequestPlan& request = plan_.requests[begun_count_++];
  ++begun_here_;
  ++judge_.tally().requests;
  Asked& asked = *asked_.emplace_back(std::make_unique<Asked>(*session_, request));
  http::HeaderList fields(asked.arena);
  const std::string id = std::to_string(request.id);
  CHECK(fields.add("x-id", id));
  if (request.expects_continue) CHECK(fields.add("expect", "100-continue"));
  if (request.lie == Lie::bad_field) CHECK(fields.add("x bad", "field"));
  http::MessageFraming framing;
  if (request.body == Body::chunked) framing.body = BodyFraming::chunked;
  if (request.body == Body::length)
    framing = {.body = BodyFraming::content_length, .content_length = request.body_size};
  const bool is_end = request.body == Body::none || (request.body == Body::length && request.body_size == 0);
  asked.is_sent = request.client_sent_all = is_end;
  asked.awaits_continue = request.expects_continue && !is_end;
  asked.stream.expect_response(asked.response);
  asked.stream.send_request(request.method, plan_.is_tls ? "https" : "http",
                            request.place == Place::redirected ? "redirected.test" : "sim.test",
                            fmt::format("/{}/{}", name_of(request.place), request.id), fields, framing, is_end);
  world_.trace("client {}: request {} on stream {} {} /{}/ body {}", endpoint().local().to_string(), request.id,
               asked.stream.id(), request.method, name_of(request.place), request.body_size);

  if (asked.awaits_continue) {
    world_.after(kContinueWaitMax, [this, number = request.id] {
      Asked* const waiting = find(number);
      if (waiting == nullptr) return;
      waiting->awaits_continue = false;
      pump_later();
    });
  }
  if (plan_.patience > Duration::zero()) lose_patience_later(request.id);
  if (http2_.first_window < limits::http2_stream_window_bytes)
    open_window_later(request.id, limits::http2_stream_window_bytes - http2_.first_window);
  if (http2_.goodbye_after == begun_here_) {
    has_said_goodbye_ = true;
    session_->shut_down();
  }
}

void Http2ClientActor::lose_patience_later(uint64_t id) {
  world_.after(plan_.patience, [this, id] {
    Asked* const asked = find(id);
    if (asked == nullptr || has_left_) return;
    if (world_.chance(800)) {
      cancel(*asked);
      look();
      if (is_talking()) pump_later();
    } else {
      leave(world_.chance(500));
    }
  });
}

// The session believes that it has given the whole window. As long as the gateway knows of less, nothing can overflow.
void Http2ClientActor::open_window_later(uint64_t id, uint32_t left) {
  world_.after(world_.delay(http2_.opening_pause), [this, id, left] {
    Asked* const asked = find(id);
    if (asked == nullptr || has_left_ || has_misbehaved_) return;
    const uint32_t size = std::min(left, static_cast<uint32_t>(world_.between(1, kOpeningMax)));
    say_frames(test::frame(test::Frame::window_update, 0, static_cast<uint32_t>(asked->stream.id()),
                           test::big_endian(size, 4)));
    if (left > size) open_window_later(id, left - size);
  });
}

// Until the gateway knows of as much as the session does, which then goes on alone.
void Http2ClientActor::open_connection_window() {
  const uint64_t due = std::min<uint64_t>(watch_.data_bytes(), kConnectionWindowAdded);
  const uint64_t size = due - std::exchange(connection_window_opened_, due);
  if (size > 0) say_frames(test::frame(test::Frame::window_update, 0, 0, test::big_endian(size, 4)));
}

bool Http2ClientActor::send_content() {
  if (plan_.manners == Manners::stops_sending) return false;
  std::vector<Asked*> ready;
  for (const auto& asked : asked_) {
    const bool has_some = !asked->is_sent && !asked->awaits_continue && !asked->is_over;
    if (has_some && (asked->stream.writable_bytes() > 0 || !http2_.minds_windows)) ready.push_back(asked.get());
  }
  if (ready.empty()) return false;
  Asked& asked = *ready[world_.random().below(static_cast<uint32_t>(ready.size()))];
  if (!leaves(/*while_sending=*/true, asked.sent, asked)) send_piece(asked);
  if (session_ != nullptr) forget_ended();
  pump_later();  // what others have, and what this one has got into its session only
  return true;
}

void Http2ClientActor::send_piece(Asked& asked) {
  const RequestPlan& request = asked.plan;
  const uint64_t end = request.lie == Lie::less_content ? request.body_size / 2 : request.body_size;
  size_t size = std::min<size_t>(end - asked.sent, world_.between(1, kPieceMax));
  if (http2_.minds_windows) size = std::min(size, asked.stream.writable_bytes());
  if (request.leaves_while_sending && asked.sent < request.leave_at)
    size = std::min<size_t>(size, request.leave_at - asked.sent);
  std::array<std::byte, kPieceMax> piece;
  fill_pattern(request_body_key(request.id), asked.sent, MutableBytes(piece).first(size));
  const bool is_last = asked.sent + size == end;
  const bool ends_with_it = is_last && request.lie != Lie::more_content && !request.has_trailers && world_.chance(500);
  if (is_last && request.lie != Lie::less_content) asked.plan.client_sent_all = true;
  asked.sent += size;
  if (ends_with_it) {
    asked.stream.write_last(ConstBytes(piece).first(size));
    asked.is_sent = true;
  } else {
    if (size > 0) asked.stream.write(ConstBytes(piece).first(size));
    if (is_last) send_end(asked);
  }
}

void Http2ClientActor::send_end(Asked& asked) {
  asked.is_sent = true;
  if (asked.plan.lie == Lie::more_content) {
    asked.stream.write_last(as_bytes(kTooMuch));
    return;
  }
  http::HeaderList trailers(asked.arena);
  if (asked.plan.has_trailers) CHECK(trailers.add("x-check", "sum"));
  asked.stream.finish(&trailers);
}

// --- receiving -------------------------------------------------------------------------------------

void Http2ClientActor::on_bytes(ConstBytes bytes) {
  watch_.read(bytes);
  if (has_no_session()) {
    if (watch_.resets() > 0) finish();  // the head that has no end was given up
    return;
  }
  if (session_ == nullptr) return;
  if (watch_.has_goaway() && watch_.goaway_code() != 0 && !has_misbehaved_)
    world_.fail("a client was told of error {} that it has not made: {}", watch_.goaway_code(), state());
  if (watch_.ping_acks() > pings_) world_.fail("a client got an answer to a PING that it has not sent: {}", state());
  if (!session_->receive(bytes) && !has_misbehaved_)
    world_.fail("a client got what is no HTTP/2 ({}): {}", session_->error_text(), state());
  session_->tell_changes();
  if (http2_.is_tight && !has_misbehaved_) open_connection_window();
  hold_sometimes();
  look();
  if (is_talking()) pump_later();
}

void Http2ClientActor::on_end(bool is_orderly) {
  if (is_resting_ && is_calm_ && !is_orderly) world_.fail("a client was cut off while it was idle: {}", state());
  if (has_no_session() || is_resting_) {
    finish();
    return;
  }
  is_holding_ = false;
  session_->end_of_input();
  session_->tell_changes();
  look();
  if (is_done_ || session_ == nullptr) return;
  if (has_misbehaved_) ++judge_.tally().http2_broken;
  go_on();
}

void Http2ClientActor::hold_sometimes() {
  if (is_holding_ || !world_.chance(http2_.hold_chance)) return;
  is_holding_ = true;
  look_after(world_.delay(http2_.hold_max));
}

void Http2ClientActor::look_after(Duration delay) {
  world_.after(delay, [this, connection = connection_] {
    if (is_done_ || connection != connection_ || session_ == nullptr) return;
    is_holding_ = false;
    look();
    if (is_talking()) pump_later();
  });
}

// At all that is under way.
void Http2ClientActor::look() {
  const uint64_t connection = connection_;
  for (size_t i = 0; i < asked_.size(); ++i) {
    if (!asked_[i]->is_over) look_at(*asked_[i]);
    if (is_done_ || connection != connection_) return;  // it has left
  }
  forget_ended();
  if (is_talking() && asked_.empty()) on_idle();
}

void Http2ClientActor::look_at(Asked& asked) {
  while (asked.head.status == 0) {
    switch (asked.stream.head_progress()) {
      case http::Progress::more:
        if (asked.stream.is_lost()) on_lost(asked);
        return;
      case http::Progress::failed:
        world_.fail("request {}: the response's head is none: {}", asked.plan.id, asked.stream.error_text());
      case http::Progress::done: break;
    }
    if (asked.response.status < 200) {
      on_informational(asked);
    } else {
      on_head(asked);
    }
    if (is_done_ || asked.is_over) return;
  }
  if (!is_holding_) read_content(asked);
  if (is_done_ || asked.is_over) return;
  if (asked.stream.is_content_done()) {
    on_complete(asked);
  } else if (asked.stream.is_lost()) {
    on_lost(asked);
  }
}

void Http2ClientActor::on_informational(Asked& asked) {
  judge_.on_informational(asked.plan, asked.response.status);
  if (asked.response.status == 100 && std::exchange(asked.awaits_continue, false)) pump_later();
  asked.response = http::ResponseHead(asked.arena);
  asked.stream.expect_response(asked.response);
}

void Http2ClientActor::on_head(Asked& asked) {
  asked.head.status = asked.response.status;
  if (const auto id = asked.response.headers.find("x-id")) asked.head.id = std::string(*id);
  judge_.on_response_head(asked.plan, asked.head);
  if (asked.plan.body_size == 0 || !asked.plan.leaves_while_sending)
    static_cast<void>(leaves(/*while_sending=*/false, 0, asked));
}

void Http2ClientActor::read_content(Asked& asked) {
  while (!asked.stream.content().empty()) {
    const ConstBytes all = asked.stream.content();
    const ConstBytes piece = all.first(world_.between(1, all.size()));
    judge_.on_response_content(asked.plan, asked.head, asked.received, piece);
    asked.received += piece.size();
    asked.stream.consume(piece.size());
    if (leaves(/*while_sending=*/false, asked.received, asked)) return;
  }
}

void Http2ClientActor::on_complete(Asked& asked) {
  judge_.on_response_complete(asked.plan, asked.head, asked.received);
  ++judge_.tally().http2_answered;
  const RequestPlan& plan = asked.plan;
  // Trailers go through wherever the upstream can have sent some.
  const bool may_have_trailers = plan.response.has_trailers && asked.head.id.has_value();
  const auto check = asked.stream.trailers().find("x-check");
  if (check && (!may_have_trailers || *check != "sum"))
    world_.fail("request {}: a trailer that nobody has sent: {}", plan.id, *check);
  const bool has_chunked_content = plan.response.framing == ResponsePlan::Framing::chunked && plan.method != "HEAD" &&
                                   plan.response.status != 204 && plan.response.status != 304;
  if (!check && may_have_trailers && has_chunked_content) world_.fail("request {}: its trailer is missing", plan.id);
  if (is_calm_ && !plan.client_sent_all && asked.head.id && plan.lie == Lie::none)
    world_.fail("request {} was answered before it was sent", plan.id);
  asked.is_over = true;
}

void Http2ClientActor::on_lost(Asked& asked) {
  const bool is_liar = asked.plan.lie != Lie::none;
  const bool is_own_fault = has_left_ || has_misbehaved_ || is_liar || plan_.manners != Manners::good;
  if (!is_own_fault && !is_blameless(asked.stream.reset_code()))
    world_.fail("request {}: its stream was reset with code {}", asked.plan.id, asked.stream.reset_code());
  world_.trace("client: request {} is lost, code {}", asked.plan.id, asked.stream.reset_code());
  judge_.on_lost(asked.plan, is_own_fault);
  asked.is_over = true;
}

bool Http2ClientActor::leaves(bool while_sending, uint64_t bytes, Asked& asked) {
  const RequestPlan& request = asked.plan;
  if (request.leave == Leave::stay || request.leaves_while_sending != while_sending || bytes < request.leave_at ||
      has_left_)
    return false;
  world_.trace("client: leaves request {} after {} bytes", request.id, bytes);
  switch (request.leave) {
    case Leave::stay: break;
    case Leave::cancel:
      cancel(asked);
      look_after(Duration::zero());  // the gateway may have nothing to say to that
      break;
    case Leave::close: leave(/*with_reset=*/false); break;
    case Leave::reset: leave(/*with_reset=*/true); break;
    case Leave::half_close:
      has_left_ = true;
      finish_writing();
      pump_later();
      break;
  }
  return true;
}

void Http2ClientActor::cancel(Asked& asked) {
  asked.stream.reset(http::Http2Error::cancel);
  ++judge_.tally().http2_cancelled;
  judge_.on_lost(asked.plan, /*may_be_lost=*/true);
  asked.is_over = true;
}

Http2ClientActor::Asked* Http2ClientActor::find(uint64_t id) const {
  const auto found =
      std::ranges::find_if(asked_, [id](const auto& asked) { return asked->plan.id == id && !asked->is_over; });
  return found == asked_.end() ? nullptr : found->get();
}

void Http2ClientActor::forget_ended() {
  std::erase_if(asked_, [](const auto& asked) { return asked->is_over; });
}

}  // namespace sluice::sim
