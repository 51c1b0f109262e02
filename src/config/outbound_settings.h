// What MeshConfig, and the annotations of the ConfigMap that it is in, say of traffic out of the cluster: where it is
// listened for, who may send it, and where it may go.
#pragma once

#include "base/durations.h"
#include "config/credentials.h"
#include "config/diagnostic.h"
#include "config/model.h"
#include "snapshot/outbound.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace sluice::config {

struct OutboundSettings {
  const Document* document = nullptr;          // the ConfigMap
  const Node* proxy_node = nullptr;            // proxyHttpPort; null: there is no explicit proxy
  std::vector<SocketAddress> proxy_addresses;  // of the explicit proxy
  std::optional<ServerTls> proxy_tls;          // none: it is plain
  const Node* redirected_node = nullptr;       // proxyListenPort; null: nothing is redirected to us
  uint16_t redirected_port = 0;
  bool is_transparent = false;
  const Node* policy_node = nullptr;  // outboundTrafficPolicy, or MeshConfig itself
  bool registry_only = false;
  snapshot::HostAgreement host_agreement = snapshot::HostAgreement::warn;
  Duration detection_time{};
  std::optional<snapshot::ProxyCredentials> credentials;
};

// Nothing: there are no listeners of outbound traffic. What is wrong is an error, so that no proxy is open by mistake.
[[nodiscard]] std::optional<OutboundSettings> read_outbound_settings(const Model& model, Credentials& credentials,
                                                                     Diagnostics& diagnostics);

}  // namespace sluice::config
