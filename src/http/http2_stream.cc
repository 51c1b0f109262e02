#include "http/http2_stream.h"

#include "base/check.h"
#include "base/limits.h"
#include "http/chars.h"
#include "http/http2_session.h"
#include "http/known_field.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace sluice::http {

// The fields of a block that is sent. nghttp2 copies them.
class Http2Stream::Fields {
 public:
  void add(std::string_view name, std::string_view value) noexcept {
    CHECK(size_ < fields_.size());
    // nghttp2 takes pointers to what it does not write to.
    const auto pointer = [](std::string_view text) {
      return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
    };
    fields_[size_++] = {pointer(name), pointer(value), name.size(), value.size(), flags_of(name)};
  }

  void add(const HeaderList& list) noexcept {
    for (const auto& [name, value] : list) {
      if (is_sent(name, value)) add(name, value);
    }
  }

  void add_content_length(const MessageFraming& framing) noexcept {
    if (!framing.has_content_length_field()) return;
    const auto end = std::to_chars(digits_.begin(), digits_.end(), framing.content_length).ptr;
    add("content-length", {digits_.data(), static_cast<size_t>(end - digits_.data())});
  }

  void add_status(uint16_t status) noexcept {
    CHECK(status >= 100 && status <= 999);
    std::to_chars(status_.begin(), status_.end(), status);
    add(":status", {status_.data(), status_.size()});
  }

  // RFC 9113 8.2.2 and 8.3.1. http/hygiene has taken most of them out already.
  [[nodiscard]] static bool is_sent(std::string_view name, std::string_view value) noexcept {
    switch (known_field(name)) {
      case KnownField::te: return equals_ignoring_case(value, "trailers");
      case KnownField::connection:
      case KnownField::content_length:
      case KnownField::host:
      case KnownField::http2_settings:
      case KnownField::keep_alive:
      case KnownField::proxy_connection:
      case KnownField::transfer_encoding:
      case KnownField::upgrade: return false;
      default: return !name.starts_with(':');
    }
  }

  // A value that does not come again would only drive others out of the decoder's table (RFC 7541 6.2.3).
  [[nodiscard]] static uint8_t flags_of(std::string_view name) noexcept {
    return name == "x-request-id" ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
  }

  [[nodiscard]] const nghttp2_nv* data() const noexcept { return fields_.data(); }
  [[nodiscard]] size_t size() const noexcept { return size_; }

 private:
  std::array<nghttp2_nv, limits::header_list_count_max + 6> fields_;  // pseudo-header fields and content-length
  size_t size_ = 0;
  std::array<char, 20> digits_;
  std::array<char, 3> status_;
};

// nghttp2 asks for content in Http2Session::flush() while the windows are open; right after it, on_send_data takes as
// much as was promised.
struct Http2Stream::Sending {
  static ssize_t on_read_data(nghttp2_session*, int32_t id, uint8_t*, size_t room, uint32_t* flags,
                              nghttp2_data_source*, void* user_data) {
    Http2Stream* stream = static_cast<Http2Session*>(user_data)->find(id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const size_t size = std::min(room, stream->unsent_bytes());
    const bool is_end = stream->outgoing_ == Outgoing::ending && size == stream->unsent_bytes();
    if (size == 0 && !is_end) return NGHTTP2_ERR_DEFERRED;
    *flags = NGHTTP2_DATA_FLAG_NO_COPY;
    if (is_end) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (is_end && stream->kept_trailers_ != nullptr) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      stream->submit_kept_trailers();
    }
    return static_cast<ssize_t>(size);
  }

  static nghttp2_data_provider provider() noexcept {
    return {.source = {.ptr = nullptr}, .read_callback = on_read_data};
  }
};

Http2Stream::~Http2Stream() {
  if (phase_ == Phase::idle) return;
  if (phase_ == Phase::open) reset(code_of_leaving());
  if (!content_.empty()) {
    drop_content();
    session_.flush();
  }
  session_.forget(*this);
}

Http2Error Http2Stream::code_of_leaving() const noexcept {
  if (session_.role_ == Http2Session::Role::client)
    return head_progress_ == Progress::failed ? Http2Error::protocol_error : Http2Error::cancel;
  // RFC 9113 8.1: the response is complete, the rest of the request is of no use.
  if (outgoing_ == Outgoing::done) return Http2Error::no_error;
  return head_progress_ == Progress::failed ? Http2Error::protocol_error : Http2Error::internal_error;
}

// --- What the peer sends ---------------------------------------------------------------------------

void Http2Stream::expect_request(RequestHead& head) noexcept {
  CHECK(phase_ == Phase::idle && session_.role_ == Http2Session::Role::server);
  request_ = &head;
  arena_ = &head.headers.arena();
}

