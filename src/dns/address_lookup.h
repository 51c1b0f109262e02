// Addresses of names (c-ares). Blocks for as long as it says and no longer, and not while somebody wants the thread for
// something more urgent. Any thread.
#pragma once

#include "base/address.h"
#include "base/durations.h"

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace sluice::dns {

struct AddressAnswer {
  std::vector<SocketAddress> addresses;  // port 0; sorted, each once; empty exactly when `error` is set
  Duration ttl{};                        // the shortest of its records; zero for an entry of /etc/hosts
  std::string error;                     // "Domain name not found"
};

// All A and AAAA records of every name, asked for at the same time; names are taken as fully qualified,
// /etc/hosts goes first. `servers`: "ADDR[:PORT],..."; empty: those of /etc/resolv.conf, which is read
// each time. What has no answer after `time_max` has failed. `is_wanted_elsewhere` is asked every 50 ms: when it
// says true the call returns, with the answers that are there; other names are missing from the result.
[[nodiscard]] std::map<std::string, AddressAnswer> look_up_addresses(
    std::span<const std::string> names, const std::string& servers, Duration time_max,
    const std::function<bool()>& is_wanted_elsewhere = [] { return false; });

}  // namespace sluice::dns
