// Which ports the hosts have that a pattern means: registered hosts by their names, wildcards among them.
#pragma once

#include "config/outbound_budget.h"
#include "config/registered_ports.h"
#include "snapshot/host_map.h"

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

class RegisteredHosts {
 public:
  // `ports` outlives it. `is_meant(const RegisteredPort&)`: those that are looked at.
  template <typename IsMeant>
  RegisteredHosts(std::span<const RegisteredPort> ports, IsMeant is_meant) {
    for (const RegisteredPort& port : ports) {
      if (is_meant(port)) add(port.host, port.number);
    }
  }

  using Ports = std::set<uint16_t>;

  // Of the host itself, and of all that the pattern, which is at `node`, covers.
  [[nodiscard]] Ports below(std::string_view pattern, OutboundBudget& budget, const Node& node) const;
  // Of the longest wildcard that covers the pattern and is not the same.
  [[nodiscard]] Ports above(std::string_view pattern) const;

 private:
  void add(const std::string& host, uint16_t port);

  std::map<std::string, Ports, std::less<>> by_reversed_host_;  // what a suffix covers stands together
  snapshot::HostMap wildcards_;                                 // -> index into wildcard_ports_
  std::vector<Ports> wildcard_ports_;
};

}  // namespace sluice::config
