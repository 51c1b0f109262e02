// What documents register: the hosts and ports that outbound traffic finds without any route.
#pragma once

#include "base/address_range.h"
#include "config/cluster_builder.h"
#include "config/diagnostic.h"
#include "config/model.h"
#include "config/port_protocol.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sluice::config {

// One address, not a block of several.
[[nodiscard]] inline bool is_one_address(const AddressRange& range) noexcept {
  return range.prefix_bits == (range.network.family == SocketAddress::Family::ipv4 ? 32 : 128);
}

struct RegisteredPort {
  const Document* document = nullptr;  // a Service or a ServiceEntry
  std::string host;                    // of the registry: a full name, or a wildcard
  uint16_t number = 0;
  PortProtocol protocol = PortProtocol::unknown;
  bool is_opaque = false;                // neither HTTP nor TLS: what its connections carry says no name
  std::vector<std::string> short_names;  // of a Service
  std::shared_ptr<const std::vector<AddressRange>> addresses;  // never null; all hosts of an entry share them
  uint32_t cluster = 0;

  [[nodiscard]] bool takes_http() const noexcept { return protocol != PortProtocol::not_http; }
  [[nodiscard]] bool takes_tcp() const noexcept { return protocol != PortProtocol::http; }
};

// Services first, then ServiceEntries, each by age; each host and port once. Those that the gateway does not see are
// left out, and what cannot take TCP. Their clusters are made. Beyond limits::config_registered_ports_max an error.
[[nodiscard]] std::vector<RegisteredPort> registered_ports(const Model& model, ClusterBuilder& clusters,
                                                           Diagnostics& diagnostics);

}  // namespace sluice::config
