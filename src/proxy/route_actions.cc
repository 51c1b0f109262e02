// What the chosen route does with a request before it is forwarded, or instead, in the order of Envoy's filters:
// injected faults, cross-origin requests, answers, header operations, the rewritten path, copies for mirrors. The steps
// themselves are in proxy/request_steps.h.
#include "http/hygiene.h"
#include "proxy/client_connection.h"
#include "proxy/exchange.h"
#include "proxy/mirrored_request.h"
#include "proxy/request_steps.h"

#include <bit>
#include <utility>
#include <vector>

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
  choose_mirrors();
  if (mirrors_ != 0 && !request_.has_content()) send_to_mirrors();
  prepare_retries();
  return borrow_upstream(BorrowedUpstream::Wanted::any);
}

// --- Mirrors ---------------------------------------------------------------------------------------

void Exchange::choose_mirrors() noexcept {
  static_assert(limits::mirrors_max < 8 * sizeof(mirrors_));
  if (request_.wants_upgrade) return;  // nobody would talk to them
  const std::vector<snapshot::Mirror>& mirrors = decision_.route->mirrors;
  for (size_t i = 0; i < mirrors.size(); ++i) {
    if (is_hit(mirrors[i].share)) mirrors_ |= static_cast<uint16_t>(1U << i);
  }
}

// Once the whole request is known: with content, when that has gone to its own destination.
void Exchange::send_to_mirrors() {
  if (request_.has_content() && (!replay_ || !replay_->can_rewind())) return lose_mirrors();  // it is too long
  const std::string_view target = http::upstream_target(request_);
  if (target.empty()) return lose_mirrors();  // the head has filled the arena: the client gets 431
  for (unsigned left = std::exchange(mirrors_, 0); left != 0; left &= left - 1) {
    const snapshot::Mirror& mirror = decision_.route->mirrors[static_cast<size_t>(std::countr_zero(left))];
    MirroredRequest::send(services_, *snapshot_, mirror.cluster, connection_, request_, target,
                          replay_ ? replay_->kept() : "");
  }
  if (replay_ && response_started_) replay_->forget();
}

void Exchange::lose_mirrors() noexcept {
  const int count = std::popcount(std::exchange(mirrors_, uint16_t{0}));
  services_.observer.counters.mirrored_requests_lost.add(static_cast<uint64_t>(count));
}

// `fields` are those of the response. False: there are too many, or one is too long.
bool Exchange::apply_response_operations(http::HeaderList& fields) {
  if (snapshot_ == nullptr) return true;  // the head was not understood
  return proxy::apply_response_operations(snapshot_->tables, decision_, cors_, request_, fields,
                                          [this](snapshot::FormatNeeds needs) { return make_record(needs); });
}

}  // namespace sluice::proxy
