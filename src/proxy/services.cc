#include "proxy/services.h"

#include "base/limits.h"
#include "proxy/client_connection.h"
#include "proxy/http1_exchange.h"
#include "proxy/http2_exchanges.h"
#include "proxy/mirrored_request.h"
#include "proxy/tcp_proxy.h"

namespace sluice::proxy {

Services::Services(io::Loop& ring_loop, observe::ShardObserver& shard_observer, uint64_t seed) noexcept
    : loop(ring_loop),
      observer(shard_observer),
      random(seed),
      upstreams(ring_loop, handshakes),
      kept_content(limits::kept_content_bytes_max) {}

Services::~Services() = default;

void Services::tidy() noexcept {
  loop.tidy();
  handshakes.tidy();
  upstreams.tidy();
  snapshots.tidy(loop.now());
  client_connections.trim();
  exchanges.trim();
  http2_exchanges.trim();
  http2_connections.trim();
  tcp_proxies.trim();
  mirrored_requests.trim();
}

void Services::terminate() noexcept {
  open_connections.for_each([](ClientConnection& connection) { connection.terminate(); });
  open_mirrored_requests.for_each([](MirroredRequest& request) { request.cancel(); });
}

}  // namespace sluice::proxy
