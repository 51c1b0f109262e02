#include "proxy/http2_client_side.h"

#include "base/check.h"

#include <algorithm>
#include <utility>

namespace sluice::proxy {

using http::BodyFraming;

HeadStatus Http2ClientSide::read_head(http::RequestHead& head) {
  if (!std::exchange(has_begun_, true)) {
    head.version = http::Version::http_2;  // for the record of one that never becomes complete
    stream_.expect_request(head);
  }
  if (stream_.is_lost()) return stream_.error() == http::ReadError::none ? HeadStatus::ended : HeadStatus::failed;
  switch (stream_.head_progress()) {
    case http::Progress::done: return HeadStatus::done;
    case http::Progress::failed: return HeadStatus::failed;
    case http::Progress::more: return HeadStatus::pending;
  }
  UNREACHABLE();
}

void Http2ClientSide::write_continue() {
  if (!stream_.content().empty() || stream_.is_content_done()) return;
  Arena arena(0);
  stream_.send_informational(100, http::HeaderList(arena));
}

void Http2ClientSide::write_informational(const http::ResponseHead& response) {
  stream_.send_informational(response.status, response.headers);
}

// The connection goes on whatever the length is.
bool Http2ClientSide::write_head(http::ResponseHead& response, const http::RequestHead& request, bool may_keep) {
  http::MessageFraming framing{.body = response.framing, .content_length = response.content_length};
  if (response.framing == BodyFraming::until_close) framing.body = BodyFraming::chunked;
  framing.show_content_length = http::may_tell_length(response, request.method);
  // END_STREAM comes with the head where nothing follows it: gRPC tells errors so.
  const bool is_empty = response.framing == BodyFraming::content_length && response.content_length == 0;
  if (is_empty && !response.has_content_length) framing.body = BodyFraming::none;
  has_ended_ = response.framing == BodyFraming::none || is_empty;
  // Behind content of a known length, only HTTP/2 may have trailers.
  if (response.framing == BodyFraming::content_length && response.version != http::Version::http_2)
    bytes_to_end_ = response.content_length;
  stream_.send_response(response.status, response.headers, framing, has_ended_);
  return may_keep;
}

// RFC 8441 5: no protocol, and no answer to a key.
void Http2ClientSide::write_switched(http::ResponseHead& response, std::string_view) {
  response.headers.remove("sec-websocket-accept");
  stream_.send_response(200, response.headers, {.body = BodyFraming::chunked}, /*is_end=*/false);
}

void Http2ClientSide::write_content(ConstBytes content) {
  waits_for_room_ = false;
  if (bytes_to_end_ == 0 || content.size() != bytes_to_end_) {
    bytes_to_end_ -= std::min<uint64_t>(bytes_to_end_, content.size());
    stream_.write(content);
  } else {
    has_ended_ = true;
    stream_.write_last(content);
  }
}

void Http2ClientSide::finish_content(const http::HeaderList& trailers) {
  waits_for_room_ = false;
  if (!has_ended_) stream_.finish(&trailers);
}

void Http2ClientSide::make_room() {
  waits_for_room_ = true;
  transport_.flush();
}

size_t Http2ClientSide::writable_bytes() const noexcept {
  return std::min(transport_.writable_bytes(), stream_.writable_bytes());
}

}  // namespace sluice::proxy
