// The endpoints of clusters that are named by DNS: which names are due, what they resolved to last, and
// how that becomes endpoints. Pure bookkeeping: the lookups are dns/address_lookup.h's. Control thread.
#pragma once

#include "base/durations.h"
#include "dns/address_lookup.h"
#include "snapshot/snapshot.h"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace sluice::control {

class DnsEndpoints {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // The clusters of a newly compiled snapshot. Answers of names that it still has are kept.
  void follow(const snapshot::Snapshot& compiled);

  // Names that have no answer, or one that has run out.
  [[nodiscard]] std::vector<std::string> due_names(Time now) const;

  // True when an address of any name has changed. A failed lookup keeps the old addresses.
  bool record(const std::map<std::string, dns::AddressAnswer>& answers, Time now);

  // A round of lookups was given up: what it was to answer is asked for again a little later, and meanwhile keeps
  // its addresses.
  void postpone_due_names(Time now);

  // Puts the addresses beside the endpoints that the configuration itself names. `snapshot` is a copy of
  // the one given to follow(), whatever its endpoints are now.
  void fill(snapshot::Snapshot& snapshot) const;

 private:
  struct Known {
    std::vector<SocketAddress> addresses;
    Time due{};               // when to ask again
    bool has_failed = false;  // the last time
  };

  std::map<std::string, Known> names_;
  std::vector<std::vector<snapshot::Endpoint>> configured_;  // by cluster
};

}  // namespace sluice::control
