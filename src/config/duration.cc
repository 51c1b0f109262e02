#include "config/duration.h"

#include <cstdint>
#include <limits>
#include <utility>

namespace sluice::config {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Takes the unit off the front of `text`; its length in nanoseconds, 0 when there is none.
int64_t take_unit(std::string_view& text) {
  static constexpr std::pair<std::string_view, int64_t> units[] = {
      {"ns", 1},         {"us", 1'000},        {"µs", 1'000},         {"μs", 1'000},
      {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000},
  };
  for (const auto& [name, nanoseconds] : units) {
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return nanoseconds;
  }
  return 0;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration{0};
  if (text.empty()) return std::nullopt;

  int64_t total = 0;
  while (!text.empty()) {
    int64_t whole = 0;
    __int128 fraction = 0;  // in units of 1 / scale
    __int128 scale = 1;
    bool has_digits = false;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
      if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, text.front() - '0', &whole)) {
        return std::nullopt;
      }
      has_digits = true;
    }
    if (text.starts_with('.')) {
      text.remove_prefix(1);
      for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
        has_digits = true;
        if (scale >= 1'000'000'000'000'000) continue;  // below a nanosecond of every unit
        fraction = fraction * 10 + (text.front() - '0');
        scale *= 10;
      }
    }
    const int64_t unit = take_unit(text);
    if (!has_digits || unit == 0) return std::nullopt;

    int64_t part = 0;
    if (__builtin_mul_overflow(whole, unit, &part)) return std::nullopt;
    if (__builtin_add_overflow(total, part, &total)) return std::nullopt;
    if (__builtin_add_overflow(total, static_cast<int64_t>(fraction * unit / scale), &total)) return std::nullopt;
  }
  return Duration{total};
}

}  // namespace sluice::config
