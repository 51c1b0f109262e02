// Any text at all as MeshConfig's accessLogFormat, in either encoding, and as the values that its operators find.
// Besides not crashing: a format within its bounds whose lines are lines, and in JSON objects, whatever a client has
// sent; or a message that is safe to print.
#include "hostile_records.h"

#include "base/check.h"
#include "base/limits.h"
#include "config/access_log_format.h"
#include "config/diagnostic.h"
#include "config/yaml_document.h"
#include "observe/access_log_line.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

using namespace sluice;
using snapshot::AccessLogFormat;

namespace {

bool is_control_character(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

// As the documents would have it: in one scalar.
std::optional<AccessLogFormat> compile(std::string_view text, std::string_view encoding,
                                       config::Diagnostics& diagnostics) {
  static const std::string file = "fuzz.yaml";
  config::Node node;
  node.file = &file;
  node.line = node.column = 1;
  node.text = config::NodeText::part_of(text);
  return config::compile_access_log_format({.value = node.text, .node = &node}, {.value = encoding, .node = &node},
                                           diagnostics);
}

void check_line(const AccessLogFormat& format, const observe::RequestRecord& record) {
  std::string line;
  if (!observe::write_access_log_line(&format, record, line)) return;
  CHECK(line.ends_with('\n'));
  if (format.encoding != AccessLogFormat::Encoding::json) return;
  CHECK(std::ranges::count(line, '\n') == 1);
  CHECK(nlohmann::json::accept(line));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::string_view encoding : {"TEXT", "JSON"}) {
    config::Diagnostics diagnostics;
    const std::optional<AccessLogFormat> format = compile(text, encoding, diagnostics);
    for (const config::Diagnostic& diagnostic : diagnostics.sorted()) {
      CHECK(std::ranges::none_of(diagnostic.to_string(), is_control_character));
      CHECK(diagnostic.message.size() < 2000);
    }
    CHECK(!(format && diagnostics.has_errors()));
    if (!format) continue;
    CHECK(format->values.size() <= limits::access_log_values_max);
    fuzz::for_hostile_records(text, [&](const observe::RequestRecord& record) { check_line(*format, record); });
  }
  return 0;
}
