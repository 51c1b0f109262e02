// An explanation (control/explain.h) for people and for programs. Pure functions.
#pragma once

#include "control/explain.h"
#include "control/snapshot_json.h"

#include <string>

namespace sluice::control {

// What comes from documents is made safe to print; what the request has, its reader has checked.
[[nodiscard]] std::string to_text(const Explanation& explanation, const ExplainRequest& request,
                                  const snapshot::Snapshot& snapshot);
[[nodiscard]] Json to_json(const Explanation& explanation, const ExplainRequest& request,
                           const snapshot::Snapshot& snapshot);

}  // namespace sluice::control
