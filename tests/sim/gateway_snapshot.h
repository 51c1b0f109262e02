// The configuration that the simulation runs with, and where the paths of its requests lead.
#pragma once

#include "base/address.h"
#include "sim/plan.h"
#include "sim_names.h"
#include "snapshot/snapshot.h"

#include <memory>
#include <span>

namespace sluice::sim {

[[nodiscard]] SocketAddress listen_address(bool is_tls);
[[nodiscard]] SocketAddress listen_address(StreamPlan::Way way);
// The SNI of connections whose TLS is terminated and whose content is not HTTP; what passes through: "*.pass.test".
inline constexpr const char* terminated_server_name = "bytes.test";
// Where upstreams answer, and one where nobody does.
[[nodiscard]] std::span<const SocketAddress> upstream_addresses();
[[nodiscard]] bool speaks_http2(const SocketAddress& upstream);
[[nodiscard]] SocketAddress dead_address();
// Where the destinations of connections without HTTP are.
[[nodiscard]] std::span<const SocketAddress> stream_addresses();
// The names that are looked up: of a cluster, and what clients request. Each has the address of an upstream, and before
// that one where nobody is.
[[nodiscard]] const NameTable& upstream_names();
[[nodiscard]] std::span<const SocketAddress> deserted_addresses();
// Whether a request for `place`, or a connection without HTTP, may come to this upstream.
[[nodiscard]] bool leads_to(Place place, const SocketAddress& upstream);
[[nodiscard]] bool leads_to(StreamPlan::Way way, const SocketAddress& upstream);

[[nodiscard]] const SocketAddress& mirror_address();
// Of what routes answer by themselves.
inline constexpr unsigned injected_status = 418;
inline constexpr unsigned direct_status = 203;
inline constexpr size_t direct_body_size = 100'000;  // more than a socket takes
inline constexpr unsigned retries = 3;

// `version` 2 has other weights, and one endpoint less, than 1. It takes the place of `previous`.
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> make_gateway_snapshot(uint64_t version,
                                                                        const snapshot::Snapshot* previous = nullptr);

}  // namespace sluice::sim
