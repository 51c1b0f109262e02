// Log lines of the control plane and rare events of the data plane, to standard error, one write(2)
// per line, so that lines of several threads never mix. Format: fmtlib's.
//
//   2026-11-25T10:15:04.123Z warning reload: old configuration keeps serving: ...
//
// Not for per-request lines: those are observe/access_log.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace sluice::log {

enum class Level { debug, info, warning, error };

// Lines below `level` are dropped. Thread-safe; default info.
void set_level(Level level) noexcept;
[[nodiscard]] bool enabled(Level level) noexcept;

void write(Level level, std::string_view message) noexcept;

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::warning)) write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::error)) write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace sluice::log
