#include "config/workload_entries.h"

namespace sluice::config {

WorkloadEntries::WorkloadEntries(const Model& model) {
  for (const WorkloadEntry& entry : model.workload_entries) {
    if (entry.is_broken) continue;
    WorkloadEndpoint& endpoint = add(entry);
    endpoint = entry.spec;
    // Those of the document count too, as in Istio.
    endpoint.labels.insert(endpoint.labels.end(), entry.metadata.labels.begin(), entry.metadata.labels.end());
  }
  for (const Pod& pod : model.pods) {
    if (pod.is_broken || pod.status.pod_ip.value.empty()) continue;
    WorkloadEndpoint& endpoint = add(pod);
    endpoint.node = pod.node;
    endpoint.address = pod.status.pod_ip;
    endpoint.labels = pod.metadata.labels;
  }
}

WorkloadEndpoint& WorkloadEntries::add(const Document& document) {
  WorkloadEndpoint& endpoint = endpoints_.emplace_back();
  by_namespace_[std::string(document.name_space())].push_back(&endpoint);
  return endpoint;
}

std::span<const WorkloadEndpoint* const> WorkloadEntries::of_namespace(std::string_view name_space) const {
  const auto found = by_namespace_.find(name_space);
  return found == by_namespace_.end() ? std::span<const WorkloadEndpoint* const>() : found->second;
}

}  // namespace sluice::config
