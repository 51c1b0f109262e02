#include "io/pipe_pool.h"

namespace sluice::io {

namespace {

void close_pipe(const Pipe& pipe) noexcept {
  close_descriptor(pipe.read_fd);
  close_descriptor(pipe.write_fd);
}

}  // namespace

PipePool::~PipePool() {
  while (idle_count_ > 0) close_pipe(idle_[--idle_count_]);
}

Pipe PipePool::take() noexcept { return idle_count_ > 0 ? idle_[--idle_count_] : open_pipe(); }

void PipePool::give(Pipe pipe, bool is_empty) noexcept {
  if (is_empty && idle_count_ < idle_.size()) {
    idle_[idle_count_++] = pipe;
  } else {
    close_pipe(pipe);
  }
}

}  // namespace sluice::io
