// TXT records by an executable of the user's, which is called as `PATH ARG... present|cleanup FQDN VALUE` and says by
// its exit status 0 that it is done. Blocks until it has ended. Any thread.
//
// It gets no descriptor of ours, nothing to read, an environment that has only PATH, and a process group of its own,
// all of which has ended when the call returns. No shell is involved.
#pragma once

#include "base/durations.h"
#include "base/limits.h"
#include "base/result.h"
#include "dns/message.h"

#include <stop_token>
#include <string>
#include <vector>

namespace sluice::dns {

struct Hook {
  std::vector<std::string> command;           // PATH, which is absolute, and arguments
  Duration time_max = limits::dns_hook_time;  // made one from 1 s to limits::dns_hook_time_max
};

// `fqdn` has a dot at the end. Fails with the cause, the beginning of what it wrote, and the remedy.
[[nodiscard]] Status run_hook(const Hook& hook, Change change, const std::string& fqdn, const std::string& value,
                              const std::stop_token& stop);

}  // namespace sluice::dns
