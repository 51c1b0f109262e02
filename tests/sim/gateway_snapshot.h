// The configuration that the simulation runs with, and where the paths of its requests lead.
#pragma once

#include "base/address.h"
#include "sim/plan.h"
#include "snapshot/snapshot.h"

#include <memory>
#include <span>

namespace sluice::sim {

[[nodiscard]] SocketAddress listen_address(bool is_tls);
// Where upstreams answer, and one where nobody does.
[[nodiscard]] std::span<const SocketAddress> upstream_addresses();
[[nodiscard]] SocketAddress dead_address();
// Whether a request for `place` may come to this upstream.
[[nodiscard]] bool leads_to(Place place, const SocketAddress& upstream);

// `version` 2 has other weights, and one endpoint less, than 1.
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> make_gateway_snapshot(uint64_t version);

}  // namespace sluice::sim
