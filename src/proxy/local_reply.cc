// Responses that sluice gives itself: redirects and errors, with Envoy's texts where Envoy has one.
#include "http/hygiene.h"
#include "proxy/exchange.h"

namespace sluice::proxy {

using http::BodyFraming;

Exchange::Outcome Exchange::reply_locally(uint16_t status, std::string_view details, std::string_view body,
                                          std::string_view location) {
  release_upstream(/*reusable=*/false);
  status_ = status;
  details_ = details;
  if (response_started_) return end(Outcome::abort_client);

  // The connection goes on when the request is understood and all of it is here; what has not arrived
  // yet might never, so the client is asked to come again on a new connection.
  const bool head_understood = snapshot_ != nullptr;
  const bool keep =
      head_understood && may_keep_client() && !client_.refusal().is_refused() && drain_buffered_request_body();

  response_ = http::ResponseHead(arena_);
  http::HeaderList& headers = response_.headers;
  bool fits = true;
  if (!location.empty()) fits &= headers.add("location", location);
  if (!body.empty()) fits &= headers.add("content-type", "text/plain");
  fits &= headers.add("date", http::http_date(services_.loop.wall_now()));
  fits &= headers.add("server", "istio-envoy");
  fits = fits && apply_response_operations(headers);  // of the route, if one was chosen
  if (!fits) return end(Outcome::abort_client);       // the request has filled the arena to the last byte

  const bool is_head = request_.method == "HEAD";
  response_.status = status;
  response_.framing = is_head ? BodyFraming::none : BodyFraming::content_length;
  response_.content_length = body.size();
  response_.has_content_length = true;
  const bool is_kept = client_.write_head(response_, request_, keep);
  if (!is_head) {
    client_.response().write_content(as_bytes(body));
    response_bytes_ = body.size();
  }
  response_started_ = true;
  return end(is_kept ? Outcome::reuse_client : Outcome::close_client);
}

Exchange::Outcome Exchange::redirect_to_https() {
  const std::string_view location = http::https_location(request_);
  if (location.empty()) return reply_locally(400, "missing_host_header");
  return reply_locally(301, "direct_response", {}, location);
}

// Reads off what has arrived of a body that nobody wants; true when that was all of it.
bool Exchange::drain_buffered_request_body() {
  const forward::CopyResult drained = forward::copy_content(client_.request(), nullptr);
  request_bytes_ += drained.bytes;
  return drained.status == forward::CopyStatus::done;
}

}  // namespace sluice::proxy
