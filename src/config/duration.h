// Durations as Go and the Istio API write them.
#pragma once

#include "base/durations.h"

#include <optional>
#include <string_view>

namespace sluice::config {

// "1h30m", "0.5s", "250ms", "0": a sequence of decimal numbers with a unit each (h, m, s, ms, us, µs, ns),
// as Go's time.ParseDuration. Nothing for anything else, for negative ones and for what does not fit.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

}  // namespace sluice::config
