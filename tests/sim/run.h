// One run of the simulation: a world, a gateway, its clients and upstreams, from the first connection until
// nothing is left.
#pragma once

#include "sim/judge.h"

#include <cstdint>

namespace sluice::sim {

// A violation prints what it was, with the seed, and ends the process.
[[nodiscard]] Tally run_seed(uint64_t seed, bool verbose);

}  // namespace sluice::sim
