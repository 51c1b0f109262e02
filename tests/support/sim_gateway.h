// The data plane of one shard over the simulated kernel: what shard::Shard puts together, without its
// threads and its mailbox. Unit tests and the simulation drive it turn by turn.
#pragma once

#include "accept/listener.h"
#include "base/durations.h"
#include "io/loop.h"
#include "observe/shard_observer.h"
#include "proxy/services.h"
#include "sim_io/world.h"
#include "snapshot/snapshot.h"

#include <memory>
#include <optional>
#include <vector>

namespace sluice::sim {

class SimGateway {
 public:
  // Listens on every listener of `snapshot`, which must outlive the gateway.
  SimGateway(World& world, const snapshot::Snapshot& snapshot, uint64_t seed, const io::LoopOptions& options = {});
  SimGateway(const SimGateway&) = delete;
  SimGateway& operator=(const SimGateway&) = delete;
  ~SimGateway();  // ended

  void turn(Duration max_wait);
  void adopt(const snapshot::Snapshot& snapshot) { services_->snapshots.adopt(snapshot); }
  // As Shard when it is full, nearly full, or not: nothing, one by one, many.
  void admit(std::optional<io::AcceptCount> count);
  // As Shard: no more connections; idle ones end now, busy ones after their response.
  void drain();
  // As Shard: everything ends, then nothing must be left in the world. Idempotent.
  void end();

  [[nodiscard]] proxy::Services& services() noexcept { return *services_; }
  [[nodiscard]] io::Loop& loop() noexcept { return *loop_; }
  [[nodiscard]] const observe::ShardCounters& counters() const noexcept { return observer_->counters; }

  // Every few turns, so that it happens in short lives. A Shard does it once a second.
  bool tidies = true;

 private:
  [[nodiscard]] bool is_signing_late();
  static void on_accepted(void* self, accept::Listener& listener, int fd);
  static void on_listener_closed(void* self, accept::Listener& listener);

  World& world_;
  std::unique_ptr<observe::ShardObserver> observer_;
  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<proxy::Services> services_;
  std::vector<std::unique_ptr<accept::Listener>> listeners_;
  unsigned turns_ = 0;
};

}  // namespace sluice::sim