void Http2Stream::expect_response(ResponseHead& head) {
  CHECK(session_.role_ == Http2Session::Role::client);
  CHECK(arena_ == nullptr || arena_ == &head.headers.arena());
  CHECK(response_ == nullptr);
  arena_ = &head.headers.arena();
  if (head_progress_ == Progress::failed) return;
  if (later_responses_.empty()) {
    response_ = &head;
    head_progress_ = Progress::more;
  } else {
    head = later_responses_.front();
    later_responses_.erase(later_responses_.begin());
    head_progress_ = Progress::done;
  }
}

void Http2Stream::take_request(const RequestHead& head, const Refusal& refusal) noexcept {
  *request_ = head;
  request_ = nullptr;
  trailers_.emplace(*arena_);
  incoming_ = Incoming::content;
  head_progress_ = Progress::done;
  if (refusal.is_refused()) fail_head(refusal);
}

void Http2Stream::take_response(const ResponseHead& head, const Refusal& refusal) {
  if (response_ != nullptr) {
    *response_ = head;
    response_ = nullptr;
    head_progress_ = Progress::done;
  } else {
    later_responses_.push_back(head);
  }
  if (refusal.is_refused()) return fail_head(refusal);
  if (head.status < 200) return;
  trailers_.emplace(*arena_);
  incoming_ = Incoming::content;
}

void Http2Stream::fail_head(const Refusal& refusal) noexcept {
  head_progress_ = Progress::failed;
  fail(refusal.error, refusal.text);
}

void Http2Stream::fail(ReadError error, std::string_view text) noexcept {
  error_ = error;
  error_text_ = text;
}

// nghttp2 has no such stream any more.
void Http2Stream::note_closed(uint32_t code) noexcept {
  const bool is_complete =
      incoming_ == Incoming::done && (outgoing_ == Outgoing::done || session_.role_ == Http2Session::Role::client);
  // The peer did not reset it, nor did we, nor has the connection ended: nghttp2 has found a fault.
  const bool is_refused = code != NGHTTP2_NO_ERROR && code != NGHTTP2_REFUSED_STREAM && !is_reset_by_peer_;
  if (is_refused && error_ == ReadError::none) {
    const bool is_overflow = code == NGHTTP2_FLOW_CONTROL_ERROR;
    fail(ReadError::malformed, is_overflow ? "http2.flow_control_error" : "http2.malformed_message");
  }
  session_.note_stream(*this);
  --session_.open_count_;
  if (!is_complete) return lose(code);
  phase_ = Phase::closed;
  end_sending();
}

void Http2Stream::lose(uint32_t code) noexcept {
  phase_ = Phase::lost;
  reset_code_ = code;
  end_sending();
  drop_content();
  later_responses_.clear();
  request_ = nullptr;
  response_ = nullptr;
  if (session_.block_stream_ == this) session_.block_stream_ = nullptr;
}

void Http2Stream::end_sending() noexcept {
  outgoing_ = Outgoing::done;
  kept_.clear();
  kept_trailers_.reset();
}

void Http2Stream::consume(size_t count) {
  if (phase_ == Phase::lost) return;
  content_.consume(count);
  if (count == 0) return;
  if (phase_ == Phase::open && incoming_ != Incoming::done) {
    CHECK(nghttp2_session_consume(session_.session_, id_, count) == 0);
  } else {
    session_.give_back(count);
  }
  session_.flush();
}

void Http2Stream::drop_content() noexcept {
  session_.give_back(content_.size());
  content_.clear();
}

const HeaderList& Http2Stream::trailers() const noexcept {
  CHECK(trailers_.has_value());
  return *trailers_;
}

bool Http2Stream::may_be_retried() const noexcept {
  return phase_ == Phase::lost && session_.role_ == Http2Session::Role::client && reset_code_ == NGHTTP2_REFUSED_STREAM;
}

// --- What is sent ----------------------------------------------------------------------------------

// What comes now is this part of the message. False: it goes nowhere.
bool Http2Stream::is_open_for(Outgoing part) const noexcept {
  CHECK(phase_ != Phase::idle);
  if (phase_ != Phase::open) return false;
  CHECK(outgoing_ == part);
  return true;
}

void Http2Stream::send_request(std::string_view method, std::string_view scheme, std::string_view authority,
                               std::string_view path, const HeaderList& headers, const MessageFraming& framing,
                               bool is_end) {
  is_head_request_ = method == "HEAD";
  is_connect_request_ = method == "CONNECT";
  Fields block;
  block.add(":method", method);
  if (!scheme.empty()) block.add(":scheme", scheme);
  if (!authority.empty()) block.add(":authority", authority);
  if (!path.empty()) block.add(":path", path);
  block.add(headers);
  block.add_content_length(framing);
  submit_request(block, is_end);
}

