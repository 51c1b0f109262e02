// The shards of the process as the control plane sees them: start, follow a new snapshot, drain, stop.
// Every function is called by the control plane's thread; none blocks for longer than it says.
#pragma once

#include "base/address.h"
#include "base/name_lookup.h"
#include "base/result.h"
#include "io/socket.h"
#include "observe/shard_observer.h"
#include "snapshot/cell.h"
#include "tls/private_key.h"

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace sluice::shard {

class Shard;

class ShardSet {
 public:
  // Starts `count` threads, each with its ring, one per CPU of the process's affinity mask and
  // pinned to it when the counts agree. Fails with cause and remedy when a ring cannot be made (seccomp, sysctl, locked
  // memory, kernel too old) or descriptors are too few; nothing runs then. The shards idle until the
  // first snapshot is published to `cell`, which must outlive the set. `batching`: of their signing threads. `names`,
  // which must outlive the set, too: whom they ask for names that clients request; null: nobody.
  [[nodiscard]] static Result<std::unique_ptr<ShardSet>> start(unsigned count, snapshot::Cell& cell,
                                                               tls::RsaBatching batching = tls::RsaBatching::automatic,
                                                               NameLookup* names = nullptr);

  ShardSet(const ShardSet&) = delete;
  ShardSet& operator=(const ShardSet&) = delete;
  ~ShardSet();  // stops

  // Binds what `snapshot` listens on and is not bound yet, one SO_REUSEPORT socket per shard and address, of a Unix
  // socket one for all: all of it or nothing (port in use, no permission: the reload is refused with the reason).
  // Call before publishing `snapshot`. Sockets that no longer belong to a snapshot are closed by the shards when they
  // adopt it; the files of Unix sockets are gone at once.
  [[nodiscard]] Status bind_listeners(const snapshot::Snapshot& snapshot);

  // After Cell::publish(): the shards adopt at once instead of at their next event.
  void wake_all() noexcept;

  // Stop accepting; answer what is in flight, with "connection: close"; close idle connections.
  void begin_drain() noexcept;
  // Connections (downstream, tunnels included) that are still open.
  [[nodiscard]] uint64_t open_connections() const noexcept;
  // Ends every connection and joins the threads; the observers stay readable. Idempotent.
  void stop() noexcept;

  [[nodiscard]] unsigned count() const noexcept { return static_cast<unsigned>(shards_.size()); }
  [[nodiscard]] observe::ShardObserver& observer(unsigned index) noexcept;
  // Loop turns so far; a shard turns at least once a second, so that a watchdog can see it live.
  [[nodiscard]] uint64_t turns(unsigned index) const noexcept;

 private:
  ShardSet();

  std::vector<std::unique_ptr<Shard>> shards_;
  void remove_files() noexcept;

  struct Bound {
    io::ListenedClients clients;
    io::SocketFile file;
  };
  std::map<SocketAddress, Bound> bound_;  // what the shards listen on, or will with the next snapshot
};

}  // namespace sluice::shard
