// From the model to a snapshot.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"
#include "snapshot/snapshot.h"

#include <memory>

namespace sluice::config {

// What is broken is left out and gives no further diagnostics. Null when `diagnostics` has errors.
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> compile(const Model& model, Diagnostics& diagnostics);

}  // namespace sluice::config
