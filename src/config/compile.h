// From the model to a snapshot.
#pragma once

#include "config/diagnostic.h"
#include "config/load.h"
#include "config/model.h"

namespace sluice::config {

// What is broken is left out and gives no further diagnostics. Without snapshot when `diagnostics` has errors.
[[nodiscard]] Compiled compile(const Model& model, Diagnostics& diagnostics);

}  // namespace sluice::config
