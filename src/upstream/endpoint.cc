#include "upstream/endpoint.h"

#include "base/limits.h"

#include <algorithm>
#include <utility>

namespace sluice::upstream {

Instant idle_end(const snapshot::ConnectionTerms& terms, Instant opened_at, Instant now) noexcept {
  const Instant silent = terms.idle_timeout == Duration{} ? Instant::max() : now + terms.idle_timeout;
  return terms.lifetime == Duration{} ? silent : std::min(silent, opened_at + terms.lifetime);
}

Endpoint::~Endpoint() {
  while (!idle_.empty()) idle_.front().discard();
  while (!http2_.empty()) http2_.front().close();
  unlink_if_linked();
}

// --- bounds of the destination ---------------------------------------------------------------------

bool Endpoint::count_connection(bool would_wait) noexcept {
  if (bound.load != nullptr && !bound.load->connections.take(bound.most)) {
    if (!would_wait || connection_count_ > 0) return false;
    bound.load->connections.take_always();
  }
  ++connection_count_;
  return true;
}

void Endpoint::uncount_connection(snapshot::DestinationLoad* counted_in) noexcept {
  --connection_count_;
  if (counted_in != nullptr) counted_in->connections.give_back();
}

void Endpoint::stand_in_line(ConnectionWaiter& waiter) noexcept {
  line_.push_back(waiter);
  waiter.load = bound.load;
  if (waiter.load != nullptr) waiter.load->in_line.take_always();
}

void Endpoint::leave_line(ConnectionWaiter& waiter) noexcept {
  waiter.unlink();
  if (waiter.load != nullptr) std::exchange(waiter.load, nullptr)->in_line.give_back();
}

bool Endpoint::should_make_room() const noexcept {
  return bound.load != nullptr && line_.empty() && bound.load->in_line.count() > 0 &&
         bound.load->connections.count() >= bound.most;
}

bool Endpoint::drop_unused() noexcept {
  if (!idle_.empty()) {
    idle_.back().discard();
    return true;
  }
  Http2Connection* unused = http2_.find([](const Http2Connection& some) { return some.request_count() == 0; });
  if (unused != nullptr) unused->close();
  return unused != nullptr;
}

// --- connections -----------------------------------------------------------------------------------

bool Endpoint::has_idle(std::string_view server_name) noexcept {
  const auto is_for_name = [&](const Connection& some) { return some.server_name() == server_name; };
  while (Connection* connection = idle_.find(is_for_name)) {
    // Its change may be known and not yet told: this turn's completions are all in.
    if (connection->is_clean()) return true;
    connection->discard();
  }
  return false;
}

Connection* Endpoint::take_idle(std::string_view server_name) noexcept {
  if (!has_idle(server_name)) return nullptr;
  Connection* connection = idle_.find([&](const Connection& some) { return some.server_name() == server_name; });
  forget_idle(*connection);
  return connection;
}

bool Endpoint::keep_idle(Connection& connection) noexcept {
  if (idle_count_ >= idle_max) return false;
  idle_.push_front(connection);
  ++idle_count_;
  return true;
}

void Endpoint::forget_idle(Connection& connection) noexcept {
  static_cast<ListNode<Connection>&>(connection).unlink();
  --idle_count_;
}

Http2Connection* Endpoint::find_http2(std::string_view server_name, uint32_t streams_max) noexcept {
  return http2_.find([&](const Http2Connection& some) {
    return some.has_room() && some.request_count() < streams_max && some.server_name() == server_name;
  });
}

void Endpoint::learn_http1(Instant now) noexcept { http1_until_ = now + limits::http1_choice_lifetime; }

std::unique_ptr<tls::ResumableSession> Endpoint::take_resumable() noexcept {
  if (resumable_.empty()) return nullptr;
  std::unique_ptr<tls::ResumableSession> session = std::move(resumable_.back());
  resumable_.pop_back();
  return session;
}

void Endpoint::keep_resumable(std::unique_ptr<tls::ResumableSession> session) {
  if (session == nullptr) return;
  if (resumable_.size() == limits::resumable_sessions_max) resumable_.erase(resumable_.begin());
  resumable_.push_back(std::move(session));
}

}  // namespace sluice::upstream
