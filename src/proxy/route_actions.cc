// What the chosen route does with a request before it is forwarded, or instead, in the order of Envoy's filters:
// injected faults, cross-origin requests, answers, header operations, the rewritten path.
#include "http/hygiene.h"
#include "proxy/client_connection.h"
#include "proxy/exchange.h"
#include "proxy/header_operations.h"
#include "route/redirect.h"
#include "route/rewrite.h"

namespace sluice::proxy {

using observe::ResponseFlag;

// --- Faults ----------------------------------------------------------------------------------------

bool Exchange::is_hit(uint32_t share) noexcept { return share > 0 && services_.random.below(1'000'000) < share; }

Exchange::Outcome Exchange::inject_delay() {
  if (decision_.route == nullptr || decision_.route->fault == nullptr) return follow_route();
  const snapshot::Fault& fault = *decision_.route->fault;
  if (!is_hit(fault.delay_share)) return inject_abort();
  flags_.set(ResponseFlag::delay_injected);
  state_ = State::delayed;
  services_.loop.timers().arm(timer_, services_.loop.now() + fault.delay);
  return Outcome::pending;
}

Exchange::Outcome Exchange::inject_abort() {
  const snapshot::Fault& fault = *decision_.route->fault;
  if (!is_hit(fault.abort_share)) return follow_route();
  flags_.set(ResponseFlag::fault_injected);
  return reply_locally(fault.abort_status, "fault_filter_abort", "fault filter abort");
}

// --- What the route says ---------------------------------------------------------------------------

Exchange::Outcome Exchange::follow_route() {
  if (decision_.route != nullptr && decision_.route->cors != nullptr)
    cors_ = route::cors_request(*decision_.route->cors, request_);
  if (cors_ == route::CorsRequest::preflight || cors_ == route::CorsRequest::other_preflight)
    return reply_locally(200, "cors_response");
  switch (decision_.outcome) {
    case route::Outcome::https_redirect: return redirect_to_https();
    case route::Outcome::redirect: return redirect_by_route();
    case route::Outcome::direct_response:
      return reply_locally(decision_.route->direct_response->status, "direct_response",
                           decision_.route->direct_response->body);
    case route::Outcome::not_found:
      flags_.set(ResponseFlag::no_route_found);
      return reply_locally(404, "route_not_found");
    case route::Outcome::no_cluster:
      flags_.set(ResponseFlag::no_cluster_found);
      return reply_locally(503, "cluster_not_found");
    case route::Outcome::forward: return forward_to_destination();
  }
  UNREACHABLE();
}

Exchange::Outcome Exchange::forward_to_destination() {
  if (!apply_request_operations()) return reply_locally(431, "request_headers_too_large");
  if (decision_.route->rewrite != nullptr) {
    switch (route::rewrite_path(*decision_.route->rewrite, *decision_.match, request_)) {
      case route::Rewritten::ok: break;
      case route::Rewritten::too_large: return reply_locally(431, "request_headers_too_large");
      case route::Rewritten::failed: return reply_locally(400, "path_rewrite_failed");
    }
    rewritten_path_ = http::upstream_target(request_);
  }
  prepare_retries();
  return borrow_upstream(BorrowedUpstream::Wanted::any);
}

// --- Header operations -----------------------------------------------------------------------------

// Those of the destination, then those of the route, as in Envoy.
std::array<const snapshot::HeaderOperations*, 2> Exchange::header_operations() const noexcept {
  const auto at = [this](std::optional<uint32_t> index) {
    return index ? &snapshot_->tables.header_operations[*index] : nullptr;
  };
  return {decision_.destination == nullptr ? nullptr : at(decision_.destination->header_operations),
          decision_.route == nullptr ? nullptr : at(decision_.route->header_operations)};
}

// False: the head becomes too large.
bool Exchange::apply_request_operations() {
  for (const snapshot::HeaderOperations* operations : header_operations()) {
    if (operations == nullptr) continue;
    if (!operations->request.empty()) {
      observe::RequestRecord record = make_record(operations->request.needs);
      record.path = http::upstream_target(request_);  // normalised: somebody may decide by it
      if (!apply_operations(operations->request, request_.headers, record)) return false;
    }
    if (operations->authority.empty()) continue;
    request_.authority = operations->authority;
    request_.host = operations->host;
    if (!request_.headers.set("host", request_.authority)) return false;
  }
  return true;
}

// `fields` are those of the response. False: there are too many, or one is too long. What CORS says is said last: it
// is no use when an upstream says otherwise too.
bool Exchange::apply_response_operations(http::HeaderList& fields) {
  if (cors_ == route::CorsRequest::other_preflight) return true;
  const std::string_view origin = request_.headers.find("origin").value_or(std::string_view());
  if (cors_ == route::CorsRequest::preflight)
    return route::add_preflight_fields(*decision_.route->cors, origin, fields);
  for (const snapshot::HeaderOperations* operations : header_operations()) {
    if (operations == nullptr || operations->response.empty()) continue;
    observe::RequestRecord record = make_record(operations->response.needs);
    record.response_fields = &fields;
    if (!apply_operations(operations->response, fields, record)) return false;
  }
  return cors_ == route::CorsRequest::none || route::add_cors_fields(*decision_.route->cors, origin, fields);
}

}  // namespace sluice::proxy
