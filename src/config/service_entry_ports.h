// Which port of an endpoint a port of a ServiceEntry means.
#pragma once

#include "config/model.h"

#include <algorithm>
#include <cstdint>

namespace sluice::config {

[[nodiscard]] inline uint32_t target_port(const ServiceEntryPort& port) noexcept {
  return port.target_port ? port.target_port.value : port.number.value;
}

[[nodiscard]] inline uint32_t target_port(const WorkloadEndpoint& endpoint, const ServiceEntryPort& port) {
  const auto own = std::ranges::find(endpoint.ports, port.name.value, &NumberMap::value_type::first);
  return own == endpoint.ports.end() ? target_port(port) : own->second.value;
}

}  // namespace sluice::config
