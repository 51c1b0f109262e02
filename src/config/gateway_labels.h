// The labels of the gateway's pods, as far as Gateways tell them: what they select.
#pragma once

#include "config/model.h"

#include <set>
#include <string_view>
#include <utility>

namespace sluice::config {

using GatewayLabels = std::set<std::pair<std::string_view, std::string_view>>;

[[nodiscard]] inline GatewayLabels gateway_labels(const Model& model) {
  GatewayLabels labels;
  for (const Gateway& gateway : model.gateways) {
    for (const auto& [name, value] : gateway.spec.selector) labels.emplace(name, value.value);
  }
  return labels;
}

}  // namespace sluice::config
