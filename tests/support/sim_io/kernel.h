// The kernel of the simulated world: descriptors, and an io_uring with everything about it that is not
// promised (io_uring_enter(2), io_uring_multishot(7); docs/kernel_contract.md): operations begin late and
// end in any order, multishot ones end at any time, a cancel may come too late, buffers run out.
//
// What a program must never do is a failure of the test: use a descriptor that is closed, close one that
// has an operation in the kernel, change memory that the kernel reads, give back a buffer that it does
// not hold, splice(2) with a blocking socket.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "io/loop.h"
#include "io/op.h"
#include "io/socket.h"
#include "sim_io/network.h"

#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sluice::sim {

class World;

struct SimPipe {
  ByteQueue bytes;
  size_t slots_used = 0;  // of the pipe's pages: a small piece takes a whole one, so a pipe may be full early
  size_t slots_max = 0;
  bool is_read_open = true;
  bool is_write_open = true;
};

// What a number in the descriptor table stands for: exactly one of the first three.
struct Descriptor {
  Endpoint* socket = nullptr;
  std::unique_ptr<Listener> listener;
  std::shared_ptr<SimPipe> pipe;
  bool is_write_end = false;  // of the pipe
  bool is_nonblocking = false;
  uint64_t reset_told_by = 0;  // the number of the send that has taken the error of a reset
};

class Kernel {
 public:
  explicit Kernel(World& world) noexcept : world_(world) {}
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  // --- descriptors ---
  [[nodiscard]] int open_socket();  // or a negative errno
  [[nodiscard]] int open_listener(const SocketAddress& address);
  [[nodiscard]] io::Pipe open_pipe();
  void close(int fd);
  // Of a descriptor that is open, and a socket; `what` is being done with it.
  [[nodiscard]] Endpoint& socket(int fd, const char* what);
  void set_nonblocking(int fd, bool nonblocking);
  [[nodiscard]] long splice(int from_fd, int to_fd, size_t max);
  [[nodiscard]] long read_pipe(int fd, MutableBytes buffer);

  // --- the ring ---
  enum class Kind : uint8_t { accept, receive, send, connect, poll_in, poll_out, read, cancel };

  // One entry of the submission queue.
  struct Entry {
    Kind kind;
    uint64_t name;  // of the operation; cancel: of its target
    int fd = -1;
    const msghdr* message = nullptr;
    std::vector<iovec> vectors{};  // send: what the entry itself points to
    uint64_t checksum = 0;         // of the bytes to send, when it was armed
    SocketAddress address{};       // connect
    bool is_multishot = false;     // accept, receive
    MutableBytes buffer{};         // read
  };
  // Submits first when the queue is full.
  void arm(Entry entry);
  void provide(uint16_t id, MutableBytes memory);
  // The buffer that was provided last, and is not filled.
  uint16_t take_back();

  // Submits; then lets time pass until there are completions, but not for longer than that.
  void enter(Duration max_wait);
  // Some of the completions that are there, in an order that may surprise: collected, then taken one by one.
  void collect();
  // No completion waits to be collected.
  [[nodiscard]] bool is_all_seen() const noexcept { return posted_.empty() && batch_.empty(); }
  struct Arrived {
    uint64_t name;
    io::Completion completion;
  };
  [[nodiscard]] std::optional<Arrived> take();

  void check_nothing_left();
  // Every operation and every socket, for the reader of a trace.
  [[nodiscard]] std::string describe() const;
  // Operations that owe a completion.
  [[nodiscard]] size_t operation_count() const noexcept { return operations_.size() + queue_.size(); }
  // Send operations that were submitted.
  [[nodiscard]] uint64_t send_count() const noexcept { return send_count_; }
  [[nodiscard]] size_t open_descriptor_count() const noexcept { return table_.size(); }

 private:
  struct Operation {
    uint64_t number;
    Entry entry;
    Descriptor* descriptor = nullptr;
    bool is_nowait = false;  // the socket was non-blocking when it was submitted
    bool has_started = false;
    bool has_ended = false;  // its last completion was posted
  };
  struct Posted {
    Instant visible;
    Arrived arrived;
    uint64_t queue = 0;    // what keeps its order: an operation's, or those of a socket that was reset
    bool is_last = false;  // of its operation
  };
  struct Provided {
    uint16_t id;
    MutableBytes memory;
  };

  [[nodiscard]] int lowest_free_number() const noexcept;
  [[nodiscard]] Descriptor& descriptor(int fd, const char* what);
  int add(Descriptor descriptor);
  void watch(Descriptor& descriptor);
  void refuse_close_of_busy(int fd, const Descriptor& descriptor);

  void submit();
  void submit(Entry entry);
  void start(uint64_t number);
  void cancel(uint64_t target_name);
  void cancel_now(uint64_t number);
  // Null: its last completion was posted.
  [[nodiscard]] Operation* running(uint64_t number) noexcept;
  void try_all_of(const Descriptor& descriptor);
  void attempt(Operation& operation);
  void attempt_accept(Operation& operation);
  void attempt_receive(Operation& operation);
  void attempt_send(Operation& operation);
  void attempt_poll(Operation& operation);
  void attempt_read(Operation& operation);
  void start_connect(uint64_t number, const Operation& operation);
  void fill_buffer(Operation& operation);
  void end_with_buffer(Operation& operation);
  [[nodiscard]] uint64_t queue_of(const Operation& operation, int result);
  void post(Operation& operation, int result, bool more = false, std::optional<uint16_t> buffer = std::nullopt);
  [[nodiscard]] bool has_visible() const noexcept;

  [[nodiscard]] long splice_now(Descriptor& from, Descriptor& to, size_t max);
  [[nodiscard]] long splice_in(Endpoint& from, SimPipe& to, size_t max);
  [[nodiscard]] long splice_out(SimPipe& from, Endpoint& to, size_t max);

  World& world_;
  std::map<int, std::unique_ptr<Descriptor>> table_;
  std::vector<Entry> queue_;  // armed, not submitted
  // Submitted, the last completion not yet taken; numbered in that order, since names are addresses, which
  // differ from run to run.
  std::map<uint64_t, Operation> operations_;
  std::unordered_map<uint64_t, uint64_t> number_of_;  // by name
  uint64_t last_number_ = 0;
  uint64_t send_count_ = 0;
  std::deque<Provided> buffers_;  // the kernel's, in the order in which they were given
  enum class Holder : uint8_t { nobody, kernel, program };
  std::vector<Holder> holders_;  // by buffer id
  std::vector<Posted> posted_;
  std::unordered_map<uint64_t, Instant> last_visible_;  // by Posted::queue
  std::deque<Posted> batch_;
  unsigned idle_turns_ = 0;  // turns in a row without a completion and without time passing
};

}  // namespace sluice::sim
