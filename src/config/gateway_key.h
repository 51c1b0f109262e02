// How VirtualServices name Gateways: "[namespace/]name", of the VirtualService's own namespace without one.
#pragma once

#include "config/model.h"

#include <algorithm>
#include <string>
#include <vector>

namespace sluice::config {

// "namespace/name", as Document::key().
[[nodiscard]] inline std::string gateway_key(const Text& reference, const VirtualService& service) {
  return reference.value.contains('/') ? std::string(reference.value)
                                       : std::string(service.name_space()) + "/" + std::string(reference.value);
}

[[nodiscard]] inline bool names_gateway(const std::vector<Text>& references, const Gateway& gateway,
                                        const VirtualService& service) {
  return std::ranges::any_of(references,
                             [&](const Text& reference) { return gateway_key(reference, service) == gateway.key(); });
}

}  // namespace sluice::config
