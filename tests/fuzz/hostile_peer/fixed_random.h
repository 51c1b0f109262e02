// Random numbers that are the same in every run, of both TLS libraries: a recorded flight is answered as it was when
// it was recorded, and what a fuzzer has found it finds again.
#pragma once

#include <cstdint>

namespace sluice::fuzz {

// From here on the numbers that `seed` makes. Whatever was drawn in advance is gone.
void restart_random(uint64_t seed);

}  // namespace sluice::fuzz
