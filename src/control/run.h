// The life of the process: start, serve, reload, drain, end. Everything here happens on the main thread.
#pragma once

#include "base/address.h"
#include "base/durations.h"
#include "base/limits.h"

#include <string>
#include <vector>

namespace sluice::control {

struct RunOptions {
  std::vector<std::string> config_paths;
  unsigned shard_count = 0;  // 0: one per CPU of the affinity mask
  SocketAddress status_address;
  SocketAddress admin_address;
  std::string access_log = "-";  // a path, "-" (standard output) or "off"
  Duration drain_timeout = limits::drain_timeout;
  bool watches = false;                   // reload when the files change
  std::string rsa_signing = "automatic";  // or "batched" or "single": by crypto_mb or by wolfCrypt alone
  std::string dns_servers;                // "ADDR[:PORT],..."; empty: those of /etc/resolv.conf
};

// Returns the exit code: 0 after an orderly end, 1 when the start failed (the log says why).
//
// SIGHUP reloads everything, and so does a change of the files when they are watched; SIGTERM and SIGINT drain and end,
// a second one ends at once; SIGUSR1 opens the access log again after a rotation.
[[nodiscard]] int run(const RunOptions& options);

}  // namespace sluice::control
