// One shard: a thread with its loop, its listeners and its connections. Everything but the functions
// marked "any thread" runs on that thread; other threads leave word in atomics and wake it.
#pragma once

#include "accept/listener.h"
#include "base/name_lookup.h"
#include "base/result.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "observe/shard_observer.h"
#include "proxy/listener_kind.h"
#include "proxy/services.h"
#include "snapshot/cell.h"
#include "tls/private_key.h"

#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace sluice::shard {

// A bound socket on its way from the control plane to the shard.
struct BoundSocket {
  SocketAddress address;
  int fd;
};

class Shard {
 public:
  // `names`: null: names that clients request have no addresses.
  Shard(unsigned index, unsigned shard_count, std::optional<unsigned> cpu, snapshot::Cell& cell,
        tls::RsaBatching batching = tls::RsaBatching::automatic, NameLookup* names = nullptr);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();  // joined

  // Starts the thread and waits until its ring exists or cannot exist.
  [[nodiscard]] Status start();

  // --- any thread ---
  // Sockets for the listeners of the next snapshot; the shard owns them from now on.
  void give_listeners(std::vector<BoundSocket> sockets);
  void wake() noexcept { mailbox_->wake(); }
  void begin_drain() noexcept;
  void begin_stop() noexcept;
  void join();
  [[nodiscard]] bool is_running() const noexcept { return thread_.joinable(); }
  [[nodiscard]] observe::ShardObserver& observer() noexcept { return observer_; }

 private:
  // How new connections are taken: as fast as they come, one by one near a limit, not at all beyond it.
  enum class Admission : uint8_t { bursts, one_by_one, none };

  struct Listening {
    std::unique_ptr<accept::Listener> listener;
    proxy::ListenerKind kind = proxy::ListenerKind::http;
  };

  void run(std::promise<Status>& started);
  void turn_until_stopped();
  void start_signing();
  void stop_signing();
  void on_wake();
  void adopt_snapshot();
  void follow_listeners(const snapshot::Snapshot& snapshot);
  void take_given_listeners();
  void admit();
  [[nodiscard]] io::AcceptCount accept_count(const SocketAddress& address) const noexcept;
  void drain();
  void stop_everything();
  void tidy() noexcept;
  [[nodiscard]] uint64_t connection_changes() const noexcept;
  void publish_statistics() noexcept;

  static void on_accepted(void* self, accept::Listener& listener, int fd);
  static void on_listener_closed(void* self, accept::Listener& listener);

  const unsigned index_;
  const std::optional<unsigned> cpu_;
  snapshot::Cell& cell_;
  const tls::RsaBatching batching_;
  NameLookup* const names_;
  observe::ShardObserver observer_;
  std::thread thread_;
  std::thread signing_thread_;  // while the shard runs

  // Word from other threads.
  std::atomic<bool> drain_wanted_{false};
  std::atomic<bool> stop_wanted_{false};
  std::mutex given_mutex_;
  std::vector<BoundSocket> given_;

  // Made and used by the thread.
  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<io::Mailbox> mailbox_;
  std::unique_ptr<proxy::Services> services_;
  std::map<SocketAddress, Listening> listening_;
  std::vector<std::unique_ptr<accept::Listener>> closing_listeners_;
  uint32_t connections_max_;
  size_t connections_at_peak_ = 0;  // since the heap was last asked to give memory back
  uint64_t changes_at_last_giving_ = 0;
  uint64_t changes_at_last_tidy_ = 0;
  unsigned tidies_before_giving_ = 0;  // in a row, that found that the heap should
  Instant tidied_at_{};
  Admission admission_ = Admission::one_by_one;
  bool draining_ = false;
};

}  // namespace sluice::shard
