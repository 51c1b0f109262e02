// The listeners of outbound traffic: the explicit HTTP proxy, and where the firewall sends connections.
#pragma once

#include "config/credentials.h"
#include "config/diagnostic.h"
#include "config/outbound_settings.h"
#include "snapshot/snapshot.h"

namespace sluice::config {

// Requires the snapshot's Outbound, and the listeners of Gateways: one that has the port is an error.
void add_outbound_listeners(const OutboundSettings& settings, Credentials& credentials, snapshot::Snapshot& snapshot,
                            Diagnostics& diagnostics);

}  // namespace sluice::config
