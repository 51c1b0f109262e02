// What the connections of a listener carry, as far as the listener knows it.
#pragma once

#include "snapshot/snapshot.h"

#include <cstdint>

namespace sluice::proxy {

enum class ListenerKind : uint8_t {
  http,
  tls,  // the server that SNI chooses knows: snapshot::ServerKind
  tcp,  // bytes to a destination
  // Out of the cluster:
  proxy,       // requests of clients that know it as their HTTP proxy
  tls_proxy,   // the same, inside of TLS
  redirected,  // whatever the client speaks: its first bytes tell
};

[[nodiscard]] inline ListenerKind kind_of(const snapshot::Listener& listener) noexcept {
  switch (listener.role) {
    case snapshot::ListenerRole::redirected: return ListenerKind::redirected;
    case snapshot::ListenerRole::proxy: return listener.is_tls ? ListenerKind::tls_proxy : ListenerKind::proxy;
    case snapshot::ListenerRole::gateway: break;
  }
  if (listener.is_tls) return ListenerKind::tls;
  return listener.is_tcp ? ListenerKind::tcp : ListenerKind::http;
}

[[nodiscard]] constexpr bool is_tls(ListenerKind kind) noexcept {
  return kind == ListenerKind::tls || kind == ListenerKind::tls_proxy;
}
[[nodiscard]] constexpr bool is_outbound(ListenerKind kind) noexcept { return kind >= ListenerKind::proxy; }

}  // namespace sluice::proxy
