#include "http/http2_session.h"

#include "base/check.h"
#include "base/limits.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::http {

namespace {

std::string_view text_of(uint32_t error) noexcept {
  switch (error) {
    case NGHTTP2_NO_ERROR: return "http2.no_error";
    case NGHTTP2_PROTOCOL_ERROR: return "http2.protocol_error";
    case NGHTTP2_FLOW_CONTROL_ERROR: return "http2.flow_control_error";
    case NGHTTP2_STREAM_CLOSED: return "http2.stream_closed";
    case NGHTTP2_FRAME_SIZE_ERROR: return "http2.frame_size_error";
    case NGHTTP2_COMPRESSION_ERROR: return "http2.compression_error";
    case NGHTTP2_ENHANCE_YOUR_CALM: return "http2.enhance_your_calm";
    default: return "http2.internal_error";
  }
}

std::string_view text_of(const uint8_t* bytes, size_t size) noexcept {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

// --- nghttp2's callbacks ---------------------------------------------------------------------------
// In the order in which they meet a frame that is received, then one that is sent. What they return goes to nghttp2:
// NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE resets the stream, NGHTTP2_ERR_CALLBACK_FAILURE ends the reading.

struct Http2Session::Callbacks {
  static Http2Session& self(void* user_data) noexcept { return *static_cast<Http2Session*>(user_data); }

  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd*, void* user_data) noexcept {
    return self(user_data).pay_for_frame() ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Session& session = self(user_data);
    session.block_stream_ = nullptr;
    bool is_taken = true;
    if (session.role_ == Role::server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      is_taken = session.begin_request(frame->hd.stream_id);
    } else if (Http2Stream* stream = session.find(frame->hd.stream_id); stream != nullptr) {
      is_taken = session.begin_block(*stream);
    }
    return is_taken ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void* user_data) noexcept {
    Http2Session& session = self(user_data);
    if (session.block_stream_ == nullptr) return 0;
    session.head_reader_.add_field(text_of(name, name_size), text_of(value, value_size));
    if (!session.head_reader_.is_excessive()) return 0;
    // A client has no good reason, and decoding the rest of such blocks is what it wants of us. An upstream's other
    // requests are those of others.
    if (session.role_ == Role::server) return NGHTTP2_ERR_CALLBACK_FAILURE;
    session.refuse_block(*session.block_stream_, NGHTTP2_ENHANCE_YOUR_CALM);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  // nghttp2 would leave the field out; that is not for a proxy to do.
  static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t, const uint8_t*, size_t,
                               uint8_t, void* user_data) noexcept {
    Http2Session& session = self(user_data);
    if (session.block_stream_ != nullptr) session.head_reader_.add_invalid_field();
    return 0;
  }

  static int on_data_chunk(nghttp2_session* nghttp2, uint8_t, int32_t id, const uint8_t* bytes, size_t size,
                           void* user_data) {
    Http2Session& session = self(user_data);
    if (!std::exchange(session.is_frame_useful_, true)) session.earn_idle_frames(1);
    Http2Stream* stream = session.find(id);
    if (stream == nullptr) return nghttp2_session_consume(nghttp2, id, size);
    stream->content_.append({reinterpret_cast<const std::byte*>(bytes), size});
    session.note_stream(*stream);
    return 0;
  }

  static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Session& session = self(user_data);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (session.block_stream_ != nullptr) session.finish_block((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
        return 0;
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) return 0;
        session.has_settings_ = true;
        session.note_all_streams();  // their windows may have changed
        return 0;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0 || !std::exchange(session.awaits_ping_, false)) return 0;
        if (!std::exchange(session.is_frame_useful_, true)) session.earn_idle_frames(1);
        return 0;
      default: break;
    }
    Http2Stream* stream = frame->hd.stream_id == 0 ? nullptr : session.find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    switch (frame->hd.type) {
      case NGHTTP2_DATA:
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
        stream->incoming_ = Http2Stream::Incoming::done;
        break;
      case NGHTTP2_RST_STREAM: stream->is_reset_by_peer_ = true; break;
      case NGHTTP2_WINDOW_UPDATE: break;
      default: return 0;
    }
    session.note_stream(*stream);
    return 0;
  }

  static int on_stream_close(nghttp2_session*, int32_t id, uint32_t error, void* user_data) noexcept {
    Http2Session& session = self(user_data);
    if (Http2Stream* stream = session.find(id); stream != nullptr) {
      stream->note_closed(error);
      if (stream->phase_ == Http2Stream::Phase::closed) session.earn_idle_frames(limits::http2_idle_frames_per_request);
    }
    return 0;
  }

  static int on_send_data(nghttp2_session*, nghttp2_frame* frame, const uint8_t* header, size_t size,
                          nghttp2_data_source*, void* user_data) {
    Http2Session& session = self(user_data);
    constexpr size_t header_size = 9;  // RFC 9113 4.1
    session.out_.append({reinterpret_cast<const std::byte*>(header), header_size});
    Http2Stream* stream = session.find(frame->hd.stream_id);
    CHECK(stream != nullptr);
    stream->take_unsent(size, session.out_);
    if (size > 0) session.earn_idle_frames(limits::http2_idle_frames_per_data_frame);
    return 0;
  }

  static int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user_data) noexcept {
    Http2Session& session = self(user_data);
    const bool may_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      if (Http2Stream* stream = session.find(frame->hd.stream_id); stream != nullptr) {
        stream->outgoing_ = Http2Stream::Outgoing::done;
        session.note_stream(*stream);
      }
    }
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && session.error_text_.empty())
      session.error_text_ = text_of(frame->goaway.error_code);
    return 0;
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* callbacks = nullptr;
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    return callbacks;
  }

  static nghttp2_option* make_options() {
    nghttp2_option* options = nullptr;
    CHECK(nghttp2_option_new(&options) == 0);
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_send_header_block_length(options, 1U << 30);  // lists that we send have their own bounds
    nghttp2_option_set_max_outbound_ack(options, limits::http2_unsent_acks_max);
    nghttp2_option_set_max_settings(options, limits::http2_settings_max);
    nghttp2_option_set_max_continuations(options, limits::http2_continuations_max);
    nghttp2_option_set_stream_reset_rate_limit(options, limits::http2_resets_max, limits::http2_resets_per_second);
    return options;
  }
};

