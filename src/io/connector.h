// Connects to the first of some addresses that answers (RFC 8305 5, "happy eyeballs"): one after the other in their
// order, the next one limits::connect_attempt_delay after the one before, or at once when one has failed. The first
// to succeed wins, the others are ended.
//
// Owned by a Stream, from its connect() until every attempt is joined: nothing of it is in the kernel any more. One
// thread.
#pragma once

#include "base/address.h"
#include "base/limits.h"
#include "base/timer_wheel.h"
#include "io/loop.h"
#include "io/op.h"

#include <array>
#include <cstdint>
#include <list>
#include <span>
#include <utility>

namespace sluice::io {

class Connector {
 public:
  using ChangeHandler = void (*)(void* owner);

  // `on_change` is called when there is an outcome, and when the last attempt is joined; never within start() and
  // stop(). It must not destroy the connector. Of `addresses`, the first limits::connect_race_max are tried.
  Connector(Loop& loop, std::span<const SocketAddress> addresses, ChangeHandler on_change, void* owner) noexcept;
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;
  ~Connector();  // joined

  void start();
  // No outcome is wanted any more: what is under way ends. `by_reset`: who is connected already, and not told yet, gets
  // RST instead of FIN.
  void stop(bool by_reset) noexcept;

  // The connected descriptor, once; it is the caller's. Negative: none (yet).
  [[nodiscard]] int take_fd() noexcept { return std::exchange(won_fd_, -1); }
  // errno of the attempt that ended last, once all have failed; 0 before.
  [[nodiscard]] int error() const noexcept { return error_; }
  // The one that has won, or was tried last.
  [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }
  [[nodiscard]] bool is_joined() const noexcept { return open_count_ == 0 && !failure_task_.is_linked(); }

 private:
  struct Attempt;

  static void on_connect_op(void* self, const Completion& completion);
  static void on_delay(void* self);
  static void on_failure_task(void* self);

  void try_next();
  void on_connected(Attempt& attempt, int result);
  void end_all(bool by_reset) noexcept;

  Loop& loop_;
  ChangeHandler on_change_;
  void* owner_;
  std::array<SocketAddress, limits::connect_race_max> addresses_;
  size_t address_count_;
  size_t next_ = 0;              // of them, to be tried
  std::list<Attempt> attempts_;  // all; the kernel knows where they are
  size_t open_count_ = 0;        // of attempts that are in the kernel
  Timer delay_;                  // until the next address has its turn
  Task failure_task_;            // tells of attempts that failed before they were in the kernel
  SocketAddress address_;
  int won_fd_ = -1;
  int error_ = 0;
  int last_error_ = 0;
  bool is_over_ = false;  // won, failed or stopped
};

}  // namespace sluice::io
