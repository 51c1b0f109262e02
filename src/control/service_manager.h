// What systemd is told (sd_notify(3), Type=notify). Does nothing when there is no service manager.
#pragma once

#include "base/durations.h"

#include <optional>
#include <string_view>

namespace sluice::control {

void notify_ready(std::string_view status);
// Must be followed by notify_ready(), also when the reload failed.
void notify_reloading();
void notify_stopping(std::string_view status);
void notify_status(std::string_view status);
void notify_watchdog();

// How long the manager waits for notify_watchdog() (WatchdogSec=); nothing when it does not.
[[nodiscard]] std::optional<Duration> watchdog_interval();

}  // namespace sluice::control
