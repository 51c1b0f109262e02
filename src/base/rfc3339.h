// Times as the Kubernetes API writes them.
#pragma once

#include "base/durations.h"

#include <optional>
#include <string_view>

namespace sluice {

// RFC 3339 5.6: "2026-08-01T10:00:00Z", "2026-08-01T12:00:00.5+02:00"; of the years 1970 to 2261. Nothing for anything
// else.
[[nodiscard]] std::optional<WallTime> parse_rfc3339(std::string_view text);

}  // namespace sluice
