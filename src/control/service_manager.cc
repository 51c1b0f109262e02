#include "control/service_manager.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <ctime>

namespace sluice::control {

namespace {

uint64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1'000;
}

void notify(const std::string& state) { sd_notify(0, state.c_str()); }

}  // namespace

void notify_ready(std::string_view status) { notify(fmt::format("READY=1\nSTATUS={}", status)); }

// systemd.service(5), Type=notify-reload: the time tells this notification from an earlier one.
void notify_reloading() { notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reloading", monotonic_us())); }

void notify_stopping(std::string_view status) { notify(fmt::format("STOPPING=1\nSTATUS={}", status)); }

void notify_status(std::string_view status) { notify(fmt::format("STATUS={}", status)); }

void notify_watchdog() { notify("WATCHDOG=1"); }

std::optional<Duration> watchdog_interval() {
  uint64_t interval_us = 0;
  if (sd_watchdog_enabled(0, &interval_us) <= 0) return std::nullopt;
  return std::chrono::microseconds(interval_us);
}

}  // namespace sluice::control
