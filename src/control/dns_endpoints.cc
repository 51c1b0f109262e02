#include "control/dns_endpoints.h"

#include "base/limits.h"
#include "base/log.h"

#include <algorithm>
#include <utility>

namespace sluice::control {

namespace {

// Names of others are looked up by whoever connects.
bool is_ours(const snapshot::Cluster& cluster) noexcept {
  return cluster.resolution == snapshot::Resolution::configured && !cluster.dns_names.empty();
}

}  // namespace

void DnsEndpoints::follow(const snapshot::Snapshot& compiled) {
  std::map<std::string, Known> names;
  configured_.clear();
  for (const snapshot::Cluster& cluster : compiled.clusters) {
    configured_.push_back(cluster.endpoints);
    if (!is_ours(cluster)) continue;
    for (const auto& dns_name : cluster.dns_names) {
      const auto known = names_.find(dns_name.name);
      names.try_emplace(dns_name.name, known == names_.end() ? Known{} : known->second);
    }
  }
  names_ = std::move(names);
}

std::vector<std::string> DnsEndpoints::due_names(Time now) const {
  std::vector<std::string> due;
  for (const auto& [name, known] : names_) {
    if (known.due <= now) due.push_back(name);
  }
  return due;
}

bool DnsEndpoints::record(const std::map<std::string, dns::AddressAnswer>& answers, Time now) {
  bool is_changed = false;
  for (const auto& [name, answer] : answers) {
    const auto found = names_.find(name);
    if (found == names_.end()) continue;
    Known& known = found->second;
    if (answer.error.empty()) {
      known.due = now + std::clamp(answer.ttl, limits::dns_ttl_min, limits::dns_ttl_max);
      is_changed = is_changed || known.addresses != answer.addresses;
      known.addresses = answer.addresses;
      if (std::exchange(known.has_failed, false)) log::info("dns: {} has an answer again", name);
      continue;
    }
    // Without any address every request fails: asking again soon is worth more than sparing the server.
    known.due = now + (known.addresses.empty() ? limits::dns_ttl_min : limits::dns_retry);
    if (std::exchange(known.has_failed, true)) continue;  // said once
    log::warning("dns: cannot look up {}: {}; {}", name, answer.error,
                 known.addresses.empty() ? "requests to it are answered with 503 until it has an address"
                                         : "its last addresses stay in use");
  }
  return is_changed;
}

void DnsEndpoints::postpone_due_names(Time now) {
  for (auto& [name, known] : names_) {
    if (known.due <= now) known.due = now + limits::dns_ttl_min;
  }
}

void DnsEndpoints::fill(snapshot::Snapshot& snapshot) const {
  for (size_t i = 0; i < snapshot.clusters.size(); ++i) {
    snapshot::Cluster& cluster = snapshot.clusters[i];
    if (!is_ours(cluster)) continue;
    cluster.endpoints = configured_[i];
    for (const auto& dns_name : cluster.dns_names) {
      for (SocketAddress address : names_.at(dns_name.name).addresses) {
        address.port = dns_name.port;
        cluster.endpoints.push_back({.address = address, .weight = dns_name.weight});
      }
    }
  }
}

}  // namespace sluice::control
