#include "upstream/connection_pool.h"

namespace sluice::upstream {

Connection& ConnectionPool::borrow(Endpoint& endpoint, Duration connect_timeout, bool fresh,
                                   Connection::Borrower borrower) {
  Connection* idle = fresh ? nullptr : endpoint.take_idle();
  if (idle != nullptr) {
    ++reuse_count;
    idle->lend(borrower);
    return *idle;
  }
  Connection& connection = connections_.create(*this, endpoint);
  connection.connect(connect_timeout, borrower);
  return connection;
}

}  // namespace sluice::upstream
