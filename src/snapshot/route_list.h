// The routes of a virtual host in the order in which they are tried: the first match whose path and conditions hold
// decides. Finding it does not take longer when there are more exact and prefix paths: they are in tries. Made once,
// then read only; any thread may read.
#pragma once

#include "snapshot/path_trie.h"
#include "snapshot/request_match.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace sluice::snapshot {

class RouteList {
 public:
  RouteList() = default;
  explicit RouteList(std::vector<RequestMatch> matches);

  // The first match whose path fits and for which holds(const RequestMatch&) is true; null: none. Regular expressions
  // are tried only for matches that stand before the best one of the others.
  template <typename Holds>
  [[nodiscard]] const RequestMatch* find(std::string_view path, Holds holds) const {
    uint32_t best = static_cast<uint32_t>(matches_.size());
    const auto consider = [&](std::span<const uint32_t> numbers) {
      for (const uint32_t number : numbers) {
        if (number >= best) return;
        const RequestMatch& match = matches_[number];
        if (match.path.kind == TextMatch::Kind::regex && !match.path.regex->matches(path)) continue;
        if (!holds(match)) continue;
        best = number;
        return;
      }
    };
    paths_.walk(path, consider);
    paths_ignoring_case_.walk(path, consider);
    consider(others_);
    return best == matches_.size() ? nullptr : &matches_[best];
  }

  [[nodiscard]] std::span<const RequestMatch> matches() const noexcept { return matches_; }

 private:
  std::vector<RequestMatch> matches_;
  PathTrie paths_;  // index into matches_, as below
  PathTrie paths_ignoring_case_;
  std::vector<uint32_t> others_;  // any path, or a regular expression
};

}  // namespace sluice::snapshot
