// The VirtualServices that routes of the snapshot are from, each named once.
#pragma once

#include "config/model.h"
#include "snapshot/snapshot.h"

#include <cstdint>
#include <map>

namespace sluice::config {

class VirtualServiceNames {
 public:
  explicit VirtualServiceNames(snapshot::Snapshot& snapshot) : snapshot_(snapshot) {}

  // Its index in Snapshot::virtual_services.
  [[nodiscard]] uint32_t index_of(const VirtualService& service) {
    const auto next = static_cast<uint32_t>(snapshot_.virtual_services.size());
    const auto [known, is_new] = known_.try_emplace(&service, next);
    if (is_new) snapshot_.virtual_services.push_back({service.title(), service.place()});
    return known->second;
  }

 private:
  snapshot::Snapshot& snapshot_;
  std::map<const VirtualService*, uint32_t> known_;
};

}  // namespace sluice::config
