// From nodes to the model: which kind a document is, and its fields checked against the schema.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"
#include "config/yaml_document.h"

#include <deque>

namespace sluice::config {

// Documents of unknown kinds give one info line for each kind. The documents of each kind come in the
// order that decides conflicts: metadata.creationTimestamp (without one: first), then as they were read.
// `documents` must outlive the model.
[[nodiscard]] Model read_model(const std::deque<Node>& documents, Diagnostics& diagnostics);

}  // namespace sluice::config
