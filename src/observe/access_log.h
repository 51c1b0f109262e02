// The access log: a shard formats a line into its own ring buffer (single producer, single consumer,
// bytes), and one writer thread of the control plane drains all buffers into the file. A full buffer
// drops lines and counts them; a request never waits for a disk.
#pragma once

#include "base/counters.h"
#include "observe/request_record.h"

#include <atomic>
#include <cstddef>
#include <string>

namespace sluice::observe {

// Appends Istio's default text format (Istio 1.9 and later), one line with its newline. Texts of
// clients are escaped so that a line is always one line: quotes and backslashes as \" and \\, control
// characters and bytes beyond ASCII as \xHH, a space outside of quotes as "_". Absent values are "-".
void format_default_line(const RequestRecord& record, std::string& out);

class AccessLogBuffer {
 public:
  AccessLogBuffer();
  ~AccessLogBuffer();

  // Control plane, before the shard starts or while it runs. The first time it takes the ring's memory.
  void set_enabled(bool enabled);
  [[nodiscard]] bool is_enabled() const noexcept { return enabled_.load(std::memory_order_relaxed); }

  // Shard only. Drops and counts the line when the buffer is full.
  void write_line(const RequestRecord& record) noexcept;

  // Writer thread only: moves everything that is buffered to the end of `out`.
  void drain(std::string& out);

  [[nodiscard]] uint64_t dropped_count() const noexcept { return dropped_.value(); }

 private:
  struct Ring;

  std::atomic<bool> enabled_{false};
  std::atomic<Ring*> ring_{nullptr};  // owned; set once, by the first set_enabled(true)
  std::string line_;                  // the shard's, kept from line to line
  Counter dropped_;
};

}  // namespace sluice::observe
