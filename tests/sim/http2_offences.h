// What ends a connection of HTTP/2, whenever a client sends it (RFC 9113 5.4.1).
#pragma once

#include <cstddef>
#include <string>

namespace sluice::sim {

[[nodiscard]] size_t http2_offence_count();
// Whole frames. None of the client's streams has an id beyond 1000.
[[nodiscard]] std::string http2_offence(size_t index);

}  // namespace sluice::sim
