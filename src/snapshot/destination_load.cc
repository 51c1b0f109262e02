#include "snapshot/destination_load.h"

#include "snapshot/snapshot.h"

#include <memory>
#include <string_view>
#include <unordered_map>

namespace sluice::snapshot {

void share_loads(Snapshot& next, const Snapshot& previous) {
  std::unordered_map<std::string_view, const std::shared_ptr<DestinationLoad>*> known;
  for (const Cluster& cluster : previous.clusters) {
    if (cluster.load != nullptr) known.emplace(cluster.name, &cluster.load);
  }
  if (known.empty()) return;
  for (Cluster& cluster : next.clusters) {
    if (cluster.load == nullptr) continue;
    if (const auto found = known.find(cluster.name); found != known.end()) cluster.load = *found->second;
  }
}

}  // namespace sluice::snapshot
