#include "control/admin_pages.h"

#include "control/certificate_report.h"
#include "control/snapshot_json.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>

namespace sluice::control {

namespace {

Json time_json(WallTime time) {
  if (time == WallTime{}) return nullptr;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z",
                     fmt::gmtime(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count()));
}

std::string_view text_of(Phase phase) {
  switch (phase) {
    case Phase::starting: return "starting";
    case Phase::serving: return "serving";
    case Phase::draining: return "draining";
  }
  return "unknown";
}

Json reloads_json(const ReloadHistory& reloads) {
  return {{"successes", reloads.success_count},
          {"failures", reloads.failure_count},
          {"lastSuccessful", reloads.was_last_successful},
          {"lastSuccess", time_json(reloads.last_success)},
          {"lastFailure", time_json(reloads.last_failure)},
          {"lastFailureDiagnostics", reloads.last_failure_diagnostics}};
}

}  // namespace

std::string config_dump_json(const ProcessState::View& view) {
  return to_text(Json{{"programVersion", SLUICE_VERSION},
                      {"phase", text_of(view.phase)},
                      {"reloads", reloads_json(view.reloads)},
                      {"snapshot", view.snapshot == nullptr ? Json(nullptr) : snapshot_json(*view.snapshot)}});
}

std::string certificates_json(const ProcessState::View& view, const renewal::Report& report) {
  Json certificates = view.snapshot == nullptr ? Json::array() : certificates_json(*view.snapshot);
  return to_text(Json{{"certificates", std::move(certificates)},
                      {"isManaging", report.is_managing},
                      {"managed", to_json(report.certificates)}});
}

}  // namespace sluice::control
