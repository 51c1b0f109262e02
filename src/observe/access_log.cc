#include "observe/access_log.h"

#include "base/check.h"
#include "base/limits.h"
#include "observe/access_log_line.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>

namespace sluice::observe {

namespace {

// A line longer than this is rare (a huge path or user agent); its memory is not kept.
constexpr size_t kLineBytesKept = 16 * 1024;

}  // namespace

// One writer, one reader, each with its own position that only grows; the position modulo the size is
// the place in memory. What lies between them is owned by the reader, the rest by the writer.
struct AccessLogBuffer::Ring {
  static constexpr size_t kBytes = limits::access_log_buffer_bytes;
  static_assert((kBytes & (kBytes - 1)) == 0, "positions are masked");

  alignas(64) std::atomic<uint64_t> written{0};
  alignas(64) std::atomic<uint64_t> drained{0};
  alignas(64) char bytes[kBytes];

  // False when there is no room.
  bool push(std::string_view line) noexcept {
    const uint64_t at = written.load(std::memory_order_relaxed);
    if (line.size() > kBytes - (at - drained.load(std::memory_order_acquire))) return false;
    const size_t place = at & (kBytes - 1);
    const size_t first = std::min(line.size(), kBytes - place);
    std::memcpy(bytes + place, line.data(), first);
    std::memcpy(bytes, line.data() + first, line.size() - first);
    written.store(at + line.size(), std::memory_order_release);
    return true;
  }

  void drain(std::string& out) {
    const uint64_t at = drained.load(std::memory_order_relaxed);
    const size_t size = written.load(std::memory_order_acquire) - at;
    const size_t place = at & (kBytes - 1);
    const size_t first = std::min(size, kBytes - place);
    out.append(bytes + place, first);
    out.append(bytes, size - first);
    drained.store(at + size, std::memory_order_release);
  }
};

AccessLogBuffer::AccessLogBuffer() = default;

AccessLogBuffer::~AccessLogBuffer() { delete ring_.load(std::memory_order_relaxed); }

void AccessLogBuffer::set_enabled(bool enabled) {
  // Default-initialised: the memory is touched as lines come.
  if (enabled && ring_.load(std::memory_order_relaxed) == nullptr) ring_.store(new Ring, std::memory_order_release);
  enabled_.store(enabled, std::memory_order_relaxed);
}

void AccessLogBuffer::write_line(const RequestRecord& record) noexcept {
  Ring* ring = ring_.load(std::memory_order_acquire);
  if (ring == nullptr) return;  // enabled, and the ring is not to be seen yet
  line_.clear();
  const bool is_whole = write_access_log_line(format_, record, line_);
  COUNT_IF(dropped_, !is_whole || !ring->push(line_));
  if (line_.capacity() > kLineBytesKept) std::string().swap(line_);
}

snapshot::FormatNeeds AccessLogBuffer::needs() const noexcept {
  if (!is_enabled()) return {};
  return format_ == nullptr ? default_line_needs : format_->needs;
}

void AccessLogBuffer::drain(std::string& out) {
  if (Ring* ring = ring_.load(std::memory_order_acquire); ring != nullptr) ring->drain(out);
}

}  // namespace sluice::observe
