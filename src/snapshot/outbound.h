// Traffic out of the cluster (MeshConfig): what its listeners do, beside what the tables say. A listener of it has the
// route tables of all ports; the port is the one that a request names, or that a redirected client has connected to.
#pragma once

#include "base/durations.h"
#include "base/wipe.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::snapshot {

// Whether what a client says at CONNECT, in its ClientHello and in a Host field has to be the same name.
enum class HostAgreement : uint8_t { off, warn, enforce };

// Who may use the explicit proxy (RFC 7617).
struct ProxyCredentials {
  std::string text;         // "username:password"; wiped with the object
  std::string secret_name;  // "istio-system/proxy-users", for messages

  ~ProxyCredentials() { wipe(text); }
};

struct Outbound {
  struct Port {
    uint16_t number = 0;
    uint32_t route_table = 0;  // index into Snapshot::route_tables
  };
  std::vector<Port> ports;         // that anything is registered for; sorted
  uint32_t other_ports_table = 0;  // of all others
  bool registry_only = false;      // what is not registered is refused
  HostAgreement host_agreement = HostAgreement::warn;
  Duration detection_time{};  // for the first bytes of a redirected connection; then it is taken for plain TCP
  std::optional<ProxyCredentials> credentials;  // none: everybody

  // Of the port.
  [[nodiscard]] uint32_t route_table(uint16_t port) const noexcept;
};

}  // namespace sluice::snapshot
