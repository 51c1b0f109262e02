// When a certificate is renewed, and when something that failed is tried again. Pure functions of wall-clock times: a
// machine that was suspended, or whose clock was set, finds out by asking again.
#pragma once

#include "acme/failure.h"
#include "base/durations.h"

#include <cstdint>
#include <optional>

namespace sluice::renewal {

// --- Renewal ---------------------------------------------------------------------------------------

// RFC 9773 4.2: the certificate authority's wish.
struct SuggestedWindow {
  WallTime start;
  WallTime end;  // not before `start`
  friend bool operator==(const SuggestedWindow&, const SuggestedWindow&) = default;
};

struct Wishes {
  std::optional<Duration> renew_before;  // spec.renewBefore: before the end
  std::optional<SuggestedWindow> suggested;
};

struct Validity {
  WallTime not_before;
  WallTime not_after;  // later than not_before
};

// The earliest of: two thirds of the lifetime; renew_before before the end, but not in the first tenth of the lifetime,
// which would be a loop; a time in the suggested window. Some of it earlier, by at most a fiftieth of the lifetime, so
// that certificates of one day are not renewed in one second. `random` in [0, 1) is the same for one certificate's
// life: the time does not move when it is asked for again.
[[nodiscard]] WallTime renewal_time(const Validity& validity, const Wishes& wishes, double random) noexcept;

// --- Failures --------------------------------------------------------------------------------------

using acme::FailureKind;

// Of one certificate; part of what is saved. As the controller counts: two minutes more for each failure, at most eight
// hours; a day for what lasts. A name has at most one failing order an hour.
struct Backoff {
  uint32_t failures = 0;  // without a success between
  WallTime failed_at{};
  Duration interval{};

  [[nodiscard]] WallTime recheck_after() const noexcept { return failed_at + interval; }
  // Also when the clock has been set back to before the failure: nobody knows how long it has been since.
  [[nodiscard]] bool is_over(WallTime now) const noexcept {
    return failures == 0 || now >= recheck_after() || now < failed_at;
  }
  friend bool operator==(const Backoff&, const Backoff&) = default;
};

// `retry_after`: what the server has asked for; it is not tried earlier.
[[nodiscard]] Backoff after_failure(const Backoff& before, FailureKind kind, WallTime now,
                                    std::optional<Duration> retry_after = {}) noexcept;

}  // namespace sluice::renewal
