// Any text at all as a format string, and as the values that its operators find. Besides not crashing: a program
// within its bounds that keeps what was written, or a message that is safe to print and a place inside of the text.
#include "hostile_records.h"

#include "base/check.h"
#include "base/limits.h"
#include "config/format_compiler.h"
#include "observe/format_value.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace sluice;

namespace {

bool is_control_character(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

void check_error(const config::FormatError& error, std::string_view text) {
  CHECK(error.offset <= text.size());
  CHECK(!error.message.empty() && error.message.size() < 2000);
  CHECK(std::ranges::none_of(error.message, is_control_character));
}

void evaluate(const snapshot::Format& format, const observe::RequestRecord& record) {
  std::array<char, observe::format_room_bytes> room;
  for (const snapshot::FormatPart& part : format.parts) {
    const observe::FormatValue value = observe::value_of(part, record, room);
    CHECK((value.kind == observe::FormatValue::Kind::absent) == value.text.empty());
    CHECK(part.bytes_max == 0 || value.text.size() <= part.bytes_max);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto format = config::compile_format(text);
  if (!format) {
    check_error(format.error(), text);
    return 0;
  }
  CHECK(format->source == text);
  CHECK(format->parts.size() <= 2 * limits::format_operators_max + 1);

  fuzz::for_hostile_records(text, [&](const observe::RequestRecord& record) { evaluate(*format, record); });
  return 0;
}
