#include "proxy/http2_upstream_side.h"

#include "http/http1_writer.h"
#include "http/websocket.h"

namespace sluice::proxy {

void Http2UpstreamSide::expect_head(http::ResponseHead& head, std::string_view) {
  response_ = &head;
  stream_.expect_response(head);
}

// An Upgrade has no place in HTTP/2 (RFC 9113 8.6). What it asks for is an extended CONNECT (RFC 8441) where the
// upstream takes that; else it is left out, as RFC 9110 7.8 allows.
void Http2UpstreamSide::write_head(const http::RequestHead& request, std::string_view target) {
  const std::string_view scheme = request.is_https ? "https" : "http";
  if (request.wants_upgrade && request_.takes_extended_connect()) {
    upgrade_ = &request;
    return stream_.send_extended_connect(request.upgrade, scheme, request.authority, target, request.headers);
  }
  const http::MessageFraming framing{.body = request.framing, .content_length = request.content_length};
  stream_.send_request(request.method, scheme, request.authority, target, request.headers, framing,
                       !request.has_content());
}

// The upstream holds back its flow control, or the connection is full.
bool Http2UpstreamSide::has_unsent() const noexcept {
  return !stream_.is_sent() && !stream_.is_lost() && request_.writable_bytes() == 0;
}

HeadStatus Http2UpstreamSide::read_head() {
  switch (stream_.head_progress()) {
    case http::Progress::done:
      if (upgrade_ == nullptr || response_->status / 100 != 2 || read_as_101()) return HeadStatus::done;
      return HeadStatus::failed;
    case http::Progress::failed: return HeadStatus::failed;
    case http::Progress::more: break;
  }
  if (!stream_.is_lost()) return HeadStatus::pending;
  return stream_.error() == http::ReadError::none ? HeadStatus::ended : HeadStatus::failed;
}

// With what the client of an Upgrade is to find in it. False: the head is full.
bool Http2UpstreamSide::read_as_101() {
  response_->status = 101;
  http::HeaderList& fields = response_->headers;
  if (!fields.set("upgrade", upgrade_->upgrade)) return false;
  const auto key = upgrade_->headers.find("sec-websocket-key");
  if (!key) return true;
  const std::string_view accept = fields.arena().copy(http::WebSocketAccept(*key).text());
  return accept.data() != nullptr && fields.set("sec-websocket-accept", accept);
}

bool Http2UpstreamSide::has_read_failed() const noexcept { return request_.connection().transport().has_read_failed(); }

void Http2UpstreamSide::write_content(ConstBytes content) {
  written_bytes_ += content.size();
  stream_.write(content);
}

}  // namespace sluice::proxy
