// One of several destinations, in proportion to their weights: shared by the routes of HTTP and of TCP.
#pragma once

#include "snapshot/snapshot.h"

#include <cstdint>
#include <span>

namespace sluice::route {

// `destinations` has at least one. A single destination gets everything,
// whatever its weight. `random`: any 64 bits.
[[nodiscard]] inline const snapshot::WeightedDestination& choose_destination(
    std::span<const snapshot::WeightedDestination> destinations, uint64_t total_weight, uint64_t random) noexcept {
  if (destinations.size() > 1) {
    // Uniform in [0, total_weight): Lemire's multiplication.
    auto place = static_cast<uint64_t>((static_cast<unsigned __int128>(random) * total_weight) >> 64);
    for (const snapshot::WeightedDestination& destination : destinations) {
      if (place < destination.weight) return destination;
      place -= destination.weight;
    }
  }
  return destinations.front();
}

}  // namespace sluice::route
