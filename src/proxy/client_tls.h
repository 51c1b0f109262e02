// A session with a client in the words of formats (%DOWNSTREAM_TLS_*%, %DOWNSTREAM_PEER_*%).
#pragma once

#include "observe/client_tls.h"
#include "tls/session.h"

namespace sluice::proxy {

// After the handshake. Parses the client's certificate, which costs some 20 microseconds: once per connection, and only
// where a format needs it. Without memory for that there is no `peer`, as for a client that has shown nothing.
[[nodiscard]] observe::ClientTls describe_client_tls(const tls::Session& session);

}  // namespace sluice::proxy
