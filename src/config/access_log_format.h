// MeshConfig's accessLogFormat and accessLogEncoding, compiled.
#pragma once

#include "config/diagnostic.h"
#include "config/schema.h"
#include "snapshot/access_log_format.h"

#include <optional>

namespace sluice::config {

// `encoding`: TEXT, JSON or not there (TEXT). TEXT: one format string (config/format_compiler.h), which gets its
// newline if it has none. JSON: an object (RFC 8259) whose strings are format strings; objects and lists may be in it.
// Without `format`: Istio's default of that encoding, which for TEXT is nothing. Errors stand at the format.
[[nodiscard]] std::optional<snapshot::AccessLogFormat> compile_access_log_format(const Text& format,
                                                                                 const Text& encoding,
                                                                                 Diagnostics& diagnostics);

}  // namespace sluice::config
