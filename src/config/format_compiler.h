// From a format string (Envoy's command operators) to the program that a request runs: %NAME%, %NAME(ARGUMENT)%,
// %NAME(ARGUMENT):LENGTH%, and %% for a percent sign.
#pragma once

#include "config/schema.h"
#include "snapshot/format.h"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace sluice::config {

struct FormatError {
  size_t offset = 0;  // into the format, in bytes
  std::string message;
};

// Bounded by limits::format_bytes_max and format_operators_max. Literal text is taken as it is: which bytes may
// stand in it is for the caller to check.
[[nodiscard]] std::expected<snapshot::Format, FormatError> compile_format(std::string_view format);

// Where in a file the byte at `offset` of a text is. Exact for a text that stands on one line without escapes;
// otherwise where the text begins.
[[nodiscard]] SourcePlace place_in(const Node& text, size_t offset);

}  // namespace sluice::config
