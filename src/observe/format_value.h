// What the parts of a format come to for one request: the one place that knows the operators, for header fields and
// for the access log. Nothing is allocated; the texts are views into the record, the part or the caller's room.
#pragma once

#include "observe/request_record.h"
#include "snapshot/format.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::observe {

struct FormatValue {
  enum class Kind : uint8_t {
    absent,  // nothing in a field, "-" in a line of text, null in JSON
    number,  // digits
    word,    // a column of a line of text: without spaces there
    text,
  };
  Kind kind = Kind::absent;
  std::string_view text;  // empty exactly when absent
};

// Where numbers, addresses, flags and times are written.
inline constexpr size_t format_room_bytes = 192;
using FormatRoom = std::span<char, format_room_bytes>;

[[nodiscard]] FormatValue value_of(const snapshot::FormatPart& part, const RequestRecord& record,
                                   FormatRoom room) noexcept;

// "2026-11-25T10:15:04.123Z" at `at`: 24 bytes; its end.
[[nodiscard]] char* write_time(WallTime time, char* at) noexcept;

}  // namespace sluice::observe