void Http2Stream::send_extended_connect(std::string_view protocol, std::string_view scheme, std::string_view authority,
                                        std::string_view path, const HeaderList& headers) {
  CHECK(session_.takes_extended_connect());
  is_connect_request_ = true;
  Fields block;
  block.add(":method", "CONNECT");
  block.add(":protocol", protocol);
  block.add(":scheme", scheme);
  block.add(":authority", authority);
  block.add(":path", path);
  for (const auto& [name, value] : headers) {
    if (name != "sec-websocket-key" && Fields::is_sent(name, value)) block.add(name, value);
  }
  submit_request(block, /*is_end=*/false);
}

void Http2Stream::submit_request(const Fields& fields, bool is_end) {
  CHECK(phase_ == Phase::idle && response_ != nullptr && session_.may_open());
  const nghttp2_data_provider provider = Sending::provider();
  const int32_t id = nghttp2_submit_request(session_.session_, nullptr, fields.data(), fields.size(),
                                            is_end ? nullptr : &provider, this);
  CHECK(id > 0);
  outgoing_ = is_end ? Outgoing::ending : Outgoing::content;
  session_.adopt(*this, id);
  session_.flush();
}

void Http2Stream::send_informational(uint16_t status, const HeaderList& headers) {
  CHECK(session_.role_ == Http2Session::Role::server && status < 200 && status != 101);
  if (!is_open_for(Outgoing::head)) return;
  Fields block;
  block.add_status(status);
  block.add(headers);
  CHECK(nghttp2_submit_headers(session_.session_, NGHTTP2_FLAG_NONE, id_, nullptr, block.data(), block.size(),
                               nullptr) == 0);
  session_.flush();
}

void Http2Stream::send_response(uint16_t status, const HeaderList& headers, const MessageFraming& framing,
                                bool is_end) {
  CHECK(session_.role_ == Http2Session::Role::server && status >= 200);
  if (!is_open_for(Outgoing::head)) return;
  Fields block;
  block.add_status(status);
  block.add(headers);
  block.add_content_length(framing);
  const nghttp2_data_provider provider = Sending::provider();
  CHECK(nghttp2_submit_response(session_.session_, id_, block.data(), block.size(), is_end ? nullptr : &provider) == 0);
  outgoing_ = is_end ? Outgoing::ending : Outgoing::content;
  if (is_end) session_.flush();
}

size_t Http2Stream::writable_bytes() const noexcept {
  if (phase_ != Phase::open || outgoing_ != Outgoing::content || !kept_.empty()) return 0;
  const int32_t window = std::min(nghttp2_session_get_stream_remote_window_size(session_.session_, id_),
                                  nghttp2_session_get_remote_window_size(session_.session_));
  return static_cast<size_t>(std::max(window, 0));
}

void Http2Stream::write(ConstBytes content) { write(content, false); }
void Http2Stream::write_last(ConstBytes content) { write(content, true); }

void Http2Stream::write(ConstBytes content, bool is_last) {
  if (!is_open_for(Outgoing::content)) return;
  if (is_last) outgoing_ = Outgoing::ending;
  direct_ = content;
  // An error is that it waits for a window, or was not asked yet.
  nghttp2_session_resume_data(session_.session_, id_);
  session_.flush();
  kept_.append(direct_);
  direct_ = {};
}

void Http2Stream::take_unsent(size_t count, ByteSink out) {
  const size_t of_kept = std::min(count, kept_.size());
  out.append(kept_.bytes().first(of_kept));
  kept_.consume(of_kept);
  out.append(direct_.first(count - of_kept));
  direct_ = direct_.subspan(count - of_kept);
}

void Http2Stream::finish(const HeaderList* trailers) {
  const auto is_sent = [](const HeaderField& field) { return Fields::is_sent(field.name, field.value); };
  if (trailers == nullptr || std::ranges::none_of(*trailers, is_sent)) return write_last({});
  if (!is_open_for(Outgoing::content)) return;
  outgoing_ = Outgoing::ending;
  if (kept_.empty()) {
    Fields block;
    block.add(*trailers);
    CHECK(nghttp2_submit_trailer(session_.session_, id_, block.data(), block.size()) == 0);
    session_.flush();
    return;
  }
  kept_trailers_ = std::make_unique<KeptFields>();
  for (const auto& field : *trailers) {
    if (is_sent(field)) kept_trailers_->emplace_back(field.name, field.value);
  }
}

// Behind the last content, which nghttp2 is being given.
void Http2Stream::submit_kept_trailers() noexcept {
  Fields block;
  for (const auto& [name, value] : *kept_trailers_) block.add(name, value);
  CHECK(nghttp2_submit_trailer(session_.session_, id_, block.data(), block.size()) == 0);
  kept_trailers_.reset();
}

void Http2Stream::reset(Http2Error code) {
  CHECK(phase_ != Phase::idle);
  if (phase_ != Phase::open) return;
  if (!session_.is_over_) {
    nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, static_cast<uint32_t>(code));
    nghttp2_session_set_stream_user_data(session_.session_, id_, nullptr);
  }
  --session_.open_count_;
  lose(static_cast<uint32_t>(code));
  session_.flush();
}

}  // namespace sluice::http
