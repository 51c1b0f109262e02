#include "upstream/connection_pool.h"

namespace sluice::upstream {

Connection& ConnectionPool::borrow(Endpoint& endpoint, Duration connect_timeout, const Connection::TlsWanted& tls,
                                   bool fresh, Connection::Borrower borrower) {
  Connection* idle = fresh ? nullptr : endpoint.take_idle(tls.server_name);
  if (idle != nullptr) {
    ++reuse_count;
    idle->lend(borrower);
    return *idle;
  }
  return open(endpoint, connect_timeout, tls, borrower);
}

Connection& ConnectionPool::open(Endpoint& endpoint, Duration connect_timeout, const Connection::TlsWanted& tls,
                                 Connection::Borrower borrower) {
  Connection& connection = connections_.create(*this, endpoint);
  connection.connect(connect_timeout, tls, borrower);
  return connection;
}

Http2Request& ConnectionPool::join(Endpoint& endpoint, Duration connect_timeout, const Connection::TlsWanted& tls,
                                   uint32_t streams_max, Connection::Borrower borrower) {
  Http2Connection* connection = endpoint.find_http2(tls.server_name, streams_max);
  if (connection != nullptr) {
    ++reuse_count;
  } else {
    connection = &http2_connections_.create(*this, endpoint);
    endpoint.keep_http2(*connection);
    connection->connect(connect_timeout, tls);
  }
  return http2_requests_.create(*connection, borrower);
}

void ConnectionPool::tidy() noexcept {
  connections_.trim();
  http2_connections_.trim();
  http2_requests_.trim();
}

}  // namespace sluice::upstream
