// The snapshots that one shard is using: the current one, and older ones that exchanges and mirrored requests still
// pin. Each pins the snapshot it was routed with until it ends: a plain count, no atomics. One thread.
#pragma once

#include "base/address.h"
#include "snapshot/snapshot.h"
#include "upstream/cluster_table.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace sluice::proxy {

// A snapshot with what this shard has built on it.
struct AdoptedSnapshot {
  AdoptedSnapshot(const snapshot::Snapshot& snapshot, const AdoptedSnapshot* previous);

  const snapshot::Snapshot& tables;
  const snapshot::SnapshotUse use;
  upstream::ClusterTable clusters;
  std::unordered_map<SocketAddress, uint32_t, SocketAddressHash> listeners;  // -> index into tables.listeners
  uint32_t pins = 0;
};

class AdoptedSnapshots {
 public:
  // `snapshot` is current from now on.
  void adopt(const snapshot::Snapshot& snapshot);
  [[nodiscard]] AdoptedSnapshot* current() const noexcept { return alive_.empty() ? nullptr : alive_.back().get(); }

  [[nodiscard]] AdoptedSnapshot& pin_current() noexcept;
  // Once more, one that is pinned.
  void pin(AdoptedSnapshot& snapshot) noexcept { ++snapshot.pins; }
  void unpin(AdoptedSnapshot& snapshot) noexcept;
  // About once a second.
  void tidy(Instant now);
  // The shard stops: no exchange is left; the tables end, and with them the idle upstream connections.
  void clear() noexcept { alive_.clear(); }

  [[nodiscard]] uint64_t current_version() const noexcept { return alive_.empty() ? 0 : alive_.back()->tables.version; }
  [[nodiscard]] uint64_t oldest_version() const noexcept { return alive_.empty() ? 0 : alive_.front()->tables.version; }

 private:
  std::vector<std::unique_ptr<AdoptedSnapshot>> alive_;  // oldest first; the last is current
};

}  // namespace sluice::proxy
