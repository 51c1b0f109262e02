// The documents that routes of the snapshot are from, each named once: VirtualServices, and for outbound traffic also
// what registers its hosts.
#pragma once

#include "config/model.h"
#include "snapshot/snapshot.h"

#include <cstdint>
#include <map>

namespace sluice::config {

class DocumentNames {
 public:
  explicit DocumentNames(snapshot::Snapshot& snapshot) : snapshot_(snapshot) {}

  // Its index in Snapshot::virtual_services.
  [[nodiscard]] uint32_t index_of(const Document& document) {
    const auto next = static_cast<uint32_t>(snapshot_.virtual_services.size());
    const auto [known, is_new] = known_.try_emplace(&document, next);
    if (is_new) snapshot_.virtual_services.push_back({document.title(), document.place()});
    return known->second;
  }

 private:
  snapshot::Snapshot& snapshot_;
  std::map<const Document*, uint32_t> known_;
};

}  // namespace sluice::config
