// Host patterns of the Gateway and VirtualService documents, and the choice among them:
// exact name, else the longest matching suffix wildcard, else "*".
//
// "*.example.com" matches any depth ("a.example.com", "a.b.example.com") and not the apex, as Istio
// does. Patterns and looked-up hosts are lower case, without port and trailing dot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sluice::snapshot {

class HostMap {
 public:
  // First one wins: false (and nothing changed) when the pattern is there already.
  bool add(std::string_view pattern, uint32_t index);

  // The most specific pattern that matches. At most one hash per label of the longest pattern.
  [[nodiscard]] std::optional<uint32_t> find(std::string_view host) const;

  // The index of exactly this pattern.
  [[nodiscard]] std::optional<uint32_t> find_pattern(std::string_view pattern) const;

  [[nodiscard]] bool empty() const noexcept { return exact_.empty() && suffix_.empty() && !any_; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  using Map = std::unordered_map<std::string, uint32_t, Hash, std::equal_to<>>;

  Map exact_;
  Map suffix_;  // key: the pattern without "*", as ".example.com"
  size_t suffix_size_max_ = 0;
  std::optional<uint32_t> any_;
};

}  // namespace sluice::snapshot
