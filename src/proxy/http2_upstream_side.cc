#include "proxy/http2_upstream_side.h"

#include "http/http1_writer.h"

namespace sluice::proxy {

void Http2UpstreamSide::expect_head(http::ResponseHead& head, std::string_view) { stream_.expect_response(head); }

// An Upgrade has no place in HTTP/2 (RFC 9113 8.6): it is left out, as RFC 9110 7.8 allows.
void Http2UpstreamSide::write_head(const http::RequestHead& request, std::string_view target) {
  const http::MessageFraming framing{.body = request.framing, .content_length = request.content_length};
  stream_.send_request(request.method, request.is_https ? "https" : "http", request.authority, target, request.headers,
                       framing, !request.has_content());
}

// The upstream holds back its flow control, or the connection is full.
bool Http2UpstreamSide::has_unsent() const noexcept {
  return !stream_.is_sent() && !stream_.is_lost() && request_.writable_bytes() == 0;
}

HeadStatus Http2UpstreamSide::read_head() {
  switch (stream_.head_progress()) {
    case http::Progress::done: return HeadStatus::done;
    case http::Progress::failed: return HeadStatus::failed;
    case http::Progress::more: break;
  }
  if (!stream_.is_lost()) return HeadStatus::pending;
  return stream_.error() == http::ReadError::none ? HeadStatus::ended : HeadStatus::failed;
}

bool Http2UpstreamSide::has_read_failed() const noexcept { return request_.connection().transport().has_read_failed(); }

void Http2UpstreamSide::write_content(ConstBytes content) {
  written_bytes_ += content.size();
  stream_.write(content);
}

}  // namespace sluice::proxy
