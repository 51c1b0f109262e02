// What the control thread knows and the threads of the admin and status ports show. The control thread
// writes, any thread reads; one lock, which no shard ever takes.
#pragma once

#include "base/durations.h"
#include "observe/shard_observer.h"
#include "renewal/manager.h"
#include "snapshot/cell.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sluice::control {

enum class Phase : uint8_t { starting, serving, draining };

// Of the reloads of this process; the first load is not one.
struct ReloadHistory {
  uint64_t success_count = 0;
  uint64_t failure_count = 0;
  bool was_last_successful = true;
  WallTime last_success{};  // the first load counts here
  WallTime last_failure{};
  std::vector<std::string> last_failure_diagnostics;
};

class ProcessState {
 public:
  // What can be seen while the lock is held.
  struct View {
    Phase phase;
    const snapshot::Snapshot* snapshot;  // null before the first publication
    const ReloadHistory& reloads;
    std::span<const observe::ShardObserver* const> shards;
    uint64_t access_log_lost_bytes;
  };

  // --- control thread ---
  void set_phase(Phase phase) noexcept { phase_ = phase; }
  // They must live until the next call; an empty list before the shards end.
  void set_shards(std::vector<const observe::ShardObserver*> shards);
  // Cell::publish(), during which nobody reads the snapshot that it may free.
  void publish(snapshot::Cell& cell, std::unique_ptr<snapshot::Snapshot> snapshot);
  // The cell dies.
  void forget_snapshot();
  void set_manager(std::shared_ptr<renewal::Manager> manager);
  void record_load(WallTime now);
  void record_reload(WallTime now);
  void record_failed_reload(WallTime now, std::vector<std::string> diagnostics);

  // --- the access log's writer thread ---
  void add_lost_access_log_bytes(uint64_t bytes) noexcept { access_log_lost_bytes_ += bytes; }

  // --- any thread ---
  [[nodiscard]] Phase phase() const noexcept { return phase_; }
  // Null: no certificates are managed.
  [[nodiscard]] std::shared_ptr<renewal::Manager> manager() const;
  template <typename Visit>
  auto look(Visit visit) const {
    const std::lock_guard lock(mutex_);
    return visit(View{phase_, snapshot_, reloads_, shards_, access_log_lost_bytes_});
  }

 private:
  std::atomic<Phase> phase_{Phase::starting};
  std::atomic<uint64_t> access_log_lost_bytes_{0};
  mutable std::mutex mutex_;  // of what follows
  const snapshot::Snapshot* snapshot_ = nullptr;
  ReloadHistory reloads_;
  std::vector<const observe::ShardObserver*> shards_;
  std::shared_ptr<renewal::Manager> manager_;
};

}  // namespace sluice::control
