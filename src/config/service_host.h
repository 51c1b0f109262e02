// The host names of the cluster's services.
#pragma once

#include "config/host_name.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace sluice::config {

inline constexpr std::string_view cluster_domain = "svc.cluster.local";

// A host as a document in `name_space` writes it: a name without dots is a service of that namespace.
[[nodiscard]] inline std::string full_host(std::string_view written, std::string_view name_space) {
  std::string host = normalised_host(written);
  return host.contains('.') || host == "*" ? host : fmt::format("{}.{}.{}", host, name_space, cluster_domain);
}

}  // namespace sluice::config
