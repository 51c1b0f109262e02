// The metrics in Prometheus' text format: Istio's standard request metrics, sluice's own counters, the
// process. Any thread.
#pragma once

#include "control/process_facts.h"
#include "control/process_state.h"

#include <string>

namespace sluice::control {

inline constexpr std::string_view prometheus_content_type = "text/plain; version=0.0.4; charset=utf-8";

[[nodiscard]] std::string to_prometheus(const ProcessState::View& view, const ProcessFacts& process,
                                        const renewal::Report& certificates);

}  // namespace sluice::control
