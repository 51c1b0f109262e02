#include "observe/tcp_metrics.h"

namespace sluice::observe {

TcpMetrics::Series& TcpMetrics::series_of(const snapshot::Cluster* cluster, ResponseFlags flags) noexcept {
  return table_.series_of(
      DestinationLabels::hash_of(cluster, flags.bits),
      [&](const Series& each) { return each.flags.bits == flags.bits && each.destination.are_of(cluster); },
      [&](Series& added) {
        added.destination.set(cluster);
        added.flags = flags;
      });
}

}  // namespace sluice::observe
