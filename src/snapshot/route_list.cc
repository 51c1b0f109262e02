#include "snapshot/route_list.h"

#include <utility>

namespace sluice::snapshot {

RouteList::RouteList(std::vector<RequestMatch> matches) : matches_(std::move(matches)) {
  std::vector<PathTrie::Entry> entries;
  std::vector<PathTrie::Entry> entries_ignoring_case;
  for (uint32_t number = 0; number < matches_.size(); ++number) {
    const TextMatch& path = matches_[number].path;
    if (path.kind == TextMatch::Kind::any || path.kind == TextMatch::Kind::regex) {
      others_.push_back(number);
    } else {
      (path.ignores_case ? entries_ignoring_case : entries)
          .push_back({path.text, path.kind == TextMatch::Kind::prefix, number});
    }
  }
  paths_ = PathTrie(std::move(entries), /*ignores_case=*/false);
  paths_ignoring_case_ = PathTrie(std::move(entries_ignoring_case), /*ignores_case=*/true);
}

}  // namespace sluice::snapshot
