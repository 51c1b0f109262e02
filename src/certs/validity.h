// From when until when a new certificate is valid.
#pragma once

#include "base/durations.h"
#include "base/limits.h"
#include "base/result.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::certs {

struct Validity {
  WallTime not_before;
  WallTime not_after;
};

// `duration` from now on, in whole seconds. It has begun a hundredth of that earlier, at most five minutes: clients
// whose clock is a little behind accept a new certificate at once, and the times of renewal, which are shares of the
// lifetime, hardly move. Nothing is vouched for that was not so then: the key is new.
[[nodiscard]] inline Validity validity_from(WallTime now, Duration duration) noexcept {
  const WallTime start = std::chrono::floor<std::chrono::seconds>(now);
  const Duration earlier =
      std::chrono::floor<std::chrono::seconds>(std::min(duration / 100, limits::certificate_backdating_max));
  return {start - earlier, start + std::chrono::floor<std::chrono::seconds>(duration)};
}

// Of a document.
[[nodiscard]] inline Status check_duration(Duration duration) {
  if (duration >= limits::certificate_duration_min && duration <= limits::certificate_duration_max) return {};
  return failure(fmt::format("a duration of {} s is not possible: use one minute to ten years",
                             std::chrono::floor<std::chrono::seconds>(duration).count()));
}

}  // namespace sluice::certs
