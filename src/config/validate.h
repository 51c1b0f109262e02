// What a single document can have wrong beyond its fields: the rules of Istio's validation, in its words
// where they help to find more about it.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"

namespace sluice::config {

// Marks documents with errors as broken.
void validate(Model& model, Diagnostics& diagnostics);

}  // namespace sluice::config
