// Gateways with the annotation cert.gardener.cloud/purpose: managed, as the Certificates that Gardener's controller
// makes of them (pkg/controller/source/gateways/istio): what follows sees Certificates only.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"

namespace sluice::config {

// Adds a Certificate for each Secret that credentialName of such a Gateway's servers names; its texts and places are
// the annotations and hosts. Before validate(), after translate_api_rules().
void add_gateway_certificates(Model& model, Diagnostics& diagnostics);

}  // namespace sluice::config
