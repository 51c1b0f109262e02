#include "upstream/connection_pool.h"

namespace sluice::upstream {

Connection* ConnectionPool::borrow(Endpoint& endpoint, Duration connect_timeout, const Connection::Opening& opening,
                                   bool fresh, Connection::Borrower borrower, ConnectionWaiter* waiter) {
  if (endpoint.is_turn_of(waiter)) {
    const bool may_be_idle = !fresh && opening.proxy_header.empty();
    if (Connection* idle = may_be_idle ? endpoint.take_idle(opening.server_name) : nullptr) {
      ++reuse_count;
      idle->lend(borrower);
      if (waiter != nullptr) leave_line(endpoint, *waiter);
      return idle;
    }
    if (may_open(endpoint, waiter)) {
      if (waiter != nullptr) leave_line(endpoint, *waiter);
      return &open(endpoint, connect_timeout, opening, borrower);
    }
  }
  wait(endpoint, waiter, borrower, connect_timeout);
  return nullptr;
}

Connection& ConnectionPool::open(Endpoint& endpoint, Duration connect_timeout, const Connection::Opening& opening,
                                 Connection::Borrower borrower) {
  Connection& connection = connections_.create(*this, endpoint);
  connection.connect(connect_timeout, opening, borrower);
  return connection;
}

Http2Request* ConnectionPool::join(Endpoint& endpoint, Duration connect_timeout, const Connection::Opening& opening,
                                   uint32_t streams_max, Connection::Borrower borrower, ConnectionWaiter& waiter) {
  Http2Connection* connection = nullptr;
  if (endpoint.is_turn_of(&waiter)) {
    if (opening.proxy_header.empty()) connection = endpoint.find_http2(opening.server_name, streams_max);
    if (connection != nullptr) {
      ++reuse_count;
    } else if (may_open(endpoint, &waiter)) {
      connection = &http2_connections_.create(*this, endpoint);
      endpoint.keep_http2(*connection);
      connection->connect(connect_timeout, opening);
    }
  }
  if (connection == nullptr) {
    wait(endpoint, &waiter, borrower, connect_timeout);
    return nullptr;
  }
  leave_line(endpoint, waiter);
  return &http2_requests_.create(*connection, borrower);
}

// --- where the destination may have no more connections --------------------------------------------

bool ConnectionPool::may_open(Endpoint& endpoint, const ConnectionWaiter* waiter) noexcept {
  if (endpoint.bound.load != nullptr && !endpoint.is_linked()) bounded_.push_back(endpoint);
  const bool would_wait = waiter != nullptr;
  // One that is not used, and was of no use for this, is in the way.
  return endpoint.count_connection(would_wait) || (endpoint.drop_unused() && endpoint.count_connection(would_wait));
}

void ConnectionPool::wait(Endpoint& endpoint, ConnectionWaiter* waiter, Connection::Borrower borrower,
                          Duration time) noexcept {
  if (waiter == nullptr || waiter->is_linked()) return;
  waiter->borrower = borrower;
  waiter->until = loop_.now() + time;
  endpoint.stand_in_line(*waiter);
}

void ConnectionPool::leave_line(Endpoint& endpoint, ConnectionWaiter& waiter) noexcept {
  if (!waiter.is_linked()) return;
  endpoint.leave_line(waiter);
  call_first(endpoint);
}

void ConnectionPool::call_first(Endpoint& endpoint) noexcept {
  if (endpoint.first_in_line() == nullptr) return;
  static_cast<ListNode<Endpoint>&>(endpoint).unlink();
  to_call_.push_back(endpoint);
  if (!call_task_.is_linked()) loop_.run_later(call_task_);
}

void ConnectionPool::on_call(void* self) {
  auto& pool = *static_cast<ConnectionPool*>(self);
  while (!pool.to_call_.empty()) {
    Endpoint& endpoint = pool.to_call_.pop_front();
    pool.bounded_.push_back(endpoint);
    ConnectionWaiter* first = endpoint.first_in_line();
    if (first != nullptr) first->borrower.on_change(first->borrower.owner);
  }
}

// --- from time to time -----------------------------------------------------------------------------

void ConnectionPool::tidy() noexcept {
  List<Endpoint> all;
  all.append(bounded_);
  while (!all.empty()) {
    Endpoint& endpoint = all.pop_front();
    bounded_.push_back(endpoint);
    call_first(endpoint);
    while (endpoint.should_make_room() && endpoint.drop_unused()) {
    }
  }
  names.tidy();
  connections_.trim();
  http2_connections_.trim();
  http2_requests_.trim();
}

}  // namespace sluice::upstream
