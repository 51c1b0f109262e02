#include "proxy/services.h"

#include "proxy/client_connection.h"
#include "proxy/http1_exchange.h"
#include "proxy/tcp_proxy.h"

namespace sluice::proxy {

Services::Services(io::Loop& ring_loop, observe::ShardObserver& shard_observer, uint64_t seed) noexcept
    : loop(ring_loop), observer(shard_observer), random(seed), upstreams(ring_loop, handshakes) {}

Services::~Services() = default;

void Services::tidy() noexcept {
  loop.tidy();
  handshakes.tidy();
  upstreams.tidy();
  client_connections.trim();
  exchanges.trim();
  tcp_proxies.trim();
}

}  // namespace sluice::proxy
