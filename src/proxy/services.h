// What a shard lends to its connections and exchanges. Everything belongs to the shard's thread.
#pragma once

#include "base/list.h"
#include "base/random.h"
#include "base/slab.h"
#include "forward/content_budget.h"
#include "io/loop.h"
#include "io/pipe_pool.h"
#include "observe/shard_observer.h"
#include "proxy/adopted_snapshots.h"
#include "tls/handshake_pool.h"
#include "upstream/connection_pool.h"

#include <cstdint>

namespace sluice::proxy {

class ClientConnection;
class Http1Exchange;
class Http2Exchange;
class Http2Exchanges;
class MirroredRequest;
class TcpProxy;

struct Services {
  Services(io::Loop& ring_loop, observe::ShardObserver& shard_observer, uint64_t seed) noexcept;
  ~Services();

  // Between two turns, about once a second: memory that was not needed since the last time goes.
  void tidy() noexcept;
  // The shard stops: what is under way ends now, and connections are gone some turns later.
  void terminate() noexcept;

  io::Loop& loop;
  observe::ShardObserver& observer;
  Random random;
  io::PipePool pipes;
  tls::HandshakePool handshakes;
  upstream::ConnectionPool upstreams;
  AdoptedSnapshots snapshots;
  Slab<ClientConnection> client_connections;
  Slab<Http1Exchange> exchanges;
  Slab<Http2Exchange> http2_exchanges;
  Slab<Http2Exchanges> http2_connections;
  Slab<TcpProxy> tcp_proxies;
  Slab<MirroredRequest> mirrored_requests;
  List<ClientConnection> open_connections;
  List<MirroredRequest> open_mirrored_requests;
  forward::ContentBudget kept_content;
  bool draining = false;  // answer what is in flight, then close
};

}  // namespace sluice::proxy
