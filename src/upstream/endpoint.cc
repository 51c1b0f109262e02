#include "upstream/endpoint.h"

#include "base/limits.h"

namespace sluice::upstream {

Endpoint::~Endpoint() {
  while (!idle_.empty()) idle_.front().discard();
}

Connection* Endpoint::take_idle() noexcept {
  while (!idle_.empty()) {
    Connection& connection = idle_.front();
    // Its change may be known and not yet told: this turn's completions are all in.
    if (!connection.is_clean()) {
      connection.discard();
      continue;
    }
    --idle_count_;
    return &idle_.pop_front();
  }
  return nullptr;
}

bool Endpoint::keep_idle(Connection& connection) noexcept {
  if (idle_count_ == limits::idle_upstreams_per_endpoint_max) return false;
  idle_.push_front(connection);
  ++idle_count_;
  return true;
}

void Endpoint::forget_idle(Connection& connection) noexcept {
  static_cast<ListNode<Connection>&>(connection).unlink();
  --idle_count_;
}

}  // namespace sluice::upstream