// --- A connection begins and ends -------------------------------------------------------------------

Http2Session::Http2Session(Role role, ByteSink out, Owner owner)
    : out_(out), owner_(owner), idle_frames_left_(limits::http2_idle_frames_max), role_(role) {
  static const nghttp2_session_callbacks* const callbacks = Callbacks::make();
  static const nghttp2_option* const options = Callbacks::make_options();
  const auto create = role == Role::server ? nghttp2_session_server_new2 : nghttp2_session_client_new2;
  CHECK(create(&session_, callbacks, this, options) == 0);

  // SETTINGS_HEADER_TABLE_SIZE stays what it is without being told: 4096. Priorities are RFC 9218's or none: the tree
  // of RFC 7540 is work for whoever wants to give us some.
  const std::array<nghttp2_settings_entry, 5> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, role == Role::server ? limits::http2_streams_max : 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits::http2_stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits::head_bytes_max},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
      role == Role::server ? nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1}
                           : nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
  }};
  CHECK(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  const uint32_t window =
      role == Role::server ? limits::http2_client_window_bytes : limits::http2_upstream_window_bytes;
  CHECK(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<int32_t>(window)) == 0);
  flush();
}

Http2Session::~Http2Session() {
  CHECK(streams_.empty() && !is_inside_nghttp2_ && !is_telling_);
  nghttp2_session_del(session_);
}

void Http2Session::announce_shutdown() {
  CHECK(role_ == Role::server);
  if (is_over_ || is_shutting_down_) return;
  CHECK(nghttp2_submit_shutdown_notice(session_) == 0);
  flush();
}

void Http2Session::shut_down() {
  if (is_over_ || std::exchange(is_shutting_down_, true)) return;
  CHECK(nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                              NGHTTP2_NO_ERROR, nullptr, 0) == 0);
  flush();
}

