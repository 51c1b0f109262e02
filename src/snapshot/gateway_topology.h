// What is in front of the gateway, and so what it is told of clients that it believes and passes on (MeshConfig,
// defaultConfig.gatewayTopology).
#pragma once

#include <cstdint>

namespace sluice::snapshot {

// What becomes of x-forwarded-client-cert, as in Envoy
// (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert).
// "Mutual": the client has shown a certificate on its connection to us.
enum class ForwardClientCert : uint8_t {
  sanitize,             // removed
  forward_only,         // what came stays when mutual, else it is removed
  append_forward,       // our element follows what came when mutual, else it is removed
  sanitize_set,         // our element replaces what came when mutual, else it is removed
  always_forward_only,  // what came stays
};

struct GatewayTopology {
  // Envoy's xff_num_trusted_hops. 0: the client is who connects.
  uint32_t num_trusted_proxies = 0;
  ForwardClientCert forward_client_cert = ForwardClientCert::sanitize_set;
  // Every connection begins with a header of the PROXY protocol (transport/proxy_header.h), which names the client.
  bool expects_proxy_header = false;

  [[nodiscard]] constexpr bool keeps_client_certs(bool is_mutual) const noexcept {
    switch (forward_client_cert) {
      case ForwardClientCert::forward_only:
      case ForwardClientCert::append_forward: return is_mutual;
      case ForwardClientCert::always_forward_only: return true;
      case ForwardClientCert::sanitize:
      case ForwardClientCert::sanitize_set: return false;
    }
    return false;
  }

  // Whether an element of a certificate that was shown to us goes upstream.
  [[nodiscard]] constexpr bool tells_client_cert() const noexcept {
    return forward_client_cert == ForwardClientCert::append_forward ||
           forward_client_cert == ForwardClientCert::sanitize_set;
  }
};

}  // namespace sluice::snapshot
