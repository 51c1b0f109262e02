// TCP with deadlines for threads that may block: the admin and status servers, the sample upstream, and
// the waiting of the DNS resolver. Nothing of the data plane; beside the ring it is the only place that
// makes socket system calls. One owner per socket; shutdown() may be called from any thread.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/durations.h"
#include "base/result.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

namespace sluice::io {

// When a blocking call gives up.
using Deadline = std::chrono::steady_clock::time_point;

[[nodiscard]] inline Deadline deadline_in(Duration duration) {
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration);
}

class BlockingSocket {
 public:
  BlockingSocket() = default;
  BlockingSocket(BlockingSocket&& other) noexcept;
  BlockingSocket& operator=(BlockingSocket&& other) noexcept;
  ~BlockingSocket();

  // Bound and listening; alone on its port (no SO_REUSEPORT), so that a second process is told. Port 0
  // takes any free one: local_address() tells which. Fails with the address, the cause and the remedy.
  [[nodiscard]] static Result<BlockingSocket> listen(const SocketAddress& address);
  [[nodiscard]] static Result<BlockingSocket> connect(const SocketAddress& address, Deadline deadline);

  // The next connection; nothing when none came in time, or when it was gone before it was taken.
  // Fails when the process is out of descriptors, or the socket was shut down.
  [[nodiscard]] Result<std::optional<BlockingSocket>> accept(Deadline deadline) const;

  // At least one byte, or 0: the peer has closed its side. Fails at the deadline.
  [[nodiscard]] Result<size_t> read(MutableBytes room, Deadline deadline) const;
  // All of it, or a failure.
  [[nodiscard]] Status write_all(ConstBytes bytes, Deadline deadline) const;

  // True as soon as the peer has closed its side, or shutdown() was called; false at the deadline.
  [[nodiscard]] bool wait_until_closed(Deadline deadline) const;

  // "I have said everything"; the peer reads the end.
  void shutdown_write() const noexcept;
  // Both directions: whoever waits in a call of this socket comes back. Any thread.
  void shutdown() const noexcept;

  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] SocketAddress local_address() const noexcept;
  [[nodiscard]] SocketAddress peer_address() const noexcept;

 private:
  explicit BlockingSocket(int fd) noexcept : fd_(fd) {}

  int fd_ = -1;  // non-blocking: poll(2) waits, so that every wait has an end
};

// One descriptor of somebody else (the DNS resolver's) and what is waited for.
struct Watch {
  int fd = -1;
  bool wants_read = false;
  bool wants_write = false;
  bool is_readable = false;  // filled in; an error or a hang-up counts as both
  bool is_writable = false;
};

// Until one of them is ready or the deadline has come. False: nothing is ready.
bool wait_ready(std::span<Watch> watches, Deadline deadline);

}  // namespace sluice::io
