#include "snapshot/outbound.h"

#include <algorithm>

namespace sluice::snapshot {

uint32_t Outbound::route_table(uint16_t port) const noexcept {
  const auto found = std::ranges::lower_bound(ports, port, {}, &Port::number);
  return found != ports.end() && found->number == port ? found->route_table : other_ports_table;
}

}  // namespace sluice::snapshot
