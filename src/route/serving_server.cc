#include "route/serving_server.h"

namespace sluice::route {

const snapshot::TlsServer* serving_server(const snapshot::Listener& listener, const snapshot::TlsServer& connected,
                                          std::string_view host) noexcept {
  const auto owner = listener.server_names.find(host);
  // Nobody's host is not found (404) here as well as anywhere.
  if (!owner) return &connected;
  const snapshot::TlsServer& other = listener.tls_servers[*owner];
  return other.identity == connected.identity ? &other : nullptr;
}

}  // namespace sluice::route
