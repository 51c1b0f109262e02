// The endpoints that a ServiceEntry's workloadSelector may select: WorkloadEntries, and Pods that say their address.
#pragma once

#include "config/model.h"

#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

class WorkloadEntries {
 public:
  explicit WorkloadEntries(const Model& model);

  // All of the namespace, whatever their labels.
  [[nodiscard]] std::span<const WorkloadEndpoint* const> of_namespace(std::string_view name_space) const;

 private:
  WorkloadEndpoint& add(const Document& document);

  std::deque<WorkloadEndpoint> endpoints_;
  std::map<std::string, std::vector<const WorkloadEndpoint*>, std::less<>> by_namespace_;
};

}  // namespace sluice::config
