// What MeshConfig says of the process itself. Options of the command line win.
#pragma once

#include "base/durations.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sluice::snapshot {

struct ProcessSettings {
  std::optional<uint32_t> concurrency;         // shards; 0: one per CPU. Only the start looks at it
  std::optional<std::string> access_log_file;  // a path; empty: off. Only the start looks at it
  std::optional<Duration> drain_timeout;       // after SIGTERM
};

}  // namespace sluice::snapshot
