// Which service a metric is about: the labels that the metrics of requests and of TCP connections share.
#pragma once

#include "snapshot/snapshot.h"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace sluice::observe {

struct DestinationLabels {
  std::string service;  // the host; empty: no cluster was chosen
  std::string service_name;
  std::string service_namespace;

  // By the host, not by the cluster's address: an address is used again by another cluster of a later snapshot.
  // Ports and subsets of one host share their labels, as in Istio. `cluster` may be null.
  [[nodiscard]] static std::string_view host_of(const snapshot::Cluster* cluster) noexcept {
    return cluster == nullptr ? std::string_view{} : std::string_view(cluster->host);
  }
  // `code`: of the other labels.
  [[nodiscard]] static size_t hash_of(const snapshot::Cluster* cluster, uint64_t code) noexcept {
    const uint64_t mixed = code * 0x9e3779b97f4a7c15;
    return std::hash<std::string_view>{}(host_of(cluster)) ^ (mixed ^ mixed >> 32);
  }

  [[nodiscard]] bool are_of(const snapshot::Cluster* cluster) const noexcept { return service == host_of(cluster); }
  void set(const snapshot::Cluster* cluster) {
    if (cluster == nullptr) return;
    service = cluster->host;
    service_name = cluster->service_name;
    service_namespace = cluster->service_namespace;
  }
};

}  // namespace sluice::observe
