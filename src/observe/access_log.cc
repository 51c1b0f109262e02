#include "observe/access_log.h"

#include "base/check.h"
#include "base/limits.h"
#include "observe/address_text.h"
#include "observe/format_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <new>
#include <string_view>

namespace sluice::observe {

namespace {

// A line longer than this is rare (a huge path or user agent); its memory is not kept.
constexpr size_t kLineBytesKept = 16 * 1024;
// Everything of a line but the texts: numbers, addresses, quotes, spaces.
constexpr size_t kFixedBytesMax = 600;

enum class CharKind : uint8_t { plain, backslashed, hexadecimal };

// What a terminal or a reader of lines could take for something else, and every byte that is not ASCII
// (0x9b alone starts a terminal sequence), is written as \xHH.
constexpr auto kCharKinds = [] {
  std::array<CharKind, 256> kinds{};
  for (unsigned c = 0; c < 256; ++c) kinds[c] = c < 0x20 || c > 0x7e ? CharKind::hexadecimal : CharKind::plain;
  kinds['"'] = kinds['\\'] = CharKind::backslashed;
  return kinds;
}();

CharKind kind_of(char c) noexcept { return kCharKinds[static_cast<unsigned char>(c)]; }

constexpr uint64_t repeated(uint8_t byte) noexcept { return byte * 0x0101010101010101U; }

// The high bit of a byte is set if it is zero; exact up to the first such byte ("Hacker's Delight", 6-1).
constexpr uint64_t zero_bytes(uint64_t word) noexcept { return (word - repeated(1)) & ~word & repeated(0x80); }

// Whether all eight characters are plain: most texts are, and eight at a time costs as much as one.
bool are_plain(uint64_t word) noexcept {
  const uint64_t below_space = (word - repeated(0x20)) & ~word;
  const uint64_t special = below_space | word | zero_bytes(word ^ repeated('"')) | zero_bytes(word ^ repeated('\\')) |
                           zero_bytes(word ^ repeated(0x7f));
  return (special & repeated(0x80)) == 0;
}

// Writes into memory that is large enough: the caller has summed up the bounds.
class LineWriter {
 public:
  explicit LineWriter(char* at) noexcept : at_(at) {}

  void put(char c) noexcept { *at_++ = c; }
  void put(std::string_view text) noexcept {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put_time(WallTime time) noexcept { at_ = write_time(time, at_); }
  void put_number(uint64_t value) noexcept { at_ = std::to_chars(at_, at_ + 20, value).ptr; }
  void put_address(const SocketAddress& address) noexcept { at_ = write_address(address, at_); }
  void put_address(const SocketAddress* address) noexcept { address == nullptr ? put('-') : put_address(*address); }

  void put_escaped(std::string_view text) noexcept {
    if (text.empty()) return put('-');
    uint64_t word = 0;
    for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
      std::memcpy(&word, text.data(), sizeof word);
      if (are_plain(word)) {
        std::memcpy(at_, &word, sizeof word);
        at_ += sizeof word;
      } else {
        put_each_escaped(text.substr(0, sizeof word));
      }
    }
    put_each_escaped(text);
  }

  void put_quoted(std::string_view text) noexcept {
    put('"');
    put_escaped(text);
    put('"');
  }

  // Outside of quotes a space would shift every later column: Envoy writes '_' for it, and so do we.
  void put_word(std::string_view text) noexcept {
    char* const start = at_;
    put_escaped(text);
    std::replace(start, at_, ' ', '_');
  }

  [[nodiscard]] char* end() const noexcept { return at_; }

 private:
  void put_each_escaped(std::string_view text) noexcept {
    for (const char c : text) kind_of(c) == CharKind::plain ? put(c) : put_special(c);
  }

  void put_special(char c) noexcept {
    constexpr char digits[] = "0123456789abcdef";
    put('\\');
    if (kind_of(c) == CharKind::backslashed) return put(c);
    put('x');
    put(digits[static_cast<unsigned char>(c) >> 4]);
    put(digits[static_cast<unsigned char>(c) & 15]);
  }

  char* at_;
};

void put_response(LineWriter& line, const RequestRecord& record) noexcept {
  char flags[response_flags_text_max];
  line.put_number(record.status);
  line.put(' ');
  line.put(write_flags(record.flags, flags));
  line.put(' ');
  line.put_word(record.details);
  line.put(' ');
  line.put_word(record.connection_termination_details);
  line.put(' ');
  line.put_quoted(record.upstream_failure_reason);
  line.put(' ');
  line.put_number(record.bytes_received);
  line.put(' ');
  line.put_number(record.bytes_sent);
  line.put(' ');
  line.put_number(static_cast<uint64_t>(std::max<int64_t>(0, to_milliseconds(record.duration))));
  line.put(' ');
  if (record.upstream_service_ms < 0) {
    line.put('-');
  } else {
    line.put_number(static_cast<uint64_t>(record.upstream_service_ms));
  }
}

void put_upstream(LineWriter& line, const RequestRecord& record) noexcept {
  line.put('"');
  line.put_address(record.upstream_host);
  line.put("\" ");
  line.put_word(record.cluster == nullptr ? std::string_view{} : record.cluster->name);
  line.put(' ');
  line.put_address(record.upstream_local);
}

// Istio's EnvoyTextLogFormat (pilot/pkg/model/telemetry_logging.go), field by field.
char* write_default_line(const RequestRecord& record, char* at) noexcept {
  LineWriter line(at);
  line.put('[');
  line.put_time(record.start);
  line.put("] \"");
  line.put_escaped(record.method);
  line.put(' ');
  line.put_escaped(record.path);
  line.put(' ');
  line.put(record.is_tcp ? "-" : protocol_text(record.version));
  line.put("\" ");
  put_response(line, record);
  line.put(' ');
  line.put_quoted(record.forwarded_for);
  line.put(' ');
  line.put_quoted(record.user_agent);
  line.put(' ');
  line.put_quoted(record.request_id);
  line.put(' ');
  line.put_quoted(record.authority);
  line.put(' ');
  put_upstream(line, record);
  line.put(' ');
  line.put_address(record.downstream_local);
  line.put(' ');
  line.put_address(record.downstream_remote);
  line.put(' ');
  line.put_word(record.requested_server_name);
  line.put(' ');
  line.put_word(record.route == nullptr ? std::string_view{} : record.route->name);
  line.put('\n');
  return line.end();
}

// Every byte of a text may become four.
size_t line_bytes_max(const RequestRecord& record) noexcept {
  size_t bytes = record.method.size() + record.path.size() + record.authority.size() + record.user_agent.size() +
                 record.request_id.size() + record.forwarded_for.size() + record.details.size() +
                 record.connection_termination_details.size() + record.upstream_failure_reason.size() +
                 record.requested_server_name.size();
  if (record.cluster != nullptr) bytes += record.cluster->name.size();
  if (record.route != nullptr) bytes += record.route->name.size();
  return kFixedBytesMax + 4 * bytes;
}

}  // namespace

void format_default_line(const RequestRecord& record, std::string& out) {
  const size_t before = out.size();
  out.resize_and_overwrite(before + line_bytes_max(record), [&](char* text, size_t) {
    return static_cast<size_t>(write_default_line(record, text + before) - text);
  });
}

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
  format_default_line(record, line_);
  COUNT_IF(dropped_, !ring->push(line_));
  if (line_.capacity() > kLineBytesKept) std::string().swap(line_);
}

void AccessLogBuffer::drain(std::string& out) {
  if (Ring* ring = ring_.load(std::memory_order_acquire); ring != nullptr) ring->drain(out);
}

}  // namespace sluice::observe
