#include "observe/access_log_line.h"

#include "base/limits.h"
#include "observe/address_text.h"
#include "observe/format_value.h"
#include "observe/log_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

namespace sluice::observe {

namespace {

// Everything of the default line but the texts: numbers, addresses, quotes, spaces.
constexpr size_t kFixedBytesMax = 4 * address_text_max + 400;

// --- The default -----------------------------------------------------------------------------------

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
    at_ = write_escaped_text(text, at_);
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
  line.put_escaped(record.original_path.empty() ? record.path : record.original_path);
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
  line.put_word(record.route_name);
  line.put('\n');
  return line.end();
}

size_t line_bytes_max(const RequestRecord& record) noexcept {
  size_t bytes = record.method.size() + record.path.size() + record.original_path.size() + record.authority.size() +
                 record.user_agent.size() + record.request_id.size() + record.forwarded_for.size() +
                 record.details.size() + record.connection_termination_details.size() +
                 record.upstream_failure_reason.size() + record.requested_server_name.size();
  if (record.cluster != nullptr) bytes += record.cluster->name.size();
  bytes += record.route_name.size();
  return kFixedBytesMax + escaped_text_bytes_max * bytes;
}

void append_default_line(const RequestRecord& record, std::string& out) {
  const size_t before = out.size();
  out.resize_and_overwrite(before + line_bytes_max(record), [&](char* text, size_t) {
    return static_cast<size_t>(write_default_line(record, text + before) - text);
  });
}

// --- Formats of MeshConfig -------------------------------------------------------------------------

using snapshot::AccessLogFormat;
using snapshot::Format;
using snapshot::FormatPart;
using snapshot::Operator;

template <char* (*write)(std::string_view, char*) noexcept, size_t bytes_max>
void append_escaped(std::string_view text, std::string& out) {
  const size_t before = out.size();
  out.resize_and_overwrite(before + text.size() * bytes_max,
                           [&](char* line, size_t) { return static_cast<size_t>(write(text, line + before) - line); });
}

void append_text(std::string_view text, std::string& out) {
  append_escaped<write_escaped_text, escaped_text_bytes_max>(text, out);
}

void append_json(std::string_view text, std::string& out) {
  append_escaped<write_escaped_json, escaped_json_bytes_max>(text, out);
}

// A literal is written as it is: it is the configuration's, and escaped already where that is needed.
void append_text_part(const FormatPart& part, const RequestRecord& record, std::string& out) {
  if (part.op == Operator::literal) {
    out += part.text;
    return;
  }
  std::array<char, format_room_bytes> room;
  const FormatValue value = value_of(part, record, room);
  const size_t before = out.size();
  append_text(value.kind == FormatValue::Kind::absent ? "-" : value.text, out);
  if (value.kind == FormatValue::Kind::word)
    std::ranges::replace(out.begin() + static_cast<ptrdiff_t>(before), out.end(), ' ', '_');
}

// One operator alone keeps its type; several, or one in a text, are a string, as in Envoy.
void append_json_value(const Format& format, const RequestRecord& record, std::string& out) {
  std::array<char, format_room_bytes> room;
  if (format.parts.size() == 1) {
    const FormatValue value = value_of(format.parts.front(), record, room);
    if (value.kind == FormatValue::Kind::absent) {
      out += "null";
      return;
    }
    if (value.kind == FormatValue::Kind::number) {
      out += value.text;
      return;
    }
  }
  out += '"';
  for (const FormatPart& part : format.parts) {
    if (part.op == Operator::literal) {
      out += part.text;
      continue;
    }
    const FormatValue value = value_of(part, record, room);
    append_json(value.kind == FormatValue::Kind::absent ? "-" : value.text, out);
  }
  out += '"';
}

}  // namespace

bool write_access_log_line(const AccessLogFormat* format, const RequestRecord& record, std::string& out) {
  if (format == nullptr) {
    append_default_line(record, out);
    return true;
  }
  for (const AccessLogFormat::Value& value : format->values) {
    out += value.before;
    if (format->encoding == AccessLogFormat::Encoding::json) {
      append_json_value(value.format, record, out);
    } else {
      for (const FormatPart& part : value.format.parts) append_text_part(part, record, out);
    }
    if (out.size() > limits::access_log_line_bytes_max) return false;
  }
  out += format->end;
  return true;
}

}  // namespace sluice::observe
