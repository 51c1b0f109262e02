// Responses that sluice gives itself: redirects and errors, with Envoy's texts where Envoy has one.
#include "http/hygiene.h"
#include "proxy/client_connection.h"
#include "proxy/exchange.h"

namespace sluice::proxy {

using http::BodyFraming;

Exchange::Outcome Exchange::reply_locally(uint16_t status, std::string_view details, std::string_view body) {
  return reply_locally({.status = status, .details = details, .body = body});
}

Exchange::Outcome Exchange::reply_locally(const Answer& any) {
  const Answer answer = in_terms_of(request_, any);
  const uint16_t status = answer.status;
  release_upstream(/*reusable=*/false);
  status_ = status;
  grpc_status_ = answer.grpc_status;
  details_ = answer.details;
  flags_.bits |= answer.flags.bits;
  if (response_started_) return end(Outcome::abort_client);

  // The connection goes on when the request is understood and all of it is here; what has not arrived
  // yet might never, so the client is asked to come again on a new connection.
  const bool head_understood = snapshot_ != nullptr;
  const bool keep = head_understood && may_keep_client() && !client_->refusal().is_refused() &&
                    !is_tunnel_expected(status) && drain_buffered_request_body();

  response_ = http::ResponseHead(arena_);
  http::HeaderList& headers = response_.headers;
  const bool fits = add_answer_fields(answer, http::http_date(services_.loop.wall_now()), headers) &&
                    apply_response_operations(headers);  // of the route, if one was chosen
  if (!fits) return end(Outcome::abort_client);          // the request has filled the arena to the last byte

  // 204 has no content, and says no length (RFC 9110 8.6).
  const bool has_no_content = request_.method == "HEAD" || status == 204 || status == 304;
  response_.status = status;
  response_.framing = has_no_content ? BodyFraming::none : BodyFraming::content_length;
  response_.content_length = answer.content().size();
  response_.has_content_length = status != 204 && status != 304;
  client_keep_alive_ = client_->write_head(response_, request_, keep);
  response_started_ = true;
  answer_.emplace(has_no_content ? std::string_view() : answer.content(), arena_);
  timer_.cancel();
  try_timer_.cancel();
  state_ = State::answering;
  return write_answer();
}

// A client of HTTP/1 may have sent bytes for its tunnel, which are no requests, though a CONNECT was refused. One that
// was asked for credentials comes again with them.
bool Exchange::is_tunnel_expected(uint16_t status) const noexcept {
  transport::Transport* const client = client_->connection();
  return is_connect() && client != nullptr && (status != 407 || !client->readable().empty());
}

// As the client takes it: the body of a direct response may be long.
Exchange::Outcome Exchange::write_answer() {
  const forward::CopyResult copied = forward::copy_content(*answer_, &client_->response());
  response_bytes_ += copied.bytes;
  switch (copied.status) {
    case forward::CopyStatus::blocked: return Outcome::pending;
    case forward::CopyStatus::yield: return Outcome::yield;
    case forward::CopyStatus::done: return end(client_keep_alive_ ? Outcome::reuse_client : Outcome::close_client);
    case forward::CopyStatus::sink_failed: return on_client_lost();
    case forward::CopyStatus::source_ended:
    case forward::CopyStatus::source_failed: break;
  }
  UNREACHABLE();
}

// Reads off what has arrived of a body that nobody wants; true when that was all of it.
bool Exchange::drain_buffered_request_body() {
  const forward::CopyResult drained = forward::copy_content(client_->request(), nullptr);
  request_bytes_ += drained.bytes;
  return drained.status == forward::CopyStatus::done;
}

}  // namespace sluice::proxy
