#include "http/http2_head_reader.h"

#include "base/check.h"
#include "base/limits.h"
#include "http/authority.h"
#include "http/chars.h"

#include <algorithm>

namespace sluice::http {

namespace {
constexpr std::string_view crumb_separator = "; ";  // RFC 9113 8.2.3
}

void Http2HeadReader::begin(Arena& arena) noexcept {
  request_.reset();
  response_.reset();
  trailers_.reset();
  arena_ = &arena;
  refusal_ = {};
  bytes_ = 0;
  authority_ = {};
  protocol_ = {};
  crumb_ = nullptr;
  crumb_bytes_ = 0;
}

void Http2HeadReader::begin_request(Arena& arena) noexcept {
  begin(arena);
  request_.emplace(arena).version = Version::http_2;
  is_request_ = true;
}

void Http2HeadReader::begin_response(Arena& arena, bool is_head, bool is_connect) noexcept {
  begin(arena);
  response_.emplace(arena).version = Version::http_2;
  is_request_ = false;
  is_head_request_ = is_head;
  is_connect_request_ = is_connect;
}

void Http2HeadReader::begin_trailers(Arena& arena, bool is_request) noexcept {
  begin(arena);
  trailers_.emplace(arena);
  is_request_ = is_request;
}

// --- Fields ----------------------------------------------------------------------------------------

void Http2HeadReader::add_field(std::string_view name, std::string_view value) noexcept {
  bytes_ += name.size() + value.size() + 32;
  if (refusal_.is_refused()) return;
  if (bytes_ > (trailers_ ? limits::trailer_bytes_max : limits::head_bytes_max)) return refuse_too_large();
  if (name.starts_with(':')) return add_pseudo_field(name, value);

  if (trailers_) {
    switch (trailer_rule(name, is_request_)) {
      case TrailerRule::keep: return add_to(*trailers_, copy(name), copy(value));
      case TrailerRule::leave_out: return;
      case TrailerRule::refuse: return refuse(ReadError::malformed, "http2.forbidden_trailer");
    }
  }
  if (response_) return add_to(response_->headers, copy(name), copy(value));

  if (name == "cookie") return add_crumb(value);
  // The authority is the host field already.
  if (name == "host" && !authority_.empty()) {
    if (!is_same_authority(authority_, value)) return refuse(ReadError::malformed, "http2.host_differs_from_authority");
    return;
  }
  add_to(request_->headers, copy(name), copy(value));
}

void Http2HeadReader::add_pseudo_field(std::string_view name, std::string_view value) noexcept {
  if (request_ && name == ":method") {
    request_->method = known_method(value);
    if (request_->method.empty()) refuse(ReadError::not_implemented, "http2.unknown_method");
  } else if (request_ && name == ":scheme") {
    if (!equals_ignoring_case(value, "http") && !equals_ignoring_case(value, "https"))
      return refuse(ReadError::malformed, "http2.unknown_scheme");
    request_->scheme = equals_ignoring_case(value, "https") ? "https" : "http";
  } else if (request_ && name == ":authority") {
    authority_ = copy(value);
    add_to(request_->headers, "host", authority_);
  } else if (request_ && name == ":path") {
    if (value.size() > limits::target_bytes_max) return refuse(ReadError::target_too_long, "http2.target_too_long");
    request_->target = copy(value);
  } else if (request_ && name == ":protocol") {
    if (!is_token(value) || !may_upgrade_to(value))  // it may become a field Upgrade of HTTP/1
      return refuse(ReadError::malformed, "http2.invalid_protocol");
    protocol_ = copy(value);
  } else if (response_ && name == ":status") {
    unsigned status = 0;
    if (value.size() != 3 || !std::ranges::all_of(value, is_digit))
      return refuse(ReadError::malformed, "http2.invalid_status");
    for (const char c : value) status = status * 10 + static_cast<unsigned>(c - '0');
    response_->status = static_cast<uint16_t>(status);
  } else {
    refuse(ReadError::malformed, "http2.unknown_pseudo_field");
  }
}

bool Http2HeadReader::is_excessive() const noexcept { return bytes_ > 4 * limits::head_bytes_max; }

void Http2HeadReader::add_invalid_field() noexcept {
  if (!refusal_.is_refused()) refuse(ReadError::malformed, "http2.invalid_field");
}

// The pieces together are one field, wherever they stand.
void Http2HeadReader::add_crumb(std::string_view value) noexcept {
  auto* crumb = arena_->allocate_array<Crumb>(1);
  if (crumb == nullptr) return refuse_too_large();
  *crumb = {.text = copy(value), .before = crumb_};
  crumb_ = crumb;
  crumb_bytes_ += value.size() + crumb_separator.size();
}

// The texts are the arena's.
void Http2HeadReader::add_to(HeaderList& fields, std::string_view name, std::string_view value) noexcept {
  if (refusal_.is_refused()) return;
  if (fields.size() == limits::header_count_max) {
    if (trailers_) return refuse_too_large();
    return refuse(ReadError::too_many_headers, "http2.too_many_headers");
  }
  if (!fields.add(name, value)) refuse_too_large();
}

std::string_view Http2HeadReader::copy(std::string_view text) noexcept {
  const std::string_view own = arena_->copy(text);
  if (own.data() == nullptr) refuse_too_large();
  return own;
}

// --- The end of the block --------------------------------------------------------------------------

Refusal Http2HeadReader::finish(bool is_end) noexcept {
  const BodyFraming framing = is_end ? BodyFraming::none : BodyFraming::chunked;
  if (request_ && !refusal_.is_refused()) {
    join_crumbs();
    if (!protocol_.empty()) {
      read_extended_connect();
    } else {
      if (request_->method == "CONNECT") request_->target = authority_;
      request_->framing = framing;
    }
    if (!refusal_.is_refused()) refusal_ = understand_request(*request_);
  } else if (response_ && !refusal_.is_refused()) {
    response_->framing = framing;
    refusal_ = understand_response(*response_, is_head_request_, is_connect_request_);
  }
  return refusal_;
}

// The bytes that follow are the other protocol's, once there is an answer.
void Http2HeadReader::read_extended_connect() noexcept {
  if (request_->method != "CONNECT") return refuse(ReadError::malformed, "http2.protocol_without_connect");
  if (request_->headers.find("content-length")) return refuse(ReadError::malformed, "http2.connect_with_content");
  request_->method = "GET";
  request_->framing = BodyFraming::none;
  request_->wants_upgrade = true;
  request_->upgrade = protocol_;
}

void Http2HeadReader::join_crumbs() noexcept {
  if (crumb_ == nullptr) return;
  std::string_view cookie = crumb_->text;
  if (crumb_->before != nullptr) {
    const size_t size = crumb_bytes_ - crumb_separator.size();
    auto* text = static_cast<char*>(arena_->allocate(size, 1));
    if (text == nullptr) return refuse_too_large();
    char* begin = text + size;
    for (const Crumb* crumb = crumb_; crumb != nullptr; crumb = crumb->before) {
      begin -= crumb->text.size();
      std::ranges::copy(crumb->text, begin);
      if (crumb->before == nullptr) break;
      begin -= crumb_separator.size();
      std::ranges::copy(crumb_separator, begin);
    }
    DCHECK(begin == text);
    cookie = {text, size};
  }
  add_to(request_->headers, "cookie", cookie);
}

void Http2HeadReader::refuse(ReadError error, std::string_view text) noexcept { refusal_ = {error, text}; }

void Http2HeadReader::refuse_too_large() noexcept {
  if (trailers_) return refuse(ReadError::trailers_too_large, "http2.trailers_too_large");
  refuse(ReadError::head_too_large, "http2.head_too_large");
}

}  // namespace sluice::http
