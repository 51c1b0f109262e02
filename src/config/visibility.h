// Which namespace the gateway runs in, and what it sees from there.
#pragma once

#include "config/schema.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace sluice::config {

// The namespace of Istio's ingress gateway: Secrets come from it, and exportTo is judged from it.
inline constexpr std::string_view gateway_namespace = "istio-system";

// exportTo of a document in `name_space`: not given or "*" is everybody, "." is its own namespace. `to` is who looks.
[[nodiscard]] inline bool is_exported(std::span<const Text> export_to, std::string_view name_space,
                                      std::string_view to = gateway_namespace) noexcept {
  return export_to.empty() || std::ranges::any_of(export_to, [&](const Text& target) {
           return target.value == "*" || (target.value == "." ? name_space : target.value) == to;
         });
}

}  // namespace sluice::config
