#include "proxy/http1_client_side.h"

#include "http/http1_writer.h"

#include <utility>

namespace sluice::proxy {

using forward::BodyEncoding;
using http::BodyFraming;

Http1ClientSide::Http1ClientSide(transport::Transport& transport) noexcept
    : transport_(transport),
      reader_(http::Http1Reader::Role::requests),
      source_(reader_, transport),
      sink_(transport) {}

HeadStatus Http1ClientSide::read_head(http::RequestHead& head) {
  if (!std::exchange(has_begun_, true)) reader_.begin_request(head);
  for (ConstBytes input = transport_.readable(); !input.empty(); input = transport_.readable()) {
    const http::ReadStep step = reader_.read_head(input);
    transport_.consume(step.consumed);
    if (step.progress == http::Progress::failed) return HeadStatus::failed;
    if (step.progress == http::Progress::done) return HeadStatus::done;
  }
  return transport_.is_at_end() ? HeadStatus::ended : HeadStatus::pending;
}

void Http1ClientSide::write_continue() {
  if (transport_.readable().empty()) transport_.write(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"));
}

void Http1ClientSide::write_informational(const http::ResponseHead& response) {
  http::write_response_head(transport_.sink(), response.status, response.reason, response.headers, {});
}

// Content whose length is not known is chunked for a client of HTTP/1.1; for an older one its end is the connection's.
bool Http1ClientSide::write_head(http::ResponseHead& response, const http::RequestHead& request, bool may_keep) {
  const bool is_1_1 = request.version == http::Version::http_1_1;
  const bool length_unknown = response.framing == BodyFraming::chunked || response.framing == BodyFraming::until_close;
  const bool keep = may_keep && (!length_unknown || is_1_1);
  sink_.set_encoding(length_unknown && is_1_1 ? BodyEncoding::chunked : BodyEncoding::identity);

  http::MessageFraming framing{.body = response.framing, .content_length = response.content_length};
  if (length_unknown) framing.body = is_1_1 ? BodyFraming::chunked : BodyFraming::until_close;
  framing.show_content_length = http::may_tell_length(response, request.method);
  framing.close = !keep;
  framing.keep_alive = keep && !is_1_1;
  http::write_response_head(transport_.sink(), response.status, response.reason, response.headers, framing);
  return keep;
}

void Http1ClientSide::write_switched(http::ResponseHead& response, std::string_view protocol) {
  http::write_response_head(transport_.sink(), 101, response.reason, response.headers, {.upgrade = protocol});
  source_.switch_to_bytes();
  sink_.set_encoding(BodyEncoding::bytes);
}

bool Http1ClientSide::has_left() { return transport_.stream().has_receive_ended() && transport_.is_at_end(); }

}  // namespace sluice::proxy
