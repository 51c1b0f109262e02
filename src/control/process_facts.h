// What the kernel knows of this process: proc(5), getrlimit(2). Any thread.
#pragma once

#include "base/result.h"

#include <cstdint>

namespace sluice::control {

struct ProcessFacts {
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  double cpu_seconds = 0;
  double start_time_seconds = 0;  // since the Unix epoch
  uint64_t open_descriptors = 0;
  uint64_t descriptors_max = 0;
};

// What cannot be read stays 0.
[[nodiscard]] ProcessFacts read_process_facts();

// Raises RLIMIT_NOFILE to the hard limit and returns it.
uint64_t raise_descriptor_limit();

// CPUs that this process may run on: of the affinity mask, at most limits::shards_max.
[[nodiscard]] unsigned usable_cpu_count();

}  // namespace sluice::control
