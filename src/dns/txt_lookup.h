// What TXT records a name has (c-ares): how one sees that a record has arrived. Blocks, with a bounded time. Any
// thread.
#pragma once

#include "base/result.h"
#include "dns/nameserver.h"

#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::dns {

struct TxtAnswer {
  std::string name;                // where CNAME records lead to: "target.example.com."; the name itself without one
  std::vector<std::string> texts;  // empty: there are none, or no such name
};

// The answer of the first of the servers that has one; no servers: those of /etc/resolv.conf. Fails when none answers
// in time, or all refuse.
[[nodiscard]] Result<TxtAnswer> look_up_txt(std::string_view fqdn, std::span<const Nameserver> servers,
                                            const std::stop_token& stop);

}  // namespace sluice::dns
