// Kyma's APIRules as VirtualServices, as Kyma's api-gateway module makes them
// (internal/processing/processors/v2alpha1/virtualservice): everything that follows sees routes only.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"

#include <string>
#include <string_view>

namespace sluice::config {

// Adds a VirtualService for each APIRule of the model that is not broken; its texts and places are those of the
// APIRule. An APIRule that is not open to everybody in all its rules is an error, and no route is made of it.
void translate_api_rules(Model& model, Diagnostics& diagnostics);

// An RE2 expression for what a path with the operators {*} (one segment) and {**} (any number of them) fits; everything
// else of the path stands for itself.
[[nodiscard]] std::string regex_of_path(std::string_view path);

}  // namespace sluice::config
