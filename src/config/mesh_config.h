// MeshConfig: the settings of the whole mesh, a YAML text in a ConfigMap
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/).
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"

namespace sluice::config {

// Whether the MeshConfig is in this ConfigMap: the one named `istio` in the gateway's namespace, with a key `mesh`.
[[nodiscard]] bool is_mesh_config_map(const ConfigMap& map) noexcept;

// Reads model.mesh from the model's ConfigMaps. Without MeshConfig everything has Istio's defaults.
void read_mesh_config(Model& model, Diagnostics& diagnostics);

}  // namespace sluice::config
