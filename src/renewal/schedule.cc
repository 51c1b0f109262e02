#include "renewal/schedule.h"

#include "base/limits.h"

#include <algorithm>

namespace sluice::renewal {

namespace {

Duration part_of(Duration whole, double part) noexcept {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, Duration::period>(whole) * part);
}

}  // namespace

WallTime renewal_time(const Validity& validity, const Wishes& wishes, double random) noexcept {
  const Duration lifetime = validity.not_after - validity.not_before;
  WallTime time = validity.not_before + part_of(lifetime, 2.0 / 3);
  if (wishes.renew_before) {
    const WallTime earliest = validity.not_before + lifetime / 10;
    time = std::min(time, std::max(validity.not_after - *wishes.renew_before, earliest));
  }
  time -= part_of(lifetime, random / 50);
  if (const auto& window = wishes.suggested)
    time = std::min(time, window->start + part_of(window->end - window->start, random));
  return time;
}

Backoff after_failure(const Backoff& before, FailureKind kind, WallTime now,
                      std::optional<Duration> retry_after) noexcept {
  Backoff backoff{.failures = before.failures + 1, .failed_at = now, .interval = {}};
  switch (kind) {
    case FailureKind::passing:
    case FailureKind::order:
      backoff.interval =
          std::min(limits::renewal_retry_step * std::min(backoff.failures, 1000U), limits::renewal_retry_max);
      if (kind == FailureKind::order) backoff.interval = std::max(backoff.interval, limits::failed_order_pause);
      break;
    case FailureKind::lasting: backoff.interval = limits::renewal_retry_lasting; break;
  }
  if (retry_after) backoff.interval = std::max(backoff.interval, *retry_after);
  return backoff;
}

}  // namespace sluice::renewal
