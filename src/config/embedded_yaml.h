// YAML inside of YAML: a text of one document that is a document itself, as MeshConfig is in its ConfigMap.
#pragma once

#include "config/diagnostic.h"
#include "config/yaml_document.h"

#include <optional>

namespace sluice::config {

// The document that the text of `outer` is, with places in the outer file: exact in a literal block (|), which
// keeps lines; where the text starts in every other style. Nothing when the text is empty or has an error, which
// is in the diagnostics. Bounded as every document is, and to limits::config_embedded_nodes_max values.
[[nodiscard]] std::optional<Node> parse_embedded_yaml(const Node& outer, Diagnostics& diagnostics);

}  // namespace sluice::config
