#include "http/http1_reader.h"

#include "base/check.h"
#include "base/limits.h"
#include "http/chars.h"
#include "http/message_rules.h"

#include <algorithm>
#include <utility>

namespace sluice::http {

// --- llhttp's callbacks ----------------------------------------------------------------------------
// llhttp calls with the pieces of a text as they lie in the input; a piece may be empty. HPE_USER ends
// the parsing; why has been noted by fail().

struct Http1Reader::Callbacks {
  static Http1Reader& reader(llhttp_t* parser) noexcept { return *static_cast<Http1Reader*>(parser->data); }
  static int result(bool is_accepted) noexcept { return is_accepted ? HPE_OK : HPE_USER; }

  static int on_url(llhttp_t* parser, const char* at, size_t size) noexcept {
    return result(reader(parser).add_to_target(at, size));
  }
  static int on_version(llhttp_t* parser, const char* at, size_t size) noexcept {
    return result(reader(parser).add_to_version(at, size));
  }
  static int on_status(llhttp_t* parser, const char* at, size_t size) noexcept {
    return result(reader(parser).append(reader(parser).start_text_, at, size));
  }
  static int on_header_field(llhttp_t* parser, const char* at, size_t size) noexcept {
    return result(reader(parser).append(reader(parser).field_name_, at, size));
  }
  static int on_header_value(llhttp_t* parser, const char* at, size_t size) noexcept {
    return result(reader(parser).append(reader(parser).field_value_, at, size));
  }
  static int on_header_value_complete(llhttp_t* parser) noexcept { return result(reader(parser).finish_field()); }
  static int on_body(llhttp_t* parser, const char* at, size_t size) noexcept {
    return result(reader(parser).add_content(at, size));
  }
  static int on_chunk_extension(llhttp_t* parser, const char*, size_t size) noexcept {
    return result(reader(parser).note_chunk_extension(size));
  }

  static int on_method_complete(llhttp_t* parser) noexcept {
    const auto method = static_cast<llhttp_method_t>(parser->method);
    if (!is_http_method(method) && method != HTTP_PRI) {
      reader(parser).fail(ReadError::not_implemented, "http1.unknown_method");
      return HPE_USER;
    }
    reader(parser).method_ = llhttp_method_name(method);
    return HPE_OK;
  }
  static int on_url_complete(llhttp_t* parser) noexcept {
    if (parser->http_minor == 9) {  // a line without version: HTTP/0.9
      reader(parser).fail(ReadError::version_not_supported, "http1.version_not_supported");
      return HPE_USER;
    }
    reader(parser).note_end_of_target();
    return HPE_OK;
  }
  static int pause(llhttp_t*) noexcept { return HPE_PAUSED; }

