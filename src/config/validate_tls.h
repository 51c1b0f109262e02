// The checks of TLS settings: of a Gateway's server, and of a DestinationRule.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"

namespace sluice::config {

// Of a server whose protocol is not HTTP.
void check_server_tls(const Server& server, Diagnostics& diagnostics);

void check_client_tls(const ClientTls& tls, Diagnostics& diagnostics);

}  // namespace sluice::config
