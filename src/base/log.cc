#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <string>

namespace sluice::log {

namespace {

std::atomic<Level> least_level{Level::info};

constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};

}  // namespace

void set_level(Level level) noexcept { least_level.store(level, std::memory_order_relaxed); }

bool enabled(Level level) noexcept { return level >= least_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view message) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  char stamp[40];
  const size_t size = std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);

  std::string line(stamp, size);
  fmt::format_to(std::back_inserter(line), ".{:03}Z {} ", now.tv_nsec / 1'000'000, kNames[static_cast<size_t>(level)]);
  // One line per message, whatever a peer or a file put into it.
  for (const char c : message) line += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? ' ' : c;
  line += '\n';
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace sluice::log
