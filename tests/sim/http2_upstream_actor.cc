#include "sim/http2_upstream_actor.h"

#include "base/check.h"
#include "sim/pattern.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace sluice::sim {

namespace {

using namespace std::chrono_literals;
using Fault = ResponsePlan::Fault;
using When = ResponsePlan::When;

constexpr size_t kPieceMax = 8 * 1024;
// With less, the longest body takes longer than its client may wait for an answer (kStandstillMax in run.cc).
constexpr size_t kWindowMin = 200;

nghttp2_nv field(std::string_view name, std::string_view value) {
  return {.name = reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          .value = reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())),
          .namelen = name.size(),
          .valuelen = value.size(),
          .flags = NGHTTP2_NV_FLAG_NONE};
}

bool has_body(const RequestPlan& request) {
  const ResponsePlan& plan = request.response;
  if (plan.framing == ResponsePlan::Framing::length && plan.size == 0) return false;  // the head says that this is all
  return request.method != "HEAD" && plan.status != 204 && plan.status != 304;
}

}  // namespace

struct Http2UpstreamActor::Callbacks {
  static Http2UpstreamActor& self(void* user_data) { return *static_cast<Http2UpstreamActor*>(user_data); }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void* user_data) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    self(user_data).stream(frame->hd.stream_id).fields[std::string(reinterpret_cast<const char*>(name), name_size)] =
        std::string(reinterpret_cast<const char*>(value), value_size);
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2UpstreamActor& actor = self(user_data);
    const int32_t id = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) actor.on_head(id);
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) actor.on_complete(id);
    return 0;
  }

  static int on_data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user_data) {
    nghttp2_session_consume_connection(session, size);
    self(user_data).on_content(id, {reinterpret_cast<const std::byte*>(data), size});
    return 0;
  }

  static int on_close(nghttp2_session*, int32_t id, uint32_t, void* user_data) {
    self(user_data).streams_.erase(id);
    return 0;
  }

  static ssize_t read(nghttp2_session*, int32_t id, uint8_t* buffer, size_t size, uint32_t* flags, nghttp2_data_source*,
                      void* user_data) {
    return self(user_data).say(id, {reinterpret_cast<std::byte*>(buffer), size}, *flags);
  }
};

Http2UpstreamActor::Http2UpstreamActor(Judge& judge, const RunPlan& plan, Endpoint& endpoint)
    : Talker(judge.world()), judge_(judge) {
  writing_ = plan.upstream_writing;
  reading_ = plan.upstream_reading;

  nghttp2_session_callbacks* callbacks = nullptr;
  CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_close);
  nghttp2_option* option = nullptr;
  CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  CHECK(nghttp2_session_server_new2(&session_, callbacks, this, option) == 0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);

  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, world_.chance(300) ? static_cast<uint32_t>(world_.between(1, 3)) : 100},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
       world_.chance(300) ? static_cast<uint32_t>(world_.between(kWindowMin, 20'000)) : 65'535},
  };
  CHECK(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0);
  talk_over(endpoint);
}

Http2UpstreamActor::~Http2UpstreamActor() { nghttp2_session_del(session_); }

// --- reading ---------------------------------------------------------------------------------------

void Http2UpstreamActor::on_bytes(ConstBytes bytes) {
  const ssize_t used = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (used < 0) world_.fail("an upstream got what is no HTTP/2: {}", nghttp2_strerror(static_cast<int>(used)));
  pump_later();
}

void Http2UpstreamActor::on_head(int32_t id) {
  if (has_said_goodbye_) return;  // not looked at, as GOAWAY says, which may still be on its way
  last_id_ = id;
  Stream& head = stream(id);
  const auto planned = judge_.find(head.fields["x-id"]);
  // Said in time, a refusal is no execution.
  if (planned != nullptr && planned->response.fault == Fault::close_before && world_.chance(500)) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return;
  }
  head.request =
      &judge_.on_execution(head.fields[":method"], head.fields[":path"], head.fields["x-id"], endpoint().local());
  for (const char* name : {"host", "connection", "transfer-encoding", "keep-alive", "upgrade"}) {
    if (head.fields.contains(name))
      world_.fail("request {}: an HTTP/2 upstream got the field {}", head.request->id, name);
  }
  if (head.fields[":authority"] != "sim.test")
    world_.fail("request {}: the authority became {}", head.request->id, head.fields[":authority"]);
  world_.trace("upstream {}: request {} on stream {}", endpoint().local().to_string(), head.request->id, id);
  if (head.request->response.fault == Fault::close_before) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
    return;
  }
  if (head.request->response.when == When::with_head) answer_after(id, head.request->response.delay);
}

