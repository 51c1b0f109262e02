// An exchange together with its client's side: what a connection of HTTP/1 has while a request is under way.
#pragma once

#include "proxy/client_connection.h"
#include "proxy/exchange.h"
#include "proxy/http1_client_side.h"

namespace sluice::proxy {

// The side first: it must be there before the exchange is, and outlive it.
class Http1Exchange final : private Http1ClientSide, public Exchange {
 public:
  Http1Exchange(Services& services, ClientConnection& connection) noexcept
      : Http1ClientSide(connection.transport()), Exchange(services, connection, *this), connection_(connection) {}

 private:
  void wake() override { connection_.look(); }

  ClientConnection& connection_;
};

}  // namespace sluice::proxy
