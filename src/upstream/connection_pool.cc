#include "upstream/connection_pool.h"

namespace sluice::upstream {

Connection& ConnectionPool::borrow(Endpoint& endpoint, Duration connect_timeout, const Connection::Opening& opening,
                                   bool fresh, Connection::Borrower borrower) {
  const bool may_be_idle = !fresh && opening.proxy_header.empty();
  Connection* idle = may_be_idle ? endpoint.take_idle(opening.server_name) : nullptr;
  if (idle != nullptr) {
    ++reuse_count;
    idle->lend(borrower);
    return *idle;
  }
  return open(endpoint, connect_timeout, opening, borrower);
}

Connection& ConnectionPool::open(Endpoint& endpoint, Duration connect_timeout, const Connection::Opening& opening,
                                 Connection::Borrower borrower) {
  Connection& connection = connections_.create(*this, endpoint);
  connection.connect(connect_timeout, opening, borrower);
  return connection;
}

Http2Request& ConnectionPool::join(Endpoint& endpoint, Duration connect_timeout, const Connection::Opening& opening,
                                   uint32_t streams_max, Connection::Borrower borrower) {
  Http2Connection* connection =
      opening.proxy_header.empty() ? endpoint.find_http2(opening.server_name, streams_max) : nullptr;
  if (connection != nullptr) {
    ++reuse_count;
  } else {
    connection = &http2_connections_.create(*this, endpoint);
    endpoint.keep_http2(*connection);
    connection->connect(connect_timeout, opening);
  }
  return http2_requests_.create(*connection, borrower);
}

void ConnectionPool::tidy() noexcept {
  names.tidy();
  connections_.trim();
  http2_connections_.trim();
  http2_requests_.trim();
}

}  // namespace sluice::upstream
