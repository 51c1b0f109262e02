// The event loop of one shard: one io_uring, one thread, one turn after the other.
//
// A turn submits what was armed, waits for completions (bounded), collects them, and only then runs
// their handlers; then timers; then what handlers left for later; then frees what they retired. No
// handler runs inside the iteration over the completion queue, nothing is freed while a completion of
// the same batch may still point to it. Everything here belongs to the thread that called create().
//
// The ring: io_uring_setup(2) with SINGLE_ISSUER and DEFER_TASKRUN (Linux 6.1 at least), multishot
// accept and receive, provided buffers. docs/kernel_contract.md has the traps. Part of the I/O seam.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/counters.h"
#include "base/durations.h"
#include "base/list.h"
#include "base/result.h"
#include "base/timer_wheel.h"
#include "io/op.h"
#include "io/receive_buffers.h"
#include "io/send_queue.h"

#include <cstdint>
#include <memory>
#include <vector>

struct msghdr;
struct sockaddr_storage;

namespace sluice::io {

// Work left for later in the same turn (or the next one when left by such work itself): a connection
// that yields after its budget, an object that asks to be freed. Embedded in its object.
class Task : public ListNode<Task> {
 public:
  using Handler = void (*)(void* owner);
  Task(Handler handler, void* owner) noexcept : handler_(handler), owner_(owner) {}

 private:
  friend class Loop;
  Handler handler_;
  void* owner_;
};

struct LoopOptions {
  unsigned ring_entries = limits::ring_entries;
  unsigned completion_entries = limits::completion_entries;
  unsigned receive_buffers_max = limits::receive_buffers_max;  // a power of two
};

enum class AcceptCount { one, many };
enum class PollFor { readable, writable };
enum class AfterSend { nothing, shutdown };

class Loop {
 public:
  // Fails with cause and remedy: io_uring forbidden (seccomp, sysctl), kernel too old, locked memory.
  [[nodiscard]] static Result<std::unique_ptr<Loop>> create(const LoopOptions& options = {});

  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // One turn; waits at most `max_wait` for something to happen.
  void turn(Duration max_wait);
  // Between two turns, about once a second: buffers that were not needed since the last time give their memory back.
  void tidy() noexcept;

  // --- operations: each arms an idle Op, whose handler is called with every completion ---

  // result = descriptor (blocking, close-on-exec). `many`: multishot, one completion per connection.
  void accept(Op& op, int listener_fd, AcceptCount count);
  // Into the receive buffers, multishot unless these are scarce: result = bytes, 0 at the end; -ENOBUFS:
  // none left.
  void receive(Op& op, int fd);
  // `shutdown`: follows as soon as all has gone; the last segment waits for it, to take the FIN along (MSG_MORE).
  void send(Op& op, int fd, const msghdr& message, AfterSend then = AfterSend::nothing);
  // `address` must stay until the completion.
  void connect(Op& op, int fd, const sockaddr_storage& address, unsigned length);
  // One shot: result > 0 when ready (or in error, which the next read or write then shows).
  void poll(Op& op, int fd, PollFor what);
  void read(Op& op, int fd, MutableBytes buffer);
  // Asks the kernel to end `op`, which must be in kernel. Its own completion, which may still be a
  // success, retires it.
  void cancel(Op& op);

  // --- time ---
  // As of this turn's completions.
  [[nodiscard]] Instant now() const noexcept { return now_; }
  [[nodiscard]] WallTime wall_now() const noexcept;
  [[nodiscard]] TimerWheel& timers() noexcept { return timers_; }

  // --- deferred work ---
  // Runs once this turn's completions are all in: a stream that got several says so once.
  void run_after_completions(Task& task) noexcept { changed_.push_back(task); }
  // Runs after this turn's completions and timers; work that is left while such work runs waits for
  // the next turn, which then does not wait for completions.
  void run_later(Task& task) noexcept { tasks_.push_back(task); }
  // Runs at the very end of the turn, when no completion can point to the object any more.
  void retire(Task& task) noexcept { retired_.push_back(task); }

  [[nodiscard]] ReceiveBuffers& receive_buffers() noexcept { return receive_buffers_; }
  [[nodiscard]] ChunkPool& chunks() noexcept { return chunks_; }

  // Streams that found no receive buffer wait here until some are released.
  void wait_for_buffers(Task& task) noexcept { starved_.push_back(task); }

  struct Statistics {
    uint64_t turns = 0;
    uint64_t completion_overflows = 0;
    uint64_t buffers_exhausted = 0;  // turns in which more were needed than there may be
  };
  [[nodiscard]] const Statistics& statistics() const noexcept { return statistics_; }

 private:
  friend class ReceiveBuffers;
  struct Ring;

  Loop(std::unique_ptr<Ring> ring, const LoopOptions& options);

  void provide_buffer(ReceiveBuffers::Id id) noexcept;
  // The one that was provided last, which must not have been filled.
  [[nodiscard]] ReceiveBuffers::Id take_back_buffer() noexcept;
  [[nodiscard]] Duration bounded_wait(Duration max_wait) const noexcept;
  void finish_turn();
  // Marks the op as in kernel and gives the value that names this arming of it.
  static uint64_t arm(Op& op) noexcept;
  static uint64_t name_of(const Op& op) noexcept;
  void run_completion(uint64_t name, const Completion& completion);
  void run_tasks(List<Task>& tasks);
  void feed_starved();

  std::unique_ptr<Ring> ring_;
  Instant now_{};
  TimerWheel timers_;
  ReceiveBuffers receive_buffers_;
  ChunkPool chunks_;
  List<Task> changed_;
  List<Task> tasks_;
  List<Task> retired_;
  List<Task> starved_;
  Statistics statistics_;
};

}  // namespace sluice::io
