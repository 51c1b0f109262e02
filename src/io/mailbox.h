// Messages from other threads to a shard: an eventfd that the shard's ring reads. The sender never
// waits for the shard. What the messages mean is the owner's affair: it looks at its own atomics and
// queues when on_wake runs (on the shard's thread).
#pragma once

#include "base/result.h"
#include "io/loop.h"
#include "io/op.h"

#include <array>
#include <cstddef>

namespace sluice::io {

class Mailbox {
 public:
  using WakeHandler = void (*)(void* owner);

  Mailbox(Loop& loop, WakeHandler on_wake, void* owner) noexcept;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox();  // stopped

  [[nodiscard]] Status start();
  // Any thread, until stop() was called.
  void wake() noexcept;
  // Ends the read; the loop must turn until is_idle().
  void stop() noexcept;
  [[nodiscard]] bool is_idle() const noexcept { return op_.is_idle(); }

 private:
  static void on_read(void* self, const Completion& completion);

  Loop& loop_;
  WakeHandler on_wake_;
  void* owner_;
  Op op_;
  std::array<std::byte, 8> count_{};
  int fd_ = -1;
  bool stopping_ = false;
};

}  // namespace sluice::io
