#include "control/process_state.h"

namespace sluice::control {

void ProcessState::set_shards(std::vector<const observe::ShardObserver*> shards) {
  const std::lock_guard lock(mutex_);
  shards_ = std::move(shards);
}

void ProcessState::publish(snapshot::Cell& cell, std::unique_ptr<snapshot::Snapshot> snapshot) {
  const std::lock_guard lock(mutex_);
  cell.publish(std::move(snapshot));
  snapshot_ = cell.newest();
}

void ProcessState::forget_snapshot() {
  const std::lock_guard lock(mutex_);
  snapshot_ = nullptr;
}

void ProcessState::record_load(WallTime now) {
  const std::lock_guard lock(mutex_);
  reloads_.last_success = now;
}

void ProcessState::record_reload(WallTime now) {
  const std::lock_guard lock(mutex_);
  ++reloads_.success_count;
  reloads_.was_last_successful = true;
  reloads_.last_success = now;
}

void ProcessState::record_failed_reload(WallTime now, std::vector<std::string> diagnostics) {
  const std::lock_guard lock(mutex_);
  ++reloads_.failure_count;
  reloads_.was_last_successful = false;
  reloads_.last_failure = now;
  reloads_.last_failure_diagnostics = std::move(diagnostics);
}

void ProcessState::set_manager(std::shared_ptr<renewal::Manager> manager) {
  const std::lock_guard lock(mutex_);
  std::swap(manager_, manager);  // the former one ends without the lock
}

std::shared_ptr<renewal::Manager> ProcessState::manager() const {
  const std::lock_guard lock(mutex_);
  return manager_;
}

}  // namespace sluice::control
