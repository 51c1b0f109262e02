// A surprise of several Gateways on one port: TLS connections belong to the server with the most exact host (SNI), so
// that routes bound to a wildcard of another Gateway are not reached there.
#pragma once

#include "config/diagnostic.h"
#include "config/listener_builder.h"
#include "config/model.h"
#include "snapshot/snapshot.h"

#include <vector>

namespace sluice::config {

// Warns of each host of a VirtualService whose requests come to a server that the VirtualService is not bound to, while
// it is bound to one that covers the host. A host that is served by both is fine, and so is a wildcard of a
// VirtualService of which another Gateway has a part.
void warn_of_shadowed_hosts(const Model& model, const std::vector<BoundServer>& servers,
                            const snapshot::Snapshot& snapshot, Diagnostics& diagnostics);

}  // namespace sluice::config
