#include "route/serving_server.h"

namespace sluice::route {

const snapshot::TlsServer* serving_server(const snapshot::Listener& listener, uint32_t connected,
                                          std::string_view host) noexcept {
  const snapshot::TlsServer& own = listener.tls_servers[connected];
  const auto owner = listener.server_names.find(host);
  // Nobody's host is not found (404) here as well as anywhere.
  if (!owner || *owner == connected) return &own;
  const snapshot::TlsServer& other = listener.tls_servers[*owner];
  return other.identity == own.identity ? &other : nullptr;
}

}  // namespace sluice::route
