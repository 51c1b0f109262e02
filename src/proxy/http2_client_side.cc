#include "proxy/http2_client_side.h"

#include <algorithm>
#include <utility>

namespace sluice::proxy {

using http::BodyFraming;

HeadStatus Http2ClientSide::read_head(http::RequestHead& head) {
  if (!std::exchange(has_begun_, true)) stream_.expect_request(head);
  switch (stream_.head_progress()) {
    case http::Progress::done: return HeadStatus::done;
    case http::Progress::failed: return HeadStatus::failed;
    case http::Progress::more: break;
  }
  return stream_.is_lost() ? HeadStatus::ended : HeadStatus::pending;
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
bool Http2ClientSide::write_head(const http::ResponseHead& response, const http::RequestHead& request, bool may_keep) {
  http::MessageFraming framing{.body = response.framing, .content_length = response.content_length};
  if (response.framing == BodyFraming::until_close) framing.body = BodyFraming::chunked;
  framing.show_content_length = http::may_tell_length(response, request.method);
  has_ended_ = response.framing == BodyFraming::none ||
               (response.framing == BodyFraming::content_length && response.content_length == 0);
  stream_.send_response(response.status, response.headers, framing, has_ended_);
  return may_keep;
}

size_t Http2ClientSide::writable_bytes() const noexcept {
  return std::min(transport_.writable_bytes(), stream_.writable_bytes());
}

}  // namespace sluice::proxy