void Http2UpstreamActor::on_content(int32_t id, ConstBytes content) {
  Stream& body = stream(id);
  if (body.request == nullptr) return;  // refused
  judge_.on_request_content(*body.request, body.body_received, content);
  body.body_received += content.size();
  if (body.request->response.fault != Fault::no_reading) nghttp2_session_consume_stream(session_, id, content.size());
  if (body.request->response.when == When::within_body && body.body_received >= body.request->body_size / 2)
    answer_after(id, Duration::zero());
}

void Http2UpstreamActor::on_complete(int32_t id) {
  Stream& body = stream(id);
  if (body.request == nullptr) return;
  body.is_complete = true;
  judge_.on_request_complete(*body.request, body.body_received);
  answer_after(id, body.request->response.delay);
}

void Http2UpstreamActor::on_end(bool) { hang_up(false); }

// --- answering -------------------------------------------------------------------------------------

void Http2UpstreamActor::answer_after(int32_t id, Duration delay) {
  Stream& to = stream(id);
  const Fault fault = to.request->response.fault;
  if (to.is_answering || fault == Fault::no_answer || fault == Fault::no_reading) return;
  to.is_answering = true;
  world_.after(delay, [this, id] {
    if (!is_talking() || !streams_.contains(id)) return;
    answer(id);
    pump_later();
  });
}

void Http2UpstreamActor::answer(int32_t id) {
  RequestPlan& request = *stream(id).request;
  const ResponsePlan& plan = request.response;
  if (plan.fault == Fault::garbage) {
    out().append(as_bytes("this is no frame of any kind that there is in HTTP/2"));
    finish_writing();
    return;
  }
  for (unsigned i = 0; i < plan.informational; ++i) {
    const nghttp2_nv early[] = {field(":status", "103"), field("link", "</style.css>")};
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, early, std::size(early), nullptr);
  }
  const std::string status = std::to_string(plan.status), number = std::to_string(request.id);
  const std::string size = std::to_string(plan.size);
  std::vector<nghttp2_nv> fields = {field(":status", status), field("x-id", number)};
  if (plan.framing == ResponsePlan::Framing::length && plan.status != 204)
    fields.push_back(field("content-length", size));
  const nghttp2_data_provider provider{.source = {}, .read_callback = Callbacks::read};
  if (!has_body(request)) on_said(id);
  nghttp2_submit_response(session_, id, fields.data(), fields.size(), has_body(request) ? &provider : nullptr);
}

long Http2UpstreamActor::say(int32_t id, MutableBytes piece, uint32_t& flags) {
  Stream& body = stream(id);
  const ResponsePlan& plan = body.request->response;
  const bool breaks_off = plan.fault == Fault::end_early || plan.fault == Fault::reset_early;
  if (breaks_off && body.body_said >= plan.fault_at) {
    // By a reset of this stream, which nghttp2 makes of this, or of the connection with all others.
    if (world_.chance(200)) world_.after(Duration::zero(), [this] { hang_up(true); });
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  size_t size = std::min<size_t>({plan.size - body.body_said, piece.size(), world_.between(1, kPieceMax)});
  if (breaks_off) size = std::min<size_t>(size, plan.fault_at - body.body_said);
  fill_pattern(response_body_key(body.request->id), body.body_said, piece.first(size));
  body.body_said += size;
  if (body.body_said == plan.size && !breaks_off) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (plan.has_trailers) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const nghttp2_nv trailer = field("x-check", "sum");
      nghttp2_submit_trailer(session_, id, &trailer, 1);
    }
    on_said(id);
  }
  return static_cast<long>(size);
}

void Http2UpstreamActor::on_said(int32_t id) {
  RequestPlan& request = *stream(id).request;
  request.response_was_said = true;
  world_.trace("upstream: request {} is answered", request.id);
  using enum ResponsePlan::Afterwards;
  switch (request.response.afterwards) {
    case keep:
    case surplus: return;
    case close: world_.after(Duration::zero(), [this] { say_goodbye(); }); return;
    case close_later: world_.after(world_.delay(10ms), [this] { say_goodbye(); }); return;
    case reset_later: world_.after(world_.delay(10ms), [this] { hang_up(true); }); return;
  }
}

// What has come is still answered.
void Http2UpstreamActor::say_goodbye() {
  if (!is_talking()) return;
  has_said_goodbye_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_id_, NGHTTP2_NO_ERROR, nullptr, 0);
  pump_later();
}

bool Http2UpstreamActor::produce() {
  const uint8_t* data = nullptr;
  const ssize_t size = nghttp2_session_mem_send(session_, &data);
  if (size < 0) world_.fail("an upstream cannot write: {}", nghttp2_strerror(static_cast<int>(size)));
  if (size > 0) out().append({reinterpret_cast<const std::byte*>(data), static_cast<size_t>(size)});
  if (size == 0 && nghttp2_session_want_read(session_) == 0) finish_writing();
  return size > 0;
}

}  // namespace sluice::sim
