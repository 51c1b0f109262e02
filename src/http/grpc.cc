#include "http/grpc.h"

#include "base/limits.h"
#include "http/chars.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace sluice::http {

namespace {

constexpr size_t timeout_digits_max = 8;

struct TimeoutUnit {
  char letter;
  Duration duration;
};

// The finest first.
constexpr TimeoutUnit timeout_units[] = {{'n', std::chrono::nanoseconds(1)},  {'u', std::chrono::microseconds(1)},
                                         {'m', std::chrono::milliseconds(1)}, {'S', std::chrono::seconds(1)},
                                         {'M', std::chrono::minutes(1)},      {'H', std::chrono::hours(1)}};

}  // namespace

bool is_grpc_type(std::string_view content_type) noexcept {
  constexpr std::string_view type = "application/grpc";
  return content_type.starts_with(type) && (content_type.size() == type.size() || content_type[type.size()] == '+');
}

bool is_grpc(const RequestHead& request) noexcept {
  return request.method == "POST" && is_grpc_type(request.headers.find("content-type").value_or(std::string_view()));
}

std::string_view grpc_message(std::string_view text, Arena& arena) noexcept {
  const std::string_view kept = text.substr(0, limits::grpc_message_bytes_max);
  std::array<char, 3 * limits::grpc_message_bytes_max> encoded;
  size_t size = 0;
  for (const char c : kept) {
    if (c >= ' ' && c <= '~' && c != '%') {
      encoded[size++] = c;
    } else {
      constexpr std::string_view digits = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      encoded[size++] = '%';
      encoded[size++] = digits[byte / 16];
      encoded[size++] = digits[byte % 16];
    }
  }
  return arena.copy({encoded.data(), size});
}

std::optional<Duration> read_grpc_timeout(std::string_view value) noexcept {
  if (value.size() < 2 || value.size() > timeout_digits_max + 1) return std::nullopt;
  const std::string_view digits = value.substr(0, value.size() - 1);
  if (!std::ranges::all_of(digits, is_digit)) return std::nullopt;
  int64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  for (const TimeoutUnit& unit : timeout_units) {
    if (unit.letter != value.back()) continue;
    constexpr Duration longest = std::chrono::hours(24 * 365);
    return number > longest / unit.duration ? longest : unit.duration * number;
  }
  return std::nullopt;
}

std::string_view write_grpc_timeout(Duration timeout, Arena& arena) noexcept {
  constexpr int64_t number_max = 99'999'999;
  for (const TimeoutUnit& unit : timeout_units) {
    const int64_t number = timeout / unit.duration + (timeout % unit.duration > Duration::zero() ? 1 : 0);
    if (number > number_max) continue;
    std::array<char, timeout_digits_max + 1> text;
    char* const end = std::to_chars(text.data(), text.data() + timeout_digits_max, number).ptr;
    *end = unit.letter;
    return arena.copy({text.data(), static_cast<size_t>(end + 1 - text.data())});
  }
  return {};
}

}  // namespace sluice::http