void Http2Session::ping() {
  if (is_over_ || std::exchange(awaits_ping_, true)) return;
  CHECK(nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr) == 0);
  flush();
}

bool Http2Session::is_finished() const noexcept {
  if (is_over_) return true;
  return streams_.empty() && nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

bool Http2Session::takes_extended_connect() const noexcept {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

size_t Http2Session::stream_capacity() const noexcept {
  return std::min(nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS),
                  limits::http2_streams_max);
}

bool Http2Session::takes_requests() const noexcept {
  return !is_over_ && !is_shutting_down_ && nghttp2_session_check_request_allowed(session_) != 0;
}

bool Http2Session::may_open() const noexcept { return takes_requests() && open_count_ < stream_capacity(); }

// --- Reading ---------------------------------------------------------------------------------------

bool Http2Session::receive(ConstBytes input) {
  CHECK(!is_inside_nghttp2_ && !is_telling_);
  if (is_over_) return error_text_.empty();
  const bool was_window_exhausted = nghttp2_session_get_remote_window_size(session_) <= 0;
  is_reading_ = true;
  is_inside_nghttp2_ = true;
  const ssize_t used = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(input.data()), input.size());
  is_inside_nghttp2_ = false;
  if (used < 0) refuse_input(static_cast<int>(used));
  flush();
  if (!error_text_.empty()) {
    is_over_ = true;
    lose_all_streams();
  } else if (was_window_exhausted && nghttp2_session_get_remote_window_size(session_) > 0) {
    note_all_streams();
  }
  return error_text_.empty();
}

// What nghttp2 does not answer with GOAWAY itself.
void Http2Session::refuse_input(int nghttp2_error) noexcept {
  uint32_t error = NGHTTP2_INTERNAL_ERROR;
  switch (nghttp2_error) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
      error = NGHTTP2_PROTOCOL_ERROR;
      error_text_ = "http2.bad_preface";
      break;
    case NGHTTP2_ERR_CALLBACK_FAILURE:  // pay_for_frame(), on_header()
    case NGHTTP2_ERR_FLOODED:
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS: error = NGHTTP2_ENHANCE_YOUR_CALM; break;
    default: break;
  }
  if (error_text_.empty()) error_text_ = text_of(error);
  CHECK(nghttp2_session_terminate_session(session_, error) == 0);
}

void Http2Session::end_of_input() {
  CHECK(!is_inside_nghttp2_ && !is_telling_);
  if (std::exchange(is_over_, true)) return;
  is_reading_ = true;
  lose_all_streams();
}

void Http2Session::lose_all_streams() noexcept {
  block_stream_ = nullptr;
  streams_.for_each([this](Http2Stream& stream) {
    if (stream.phase_ != Http2Stream::Phase::open) return;
    if (!error_text_.empty()) stream.fail(ReadError::malformed, error_text_);
    stream.note_closed(NGHTTP2_NO_ERROR);
  });
}

void Http2Session::note_stream(Http2Stream& stream) noexcept {
  if (!is_reading_) return;  // the owner does it, and knows
  if (!static_cast<ListNode<Http2Changed>&>(stream).is_linked()) changed_.push_back(stream);
}

// The first may use up what there is: another one is the first next time.
void Http2Session::note_all_streams() noexcept {
  streams_.for_each([this](Http2Stream& stream) { note_stream(stream); });
  if (!streams_.empty()) streams_.push_back(streams_.pop_front());
}

void Http2Session::tell_changes() {
  CHECK(!is_telling_);
  is_reading_ = false;
  is_telling_ = true;
  while (!changed_.empty()) owner_.on_stream_change(owner_.owner, changed_.pop_front());
  is_telling_ = false;
}

bool Http2Session::pay_for_frame() noexcept {
  is_frame_useful_ = false;
  if (idle_frames_left_ == 0) return false;
  --idle_frames_left_;
  return true;
}

void Http2Session::earn_idle_frames(uint32_t count) noexcept {
  idle_frames_left_ = std::min(idle_frames_left_ + count, limits::http2_idle_frames_max);
}

