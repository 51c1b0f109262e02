// What the chosen route does with a request before it is forwarded, or instead, in the order of Envoy's filters:
// injected faults, cross-origin requests, answers, header operations, the rewritten path. The steps themselves are in
// proxy/request_steps.h.
#include "http/hygiene.h"
#include "proxy/client_connection.h"
#include "proxy/exchange.h"
#include "proxy/request_steps.h"

namespace sluice::proxy {

using observe::ResponseFlag;

// --- Faults ----------------------------------------------------------------------------------------

bool Exchange::is_hit(uint32_t share) noexcept {
  return share > 0 && services_.random.below(snapshot::every_request) < share;
}

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
  return is_hit(fault.abort_share) ? reply_locally(fault_answer(fault)) : follow_route();
}

// --- What the route says ---------------------------------------------------------------------------

Exchange::Outcome Exchange::follow_route() {
  cors_ = cors_request(decision_, request_);
  // Only redirects ask for the port, and it has to be looked up.
  const uint16_t port = decision_.outcome == route::Outcome::redirect ? connection_.service_port_in(*snapshot_) : 0;
  if (const auto answer = answer_of(decision_, cors_, request_, port)) return reply_locally(*answer);
  return forward_to_destination();
}

Exchange::Outcome Exchange::forward_to_destination() {
  const auto make = [this](snapshot::FormatNeeds needs) { return make_record(needs); };
  if (const auto answer = change_for_destination(snapshot_->tables, decision_, request_, make))
    return reply_locally(*answer);
  if (decision_.route->rewrite != nullptr) rewritten_path_ = http::upstream_target(request_);
  prepare_retries();
  return borrow_upstream(BorrowedUpstream::Wanted::any);
}

// `fields` are those of the response. False: there are too many, or one is too long.
bool Exchange::apply_response_operations(http::HeaderList& fields) {
  if (snapshot_ == nullptr) return true;  // the head was not understood
  return proxy::apply_response_operations(snapshot_->tables, decision_, cors_, request_, fields,
                                          [this](snapshot::FormatNeeds needs) { return make_record(needs); });
}

}  // namespace sluice::proxy
