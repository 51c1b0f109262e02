// The life of the process: start, serve, reload, drain, end. Everything here happens on the main thread.
#pragma once

#include "base/address.h"
#include "base/durations.h"
#include "base/limits.h"

#include <optional>
#include <string>
#include <vector>

namespace sluice::control {

// Certificates that sluice has obtained, and what it needs to renew them (renewal/store.h).
inline constexpr const char* default_state_directory = "/var/lib/sluice";

struct RunOptions {
  std::vector<std::string> config_paths;
  unsigned shard_count = 0;  // 0: as the documents say, else one per CPU of the affinity mask
  SocketAddress status_address;
  SocketAddress admin_address;
  bool watches = false;  // reload when the files change
  // Those that are not given are what the documents say (snapshot/process_settings.h), or a default.
  std::optional<std::string> access_log;  // a path, "-" (standard output, the default) or "off"
  std::optional<Duration> drain_timeout;  // limits::drain_timeout by default
  std::string rsa_signing = "automatic";  // or "batched" or "single": by crypto_mb or by wolfCrypt alone
  std::string state_directory = default_state_directory;
  std::string dns_servers;  // "ADDR[:PORT],..."; empty: those of /etc/resolv.conf
};

// Returns the exit code: 0 after an orderly end, 1 when the start failed (the log says why).
//
// SIGHUP reloads everything, and so does a change of the files when they are watched; SIGTERM and SIGINT drain and end,
// a second one ends at once; SIGUSR1 opens the access log again after a rotation.
[[nodiscard]] int run(const RunOptions& options);

}  // namespace sluice::control