void Http2Session::note_time(Instant now) noexcept {
  if (now - minute_began_ < std::chrono::minutes(1)) return;
  minute_began_ = now;
  earn_idle_frames(limits::http2_idle_frames_per_minute);
}

// --- Header blocks ---------------------------------------------------------------------------------

// False: it is refused.
bool Http2Session::begin_request(int32_t id) {
  // A stream that was reset is nghttp2's no more, but its object may wait to be told.
  Http2Stream* stream = kept_count_ < limits::http2_streams_max ? owner_.on_request(owner_.owner) : nullptr;
  if (stream == nullptr) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return false;
  }
  CHECK(stream->request_ != nullptr);
  CHECK(nghttp2_session_set_stream_user_data(session_, id, stream) == 0);
  adopt(*stream, id);
  block_stream_ = stream;
  head_reader_.begin_request(*stream->arena_);
  return true;
}

bool Http2Session::begin_block(Http2Stream& stream) {
  block_stream_ = &stream;
  if (role_ == Role::server || stream.incoming_ != Http2Stream::Incoming::head) {
    head_reader_.begin_trailers(*stream.arena_, role_ == Role::server);
    return true;
  }
  if (stream.later_responses_.size() >= limits::informational_responses_max) return false;
  head_reader_.begin_response(*stream.arena_, stream.is_head_request_, stream.is_connect_request_);
  return true;
}

void Http2Session::finish_block(bool is_end) {
  Http2Stream& stream = *std::exchange(block_stream_, nullptr);
  const Refusal refusal = head_reader_.finish(is_end);
  if (!refusal.is_refused()) earn_idle_frames(1);
  if (head_reader_.is_reading_trailers()) {
    if (refusal.is_refused()) return refuse_block(stream, NGHTTP2_PROTOCOL_ERROR);
    stream.trailers_ = head_reader_.trailers();
  } else if (role_ == Role::server) {
    stream.take_request(head_reader_.request(), refusal);
  } else {
    stream.take_response(head_reader_.response(), refusal);
  }
  if (is_end) stream.incoming_ = Http2Stream::Incoming::done;
  note_stream(stream);
}

// What the reader has refused, and nothing can be answered to. The stream is lost when the reset is sent.
void Http2Session::refuse_block(Http2Stream& stream, uint32_t error) noexcept {
  stream.error_ = head_reader_.refusal().error;
  stream.error_text_ = head_reader_.refusal().text;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, error);
}

// --- Streams and sending ---------------------------------------------------------------------------

void Http2Session::adopt(Http2Stream& stream, int32_t id) noexcept {
  CHECK(stream.phase_ == Http2Stream::Phase::idle);
  stream.phase_ = Http2Stream::Phase::open;
  stream.id_ = id;
  streams_.push_back(stream);
  ++kept_count_;
  ++open_count_;
}

// The stream dies.
void Http2Session::forget(Http2Stream& stream) noexcept {
  if (block_stream_ == &stream) block_stream_ = nullptr;
  static_cast<ListNode<Http2Stream>&>(stream).unlink();
  static_cast<ListNode<Http2Changed>&>(stream).unlink_if_linked();
  --kept_count_;
}

Http2Stream* Http2Session::find(int32_t id) const noexcept {
  return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session_, id));
}

void Http2Session::flush() {
  CHECK(!is_inside_nghttp2_);
  if (is_over_) return;
  is_inside_nghttp2_ = true;
  const uint8_t* bytes = nullptr;
  ssize_t size;
  while ((size = nghttp2_session_mem_send(session_, &bytes)) > 0)
    out_.append({reinterpret_cast<const std::byte*>(bytes), static_cast<size_t>(size)});
  is_inside_nghttp2_ = false;
  CHECK(size == 0);  // all that can fail is memory and our callbacks
}

// Content that nobody reads any more. Its stream is gone, or will be: only the connection's window counts.
void Http2Session::give_back(size_t count) noexcept {
  if (count > 0) CHECK(nghttp2_session_consume_connection(session_, count) == 0);
}

}  // namespace sluice::http
