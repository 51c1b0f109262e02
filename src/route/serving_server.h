// Connections that clients use for more hosts than the one that they were opened for (RFC 9113 9.1.1), because the
// certificate or the address is the same: which server's routes a request finds. Pure functions.
#pragma once

#include "snapshot/snapshot.h"

#include <string_view>

namespace sluice::route {

// The server of a TLS listener that serves `host` (as http::RequestHead has it) on a connection whose SNI has chosen
// `connected`, one of its tls_servers: that one, or another one that owns the host and differs in nothing but hosts and
// routes. Nullptr: the host is another server's, whose certificates, suites and demands on clients the
// connection has not met. The client is to come on a new connection (421, RFC 9110 15.5.20).
[[nodiscard]] const snapshot::TlsServer* serving_server(const snapshot::Listener& listener,
                                                        const snapshot::TlsServer& connected,
                                                        std::string_view host) noexcept;

}  // namespace sluice::route
