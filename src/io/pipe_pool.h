// Pipes for splice(2): a shard keeps a few empty ones, since making one costs three system calls. A
// pipe that still holds bytes is closed, never reused: it would leak one client's bytes to another
// (docs/kernel_contract.md 16). One owner, one thread.
#pragma once

#include "base/limits.h"
#include "io/socket.h"

#include <array>

namespace sluice::io {

class PipePool {
 public:
  PipePool() = default;
  PipePool(const PipePool&) = delete;
  PipePool& operator=(const PipePool&) = delete;
  ~PipePool();

  // read_fd < 0 when the process has no descriptors left.
  [[nodiscard]] Pipe take() noexcept;
  void give(Pipe pipe, bool is_empty) noexcept;

 private:
  std::array<Pipe, limits::idle_pipes_max> idle_;
  unsigned idle_count_ = 0;
};

}  // namespace sluice::io
