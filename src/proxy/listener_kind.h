// What the connections of a listener carry, as far as the listener knows it.
#pragma once

#include "snapshot/snapshot.h"

#include <cstdint>

namespace sluice::proxy {

enum class ListenerKind : uint8_t {
  http,
  tls,  // the server that SNI chooses knows: snapshot::ServerKind
  tcp,  // bytes to a destination
};

[[nodiscard]] inline ListenerKind kind_of(const snapshot::Listener& listener) noexcept {
  if (listener.is_tls) return ListenerKind::tls;
  return listener.is_tcp ? ListenerKind::tcp : ListenerKind::http;
}

}  // namespace sluice::proxy
