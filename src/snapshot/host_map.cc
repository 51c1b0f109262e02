#include "snapshot/host_map.h"

#include <algorithm>

namespace sluice::snapshot {

bool HostMap::add(std::string_view pattern, uint32_t index) {
  if (pattern == "*") {
    if (any_) return false;
    any_ = index;
    return true;
  }
  if (pattern.starts_with("*.")) {
    suffix_size_max_ = std::max(suffix_size_max_, pattern.size() - 1);
    return suffix_.emplace(pattern.substr(1), index).second;
  }
  return exact_.emplace(pattern, index).second;
}

std::optional<uint32_t> HostMap::find(std::string_view host) const {
  if (const auto found = exact_.find(host); found != exact_.end()) return found->second;
  if (!suffix_.empty()) {
    // Longest suffix first; a leading dot cannot match, since a wildcard stands for at least one label.
    // Nothing longer than the longest pattern is hashed: a host of 60 KiB must not cost a hash of all its suffixes.
    const size_t start = std::max<size_t>(1, host.size() - std::min(host.size(), suffix_size_max_));
    for (size_t dot = host.find('.', start); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
      if (const auto found = suffix_.find(host.substr(dot)); found != suffix_.end()) return found->second;
    }
  }
  return any_;
}

std::optional<uint32_t> HostMap::find_pattern(std::string_view pattern) const {
  if (pattern == "*") return any_;
  const bool is_suffix = pattern.starts_with("*.");
  const Map& map = is_suffix ? suffix_ : exact_;
  const auto found = map.find(is_suffix ? pattern.substr(1) : pattern);
  if (found == map.end()) return std::nullopt;
  return found->second;
}

}  // namespace sluice::snapshot
