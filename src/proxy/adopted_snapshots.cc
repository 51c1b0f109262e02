#include "proxy/adopted_snapshots.h"

#include "base/check.h"

namespace sluice::proxy {

AdoptedSnapshot::AdoptedSnapshot(const snapshot::Snapshot& snapshot, const AdoptedSnapshot* previous)
    : tables(snapshot), use(snapshot.uses), clusters(snapshot, previous == nullptr ? nullptr : &previous->clusters) {
  for (uint32_t i = 0; i < snapshot.listeners.size(); ++i) listeners.emplace(snapshot.listeners[i].address, i);
}

void AdoptedSnapshots::adopt(const snapshot::Snapshot& snapshot) {
  alive_.push_back(std::make_unique<AdoptedSnapshot>(snapshot, current()));
  std::erase_if(alive_, [this](const auto& adopted) { return adopted != alive_.back() && adopted->pins == 0; });
}

AdoptedSnapshot& AdoptedSnapshots::pin_current() noexcept {
  AdoptedSnapshot& snapshot = *current();
  ++snapshot.pins;
  return snapshot;
}

void AdoptedSnapshots::tidy(Instant now) {
  for (const auto& adopted : alive_) adopted->clusters.tidy(now);
}

void AdoptedSnapshots::unpin(AdoptedSnapshot& snapshot) noexcept {
  CHECK(snapshot.pins > 0);
  if (--snapshot.pins == 0 && &snapshot != current()) {
    std::erase_if(alive_, [&snapshot](const auto& adopted) { return adopted.get() == &snapshot; });
  }
}

}  // namespace sluice::proxy
