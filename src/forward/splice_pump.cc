#include "forward/splice_pump.h"

#include "base/limits.h"

#include <algorithm>
#include <cerrno>

namespace sluice::forward {

SplicePump::SplicePump(io::PipePool& pipes, io::Stream& source, io::Stream& sink, uint64_t bytes_max) noexcept
    : pipes_(pipes), source_(source), sink_(sink), to_read_(bytes_max) {}

SplicePump::~SplicePump() {
  if (has_started()) pipes_.give(pipe_, in_pipe_ == 0);
}

bool SplicePump::is_ready(const io::Stream& source, const io::Stream& sink) noexcept {
  return source.is_spliceable() && sink.is_spliceable() && source.receive_queue().empty();
}

bool SplicePump::start() noexcept {
  CHECK(is_ready(source_, sink_) || (source_.in_splice_mode() && sink_.in_splice_mode()));
  pipe_ = pipes_.take();
  if (!has_started()) return false;
  if (!source_.in_splice_mode()) source_.enter_splice_mode();
  if (!sink_.in_splice_mode()) sink_.enter_splice_mode();
  return true;
}

SpliceStatus SplicePump::advance(WatchSink watch_sink) {
  if (watch_sink == WatchSink::yes && sink_.take_readable()) {
    spill();
    return SpliceStatus::interrupted;
  }
  const uint64_t budget_end = bytes_taken_ + limits::connection_bytes_per_turn;
  for (;;) {
    const Step filled = fill();
    const Step drained = drain();
    if (sink_.send_error() != 0) return SpliceStatus::sink_failed;
    if (in_pipe_ == 0) {
      if (to_read_ == 0) return SpliceStatus::done;
      if (source_.receive_error() != 0) return SpliceStatus::source_failed;
      if (source_.has_receive_ended()) return SpliceStatus::source_ended;
    }
    if (filled != Step::moved && drained != Step::moved) break;
    if (bytes_taken_ >= budget_end) return SpliceStatus::yield;
  }
  // Back-pressure: while the sink is full, the source's bytes stay in its socket.
  if (in_pipe_ > 0) {
    sink_.await_writable();
  } else {
    source_.await_readable();
  }
  if (watch_sink == WatchSink::yes) sink_.await_readable();
  return SpliceStatus::waiting;
}

// What is left in the pipe goes the way of copied bytes: at most limits::pipe_bytes, once.
void SplicePump::spill() {
  while (in_pipe_ > 0) {
    const MutableBytes room = sink_.sink().reserve(&sink_, 1);
    const long size = io::read_pipe(pipe_, room.first(std::min<uint64_t>(room.size(), in_pipe_)));
    CHECK(size > 0);  // the pipe is ours and holds in_pipe_ bytes
    sink_.sink().commit(&sink_, static_cast<size_t>(size));
    in_pipe_ -= static_cast<uint64_t>(size);
  }
}

// EAGAIN means "the source is empty" or "the pipe is full"; which, does not matter: drain() comes next.
SplicePump::Step SplicePump::fill() noexcept {
  if (to_read_ == 0 || in_pipe_ >= pipe_.capacity || source_.has_receive_ended()) return Step::ended;
  const long moved =
      io::splice_bytes(source_.fd(), pipe_.write_fd, std::min<uint64_t>(to_read_, pipe_.capacity - in_pipe_));
  if (moved > 0) {
    in_pipe_ += static_cast<uint64_t>(moved);
    bytes_taken_ += static_cast<uint64_t>(moved);
    to_read_ -= static_cast<uint64_t>(moved);
    source_.note_spliced(static_cast<uint64_t>(moved), 0);
    return Step::moved;
  }
  switch (moved) {
    case -EAGAIN:
    case -EINTR: return Step::blocked;
    case 0: source_.note_receive_ended(0); return Step::ended;
    default:  // ECONNRESET, ETIMEDOUT
      source_.note_receive_ended(static_cast<int>(-moved));
      return Step::ended;
  }
}

SplicePump::Step SplicePump::drain() noexcept {
  if (in_pipe_ == 0) return Step::ended;
  const long moved = io::splice_bytes(pipe_.read_fd, sink_.fd(), in_pipe_);
  if (moved > 0) {
    in_pipe_ -= static_cast<uint64_t>(moved);
    sink_.note_spliced(0, static_cast<uint64_t>(moved));
    return Step::moved;
  }
  if (moved == -EAGAIN || moved == -EINTR) return Step::blocked;
  sink_.note_send_error(moved == 0 ? EPIPE : static_cast<int>(-moved));  // EPIPE, ECONNRESET
  return Step::ended;
}

}  // namespace sluice::forward