  static constexpr llhttp_settings_t settings = [] {
    llhttp_settings_t callbacks{};
    callbacks.on_url = on_url;
    callbacks.on_version = on_version;
    callbacks.on_status = on_status;
    callbacks.on_header_field = on_header_field;
    callbacks.on_header_value = on_header_value;
    callbacks.on_header_value_complete = on_header_value_complete;
    callbacks.on_body = on_body;
    callbacks.on_chunk_extension_name = on_chunk_extension;
    callbacks.on_chunk_extension_value = on_chunk_extension;
    callbacks.on_method_complete = on_method_complete;
    callbacks.on_url_complete = on_url_complete;
    // Stops right behind the empty line: what follows is the body's or the next message's.
    callbacks.on_headers_complete = pause;
    callbacks.on_message_complete = pause;
    return callbacks;
  }();
};

// --- A message begins ------------------------------------------------------------------------------

Http1Reader::Http1Reader(Role role) noexcept : role_(role) {
  llhttp_init(&parser_, role == Role::requests ? HTTP_REQUEST : HTTP_RESPONSE, &Callbacks::settings);
  parser_.data = this;
}

void Http1Reader::begin_request(RequestHead& head) noexcept {
  CHECK(role_ == Role::requests);
  begin(head.headers);
  request_ = &head;
}

void Http1Reader::begin_response(ResponseHead& head, std::string_view request_method) noexcept {
  CHECK(role_ == Role::responses);
  begin(head.headers);
  response_ = &head;
  is_head_request_ = request_method == "HEAD";
  is_connect_request_ = request_method == "CONNECT";
}

void Http1Reader::begin(HeaderList& fields) noexcept {
  CHECK(phase_ == Phase::idle || phase_ == Phase::done);
  // llhttp keeps flags and states between messages that are of no use here: each message starts anew.
  llhttp_reset(&parser_);
  phase_ = Phase::head;
  arena_ = &fields.arena();
  fields_ = &fields;
  trailers_.emplace(*arena_);
  framing_ = BodyFraming::none;
  rest_bytes_ = 0;
  head_bytes_ = blank_line_bytes_ = 0;
  start_text_ = method_ = field_name_ = field_value_ = {};
  version_size_ = 0;
  protocol_at_ = SIZE_MAX;
  framing_bytes_ = extension_bytes_ = trailer_bytes_ = 0;
}

// --- The head --------------------------------------------------------------------------------------

ReadStep Http1Reader::read_head(ConstBytes input) noexcept {
  if (phase_ == Phase::failed) return {0, Progress::failed};
  CHECK(phase_ == Phase::head);
  const size_t skipped = head_bytes_ == 0 ? skip_blank_lines(input) : 0;
  if (phase_ == Phase::failed) return {skipped, Progress::failed};
  if (skipped == input.size()) return {skipped, Progress::more};

  // No more than the bound is shown to the parser: where a head becomes too large does not depend on how
  // it was cut into inputs.
  const ConstBytes rest = input.subspan(skipped);
  ConstBytes taken = rest.first(std::min(rest.size(), limits::head_bytes_max - head_bytes_));
  const ConstBytes copied = head_bytes_ == 0 ? copy_of_whole_head(taken) : ConstBytes();
  is_in_arena_ = !copied.empty();
  if (is_in_arena_) taken = copied;
  const size_t used = run_parser(taken);
  is_in_arena_ = false;
  check_protocol(taken);
  head_bytes_ += used;
  if (phase_ == Phase::head && parser_.error == HPE_PAUSED) {
    finish_head();
  } else if (phase_ == Phase::head && head_bytes_ == limits::head_bytes_max) {
    refuse_too_large(false);
  }
  switch (phase_) {
    case Phase::failed: return {skipped + used, Progress::failed};
    case Phase::head: return {skipped + used, Progress::more};
    default: return {skipped + used, Progress::done};
  }
}

// RFC 9112 2.2: empty lines before a request line. A CR that is not followed by LF is refused here or,
// since it begins no method, by the parser.
size_t Http1Reader::skip_blank_lines(ConstBytes input) noexcept {
  const std::string_view text = as_text(input);
  size_t skipped = 0;
  while (skipped < text.size()) {
    const char c = text[skipped];
    const bool expects_lf = blank_line_bytes_ % 2 == 1;
    if (c != '\r' && c != '\n' && !expects_lf) break;
    if (role_ == Role::responses || c != (expects_lf ? '\n' : '\r')) {
      fail(ReadError::malformed, "http1.invalid_line_end");
      break;
    }
    if (++blank_line_bytes_ > 2 * limits::blank_lines_max) {
      fail(ReadError::malformed, "http1.too_many_blank_lines");
      break;
    }
    ++skipped;
  }
  return skipped;
}

// The arena is to have its texts anyway: when all of it has come, which is the rule, one copy is cheaper than many.
// Empty: it has not, or there is no room.
ConstBytes Http1Reader::copy_of_whole_head(ConstBytes input) noexcept {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const size_t end = as_text(input).find(kEnd);
  return end == std::string_view::npos ? ConstBytes()
                                       : as_bytes(arena_->copy(as_text(input).substr(0, end + kEnd.size())));
}

// How many bytes were parsed: all of them unless the parser paused or failed.
size_t Http1Reader::run_parser(ConstBytes input) noexcept {
  input_ = as_text(input).data();
  const llhttp_errno_t result = llhttp_execute(&parser_, input_, input.size());
  if (result == HPE_OK) return input.size();
  if (result != HPE_PAUSED) fail_as_parser_did(input);
  const char* stop = llhttp_get_error_pos(&parser_);
  return stop >= input_ && stop <= input_ + input.size() ? static_cast<size_t>(stop - input_) : input.size();
}

void Http1Reader::finish_head() noexcept {
  Refusal refusal;
  const Version version = version_[2] == '0' ? Version::http_1_0 : Version::http_1_1;
  if (request_ != nullptr) {
    request_->method = method_;
    request_->target = start_text_;
    request_->version = version;
    refusal = understand_request(*request_);
    framing_ = request_->framing;
    rest_bytes_ = framing_ == BodyFraming::content_length ? request_->content_length : 0;
  } else {
    response_->status = parser_.status_code;
    response_->reason = trim(start_text_);
    response_->version = version;
    refusal = understand_response(*response_, is_head_request_, is_connect_request_);
    framing_ = response_->framing;
    rest_bytes_ = framing_ == BodyFraming::content_length ? response_->content_length : 0;
  }
  if (refusal.is_refused()) return fail(refusal.error, refusal.text);

  request_ = nullptr;
  response_ = nullptr;
  fields_ = &*trailers_;
  phase_ = Phase::body;
  if (framing_ == BodyFraming::none || (framing_ == BodyFraming::content_length && rest_bytes_ == 0))
    phase_ = Phase::done;
  if (framing_ == BodyFraming::chunked) {
    // The framing is ours to decide: llhttp is told that chunks follow, whatever else it made of the fields.
    parser_.flags = F_TRANSFER_ENCODING | F_CHUNKED;
    parser_.upgrade = 0;
    parser_.method = HTTP_POST;
    llhttp_resume(&parser_);
  }
}

bool Http1Reader::append(std::string_view& text, const char* at, size_t size) noexcept {
  if (size == 0) return true;
  const bool is_trailer = phase_ == Phase::body;
  if (is_trailer) trailer_bytes_ += size;
  if (is_in_arena_ && (text.empty() || text.data() + text.size() == at)) {
    text = {text.empty() ? at : text.data(), text.size() + size};
    return true;
  }
  if (trailer_bytes_ <= limits::trailer_bytes_max) {
    text = arena_->append(text, {at, size});
    if (text.data() != nullptr) return true;
  }
  refuse_too_large(is_trailer);
  return false;
}

bool Http1Reader::add_to_target(const char* at, size_t size) noexcept {
  if (size == 0) return true;
  // One space separates (RFC 9112 3); llhttp would take several.
  const size_t offset = head_bytes_ + static_cast<size_t>(at - input_);
  if (start_text_.empty() && offset != method_.size() + 1) {
    fail(ReadError::malformed, "http1.invalid_request_line");
    return false;
  }
  if (start_text_.size() + size > limits::target_bytes_max) {
    fail(ReadError::target_too_long, "http1.target_too_long");
    return false;
  }
  return append(start_text_, at, size);
}

void Http1Reader::note_end_of_target() noexcept { protocol_at_ = method_.size() + 1 + start_text_.size() + 1; }

// Behind the target stand one space and "HTTP/". llhttp would take several spaces, and "RTSP/". This error
// stands before whatever else the parser found in the same input.
void Http1Reader::check_protocol(ConstBytes input) noexcept {
  if (protocol_at_ < head_bytes_ || protocol_at_ - head_bytes_ >= input.size()) return;
  if (as_text(input)[protocol_at_ - head_bytes_] != 'H') fail(ReadError::malformed, "http1.invalid_request_line");
}

// llhttp gives the digits of "HTTP/1.1", and also those that it then refuses.
bool Http1Reader::add_to_version(const char* at, size_t size) noexcept {
  if (size == 0) return true;
  for (size_t i = 0; i < size && version_size_ < sizeof version_; ++i) version_[version_size_++] = at[i];
  const std::string_view version(version_, version_size_);
  if (version_size_ < sizeof version_ || version == "1.1" || version == "1.0") return true;
  fail(ReadError::version_not_supported, "http1.version_not_supported");
  return false;
}

bool Http1Reader::finish_field() noexcept {
  // The text is in our arena and nobody has seen it yet.
  lower_in_place(const_cast<char*>(field_name_.data()), field_name_.size());
  const std::string_view field_name = std::exchange(field_name_, {});
  const std::string_view field_value = trim(std::exchange(field_value_, {}));
  if (phase_ == Phase::body) return finish_trailer(field_name, field_value);
  if (fields_->size() == limits::header_count_max) {
    fail(ReadError::too_many_headers, "http1.too_many_headers");
    return false;
  }
  if (fields_->add(field_name, field_value)) return true;
  refuse_too_large(false);
  return false;
}

void Http1Reader::refuse_too_large(bool is_trailer) noexcept {
  if (is_trailer) return fail(ReadError::trailers_too_large, "http1.trailers_too_large");
  fail(ReadError::head_too_large, "http1.head_too_large");
}

// llhttp's own words are many and untyped; these are for the access log.
void Http1Reader::fail_as_parser_did(ConstBytes input) noexcept {
  if (phase_ == Phase::failed) return;  // by a callback
  const auto code = static_cast<llhttp_errno_t>(parser_.error);
  switch (code) {
    case HPE_INVALID_METHOD: {
      // A well-formed method that is not known to us, or no method at all.
      const char* stop = llhttp_get_error_pos(&parser_);
      const bool is_inside = stop >= input_ && stop < input_ + input.size();
      const bool ends_token = is_inside && *stop == ' ' && head_bytes_ + static_cast<size_t>(stop - input_) > 0;
      if (is_inside && (is_token_char(*stop) || ends_token))
        return fail(ReadError::not_implemented, "http1.unknown_method");
      return fail(ReadError::malformed, "http1.invalid_method");
    }
    case HPE_PAUSED_H2_UPGRADE: return fail(ReadError::version_not_supported, "http1.version_not_supported");
    case HPE_INVALID_URL: return fail(ReadError::malformed, "http1.invalid_target");
    case HPE_INVALID_VERSION:
    case HPE_INVALID_CONSTANT: return fail(ReadError::malformed, "http1.invalid_version");
    case HPE_INVALID_STATUS: return fail(ReadError::malformed, "http1.invalid_status");
    case HPE_INVALID_HEADER_TOKEN:
    case HPE_UNEXPECTED_SPACE: return fail(ReadError::malformed, "http1.invalid_field");
    case HPE_CR_EXPECTED:
    case HPE_LF_EXPECTED: return fail(ReadError::malformed, "http1.invalid_line_end");
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH: return fail(ReadError::malformed, "http1.invalid_content_length");
    case HPE_INVALID_TRANSFER_ENCODING: return fail(ReadError::malformed, "http1.invalid_transfer_encoding");
    case HPE_INVALID_CHUNK_SIZE: return fail(ReadError::malformed, "http1.invalid_chunk_size");
    default: return fail(ReadError::malformed, "http1.codec_error");
  }
}

void Http1Reader::fail(ReadError error, std::string_view text) noexcept {
  phase_ = Phase::failed;
  error_ = error;
  error_text_ = text;
  request_ = nullptr;
  response_ = nullptr;
}

// --- The body --------------------------------------------------------------------------------------

ReadStep Http1Reader::read_body(ConstBytes input, BodySink sink) noexcept {
  if (phase_ == Phase::failed) return {0, Progress::failed};
  CHECK(phase_ == Phase::body || phase_ == Phase::done);
  if (phase_ == Phase::done) return {0, Progress::done};
  return framing_ == BodyFraming::chunked ? read_chunked(input, sink) : read_counted(input, sink);
}

ReadStep Http1Reader::read_counted(ConstBytes input, BodySink sink) noexcept {
  const auto size = static_cast<size_t>(std::min<uint64_t>(input.size(), passable_bytes()));
  if (size > 0) sink.write(sink.owner, input.first(size));
  pass_by(size);
  return {size, phase_ == Phase::done ? Progress::done : Progress::more};
}

ReadStep Http1Reader::read_chunked(ConstBytes input, BodySink sink) noexcept {
  if (input.empty()) return {0, Progress::more};
  sink_ = sink;
  framing_from_ = as_text(input).data();
  const size_t used = run_parser(input);
  sink_ = {};
  if (phase_ == Phase::failed) return {used, Progress::failed};
  const char* end = as_text(input).data() + used;
  if (!note_chunk_framing(static_cast<size_t>(end - framing_from_))) return {used, Progress::failed};
  if (parser_.error != HPE_PAUSED) return {used, Progress::more};
  phase_ = Phase::done;
  return {used, Progress::done};
}

bool Http1Reader::add_content(const char* at, size_t size) noexcept {
  if (size == 0) return true;
  if (!note_chunk_framing(static_cast<size_t>(at - framing_from_))) return false;
  framing_bytes_ = 0;
  framing_from_ = at + size;
  sink_.write(sink_.owner, {reinterpret_cast<const std::byte*>(at), size});
  return true;
}

// Whatever stands between two pieces of content is bounded, also what no callback tells of (leading
// zeros of a size, whitespace in trailers).
bool Http1Reader::note_chunk_framing(size_t size) noexcept {
  framing_bytes_ += size;
  if (framing_bytes_ <= limits::chunk_framing_bytes_max) return true;
  fail(ReadError::malformed, "http1.chunk_framing_too_long");
  return false;
}

bool Http1Reader::note_chunk_extension(size_t size) noexcept {
  extension_bytes_ += size;
  if (extension_bytes_ <= limits::chunk_extension_bytes_max) return true;
  fail(ReadError::malformed, "http1.chunk_extensions_too_long");
  return false;
}

bool Http1Reader::finish_trailer(std::string_view name, std::string_view value) noexcept {
  switch (trailer_rule(name, role_ == Role::requests)) {
    case TrailerRule::keep: break;
    case TrailerRule::leave_out: return true;
    case TrailerRule::refuse: fail(ReadError::malformed, "http1.forbidden_trailer"); return false;
  }
  if (fields_->size() < limits::header_count_max && fields_->add(name, value)) return true;
  refuse_too_large(true);
  return false;
}

// --- What goes by without the reader, and the end ---------------------------------------------------

uint64_t Http1Reader::passable_bytes() const noexcept {
  if (phase_ != Phase::body) return 0;
  if (framing_ == BodyFraming::until_close) return UINT64_MAX;
  return framing_ == BodyFraming::content_length ? rest_bytes_ : 0;
}

void Http1Reader::pass_by(uint64_t count) noexcept {
  CHECK(count <= passable_bytes());
  if (framing_ != BodyFraming::content_length || phase_ != Phase::body) return;
  rest_bytes_ -= count;
  if (rest_bytes_ == 0) phase_ = Phase::done;
}

bool Http1Reader::end_of_input() noexcept {
  switch (phase_) {
    case Phase::idle:
    case Phase::done: return true;
    case Phase::failed: return false;
    case Phase::head:
      if (head_bytes_ == 0) return true;
      break;
    case Phase::body:
      if (framing_ == BodyFraming::until_close) {
        phase_ = Phase::done;
        return true;
      }
      break;
  }
  fail(ReadError::truncated, "http1.truncated");
  return false;
}

bool Http1Reader::is_inside_head() const noexcept { return phase_ == Phase::head && head_bytes_ > 0; }

bool Http1Reader::is_body_done() const noexcept { return phase_ == Phase::done; }

const HeaderList& Http1Reader::trailers() const noexcept {
  CHECK(trailers_.has_value());
  return *trailers_;
}

}  // namespace sluice::http
