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
  Connection& connection = connections_.create(*this, endpoint);
  connection.connect(connect_timeout, tls, borrower);
  return connection;
}

}  // namespace sluice::upstream
