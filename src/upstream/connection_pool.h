// All upstream connections of a shard: where their memory comes from, and how one is borrowed. Must
// outlive every Endpoint and be empty when it dies. One thread.
#pragma once

#include "base/slab.h"
#include "io/loop.h"
#include "upstream/connection.h"
#include "upstream/endpoint.h"
#include "upstream/http2_connection.h"
#include "upstream/names.h"

#include <cstdint>

namespace sluice::upstream {

class ConnectionPool {
 public:
  ConnectionPool(io::Loop& loop, tls::HandshakePool& handshakes) noexcept
      : names(loop), loop_(loop), handshakes_(handshakes), call_task_(on_call, this) {}
  ~ConnectionPool() { call_task_.unlink_if_linked(); }

  // An idle connection of the endpoint to the same server name if there is one and `fresh` was not asked for, else a
  // new one that is connecting: always, when it begins with a PROXY header. Ends with give_back() or discard().
  // Null: the destination has as many connections as it may (snapshot::ConnectionBound); then `waiter` is in line, and
  // calls again when it is told, until it has one or leaves. Nobody goes before those who are in line. A null `waiter`
  // does not wait.
  [[nodiscard]] Connection* borrow(Endpoint& endpoint, Duration connect_timeout, const Connection::Opening& opening,
                                   bool fresh, Connection::Borrower borrower, ConnectionWaiter* waiter);

  // A place on a connection of HTTP/2 to the endpoint: on one that has room, with fewer than `streams_max` requests,
  // else on a new one that is connecting, which with a PROXY header has no place for others. Ends with leave(). Null:
  // as above.
  [[nodiscard]] Http2Request* join(Endpoint& endpoint, Duration connect_timeout, const Connection::Opening& opening,
                                   uint32_t streams_max, Connection::Borrower borrower, ConnectionWaiter& waiter);
  void leave(Http2Request& request) noexcept { http2_requests_.destroy(request); }

  void leave_line(Endpoint& endpoint, ConnectionWaiter& waiter) noexcept;

  // About once a second: memory of connections that are gone goes; what other shards have done for the lines is seen.
  void tidy() noexcept;

  [[nodiscard]] io::Loop& loop() const noexcept { return loop_; }
  [[nodiscard]] tls::HandshakePool& handshakes() const noexcept { return handshakes_; }
  [[nodiscard]] size_t connection_count() const noexcept { return connections_.count(); }

  Names names;  // of named endpoints

  uint64_t opened_count = 0;
  uint64_t connect_failure_count = 0;
  uint64_t reuse_count = 0;
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;

 private:
  friend class Connection;
  friend class Http2Connection;
  static void on_call(void* self);
  [[nodiscard]] bool may_open(Endpoint& endpoint, const ConnectionWaiter* waiter) noexcept;
  void wait(Endpoint& endpoint, ConnectionWaiter* waiter, Connection::Borrower borrower, Duration time) noexcept;
  // A connection of the endpoint is free or gone, or its line is shorter: the first in line is told, later in this
  // turn.
  void call_first(Endpoint& endpoint) noexcept;
  [[nodiscard]] Connection& open(Endpoint& endpoint, Duration connect_timeout, const Connection::Opening& opening,
                                 Connection::Borrower borrower);
  void destroy(Connection& connection) noexcept { connections_.destroy(connection); }
  void destroy(Http2Connection& connection) noexcept { http2_connections_.destroy(connection); }

  io::Loop& loop_;
  tls::HandshakePool& handshakes_;
  io::Task call_task_;
  List<Endpoint> to_call_;  // whose first in line is to be told
  List<Endpoint> bounded_;  // the others that have, or had, a bound
  Slab<Connection> connections_;
  Slab<Http2Connection> http2_connections_;
  Slab<Http2Request> http2_requests_;
};

}  // namespace sluice::upstream
