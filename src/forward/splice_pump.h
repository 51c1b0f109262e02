// The zero-copy pump: bytes of one plain connection to another through a pipe, by splice(2), without
// passing through sluice's memory. For what both sides carry as it is: a body with an identity
// encoding, a tunnel.
//
// Life: both streams are asked to become quiet (request_splice_mode); what had been received before
// goes by the copying pump; once both are quiet and the source's queue is empty, start() takes a pipe;
// advance() moves bytes and says what to wait for; at the end the streams go back to receiving and
// sending. splice(2), docs/kernel_contract.md 14 to 16. One owner, one thread.
#pragma once

#include "io/pipe_pool.h"
#include "io/stream.h"

#include <cstdint>

namespace sluice::forward {

enum class SpliceStatus : uint8_t {
  waiting,        // polls are armed; advance() again on the next change of either stream
  yield,          // the turn's budget is used up: advance() in the next turn
  interrupted,    // the sink has sent something or left (WatchSink::yes); what was in the pipe is in its send queue
  done,           // all `bytes_max` have been written
  source_ended,   // the source ended before; everything it had sent has been written
  source_failed,  // the source broke: errno in the stream's receive_error()
  sink_failed,    // the sink takes no more: errno in the stream's send_error()
};

class SplicePump {
 public:
  SplicePump(io::PipePool& pipes, io::Stream& source, io::Stream& sink, uint64_t bytes_max) noexcept;
  SplicePump(const SplicePump&) = delete;
  SplicePump& operator=(const SplicePump&) = delete;
  // Gives the pipe back, or closes it when bytes are left in it. The streams stay in their mode.
  ~SplicePump();

  // Whether a pump of these two may start: they were asked, are quiet, and nothing waits to be copied.
  [[nodiscard]] static bool is_ready(const io::Stream& source, const io::Stream& sink) noexcept;
  // False: the process has no descriptors for a pipe; go on by copying.
  [[nodiscard]] bool start() noexcept;
  [[nodiscard]] bool has_started() const noexcept { return pipe_.read_fd >= 0; }

  // Moves what can be moved now. WatchSink::yes: also waits for the sink to become readable; a tunnel
  // has another pump that does.
  enum class WatchSink : bool { no, yes };
  [[nodiscard]] SpliceStatus advance(WatchSink watch_sink);

  // Bytes wait in the pipe: it is the sink that does not take more, not the source that has none.
  [[nodiscard]] bool is_sink_blocked() const noexcept { return in_pipe_ > 0; }

  // Taken from the source so far: the sink has them, or gets them, unless it fails.
  [[nodiscard]] uint64_t bytes_taken() const noexcept { return bytes_taken_; }

 private:
  enum class Step : uint8_t { moved, blocked, ended };
  Step fill() noexcept;
  Step drain() noexcept;
  void spill();

  io::PipePool& pipes_;
  io::Stream& source_;
  io::Stream& sink_;
  io::Pipe pipe_;
  uint64_t to_read_;  // from the source, still
  uint64_t in_pipe_ = 0;
  uint64_t bytes_taken_ = 0;
};

}  // namespace sluice::forward
