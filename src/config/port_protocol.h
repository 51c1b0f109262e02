// What a port of the registry speaks, as its document says.
#pragma once

#include "config/model.h"
#include "config/wording.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::config {

enum class PortProtocol : uint8_t {
  http,
  not_http,  // TLS, TCP, and what goes over it
  unknown,   // nothing is said: either
  udp,
};

// In lower case: appProtocol, else the first part of the port's name: "grpc-web-api" speaks "grpc".
[[nodiscard]] inline std::string protocol_of(const ServicePort& port) {
  if (port.app_protocol) {
    const std::string_view name = port.app_protocol.value;
    return to_lower(name.starts_with("kubernetes.io/") ? name.substr(name.find('/') + 1) : name);
  }
  return to_lower(port.name.value.substr(0, port.name.value.find('-')));
}

// The name of a ServiceEntry's port says nothing, as in Istio.
[[nodiscard]] inline std::string protocol_of(const ServiceEntryPort& port) { return to_lower(port.protocol.value); }

[[nodiscard]] inline bool speaks_http2(std::string_view protocol) noexcept {
  return protocol == "http2" || protocol == "h2c" || protocol == "grpc" || protocol == "grpc-web";
}

// `protocol` is in lower case.
[[nodiscard]] inline PortProtocol port_protocol(std::string_view protocol) noexcept {
  if (protocol == "http" || protocol == "ws" || speaks_http2(protocol)) return PortProtocol::http;
  if (protocol == "udp") return PortProtocol::udp;
  for (const std::string_view other : {"tcp", "tls", "https", "wss", "mongo", "mysql", "redis"}) {
    if (protocol == other) return PortProtocol::not_http;
  }
  return PortProtocol::unknown;
}

}  // namespace sluice::config
