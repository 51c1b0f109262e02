// The access log: a shard formats a line into its own ring buffer (single producer, single consumer,
// bytes), and one writer thread of the control plane drains all buffers into the file. A full buffer
// drops lines and counts them; a request never waits for a disk.
#pragma once

#include "base/counters.h"
#include "observe/request_record.h"
#include "snapshot/access_log_format.h"

#include <atomic>
#include <cstddef>
#include <string>

namespace sluice::observe {

class AccessLogBuffer {
 public:
  AccessLogBuffer();
  ~AccessLogBuffer();

  // Control plane, before the shard starts or while it runs. The first time it takes the ring's memory.
  void set_enabled(bool enabled);
  [[nodiscard]] bool is_enabled() const noexcept { return enabled_.load(std::memory_order_relaxed); }

  // Shard only: with each snapshot that it adopts. Null: the default. Must live until the next call.
  void set_format(const snapshot::AccessLogFormat* format) noexcept { format_ = format; }
  // Shard only: what a record must have for a line; nothing while it is off.
  [[nodiscard]] snapshot::FormatNeeds needs() const noexcept;

  // Shard only. Drops and counts the line when the buffer is full.
  void write_line(const RequestRecord& record) noexcept;

  // Writer thread only: moves everything that is buffered to the end of `out`.
  void drain(std::string& out);

  [[nodiscard]] uint64_t dropped_count() const noexcept { return dropped_.value(); }

 private:
  struct Ring;

  std::atomic<bool> enabled_{false};
  std::atomic<Ring*> ring_{nullptr};                   // owned; set once, by the first set_enabled(true)
  const snapshot::AccessLogFormat* format_ = nullptr;  // the shard's
  std::string line_;                                   // the shard's, kept from line to line
  Counter dropped_;
};

}  // namespace sluice::observe
