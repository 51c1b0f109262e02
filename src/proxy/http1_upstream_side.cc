#include "proxy/http1_upstream_side.h"

#include "http/http1_writer.h"
#include "proxy/request_steps.h"

namespace sluice::proxy {

using forward::BodyEncoding;
using http::BodyFraming;

void Http1UpstreamSide::expect_head(http::ResponseHead& head, std::string_view method) {
  connection_.reader().begin_response(head, method);
}

void Http1UpstreamSide::write_head(const http::RequestHead& request, std::string_view target) {
  sink_.set_encoding(request.framing == BodyFraming::chunked ? BodyEncoding::chunked : BodyEncoding::identity);
  http::write_request_head(connection_.transport().sink(), request.method, target, request.headers,
                           upstream_framing(request));
}

HeadStatus Http1UpstreamSide::read_head() {
  transport::Transport& transport = connection_.transport();
  for (ConstBytes input = transport.readable(); !input.empty(); input = transport.readable()) {
    const http::ReadStep step = connection_.reader().read_head(input);
    transport.consume(step.consumed);
    if (step.progress == http::Progress::failed) return HeadStatus::failed;
    if (step.progress == http::Progress::done) return HeadStatus::done;
  }
  return transport.is_at_end() ? HeadStatus::ended : HeadStatus::pending;
}

bool Http1UpstreamSide::was_reset() const noexcept {
  return stream().receive_error() != 0 || connection_.transport().has_send_failed();
}

bool Http1UpstreamSide::may_have_been_stale() const noexcept {
  return connection_.is_reused() && !connection_.reader().is_inside_head();
}

}  // namespace sluice::proxy
