#include "config/registered_hosts.h"

#include "config/host_name.h"

#include <optional>

namespace sluice::config {

namespace {

std::string reversed(std::string_view host) { return {host.rbegin(), host.rend()}; }

}  // namespace

void RegisteredHosts::add(const std::string& host, uint16_t port) {
  by_reversed_host_[reversed(host)].insert(port);
  if (!is_wildcard(host)) return;
  if (wildcards_.add(host, static_cast<uint32_t>(wildcard_ports_.size()))) wildcard_ports_.emplace_back();
  wildcard_ports_[*wildcards_.find_pattern(host)].insert(port);
}

RegisteredHosts::Ports RegisteredHosts::below(std::string_view pattern, OutboundBudget& budget,
                                              const Node& node) const {
  Ports found;
  if (!is_wildcard(pattern)) {
    const auto exact = by_reversed_host_.find(reversed(pattern));
    return exact == by_reversed_host_.end() ? found : exact->second;
  }
  const std::string suffix = reversed(pattern.substr(1));  // "*.example.com": what ends in ".example.com"
  for (auto host = by_reversed_host_.lower_bound(suffix);
       host != by_reversed_host_.end() && host->first.starts_with(suffix); ++host) {
    if (!budget.take(host->second.size(), node)) break;
    found.insert(host->second.begin(), host->second.end());
  }
  return found;
}

RegisteredHosts::Ports RegisteredHosts::above(std::string_view pattern) const {
  // Below the first label: a wildcard is covered by itself.
  const std::string_view wider = is_wildcard(pattern) ? pattern.substr(2) : pattern;
  const std::optional<uint32_t> index = wildcards_.find(wider);
  return index ? wildcard_ports_[*index] : Ports();
}

}  // namespace sluice::config
