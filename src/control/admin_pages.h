// What the admin port shows of the live configuration, as JSON. Never a private key: a snapshot has none.
// Any thread.
#pragma once

#include "control/process_state.h"

#include <string>

namespace sluice::control {

// The live snapshot, its version and hash, and how the last reloads went.
[[nodiscard]] std::string config_dump_json(const ProcessState::View& view);
// The certificates that serve, by Secret, and those that are managed.
[[nodiscard]] std::string certificates_json(const ProcessState::View& view, const renewal::Report& report);

}  // namespace sluice::control
