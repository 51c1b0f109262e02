#include "route/rewrite.h"

#include "base/limits.h"
#include "http/hygiene.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::route {

namespace {

// What of the path is replaced by a prefix: what a prefix has matched, else all of it.
size_t matched_size(const snapshot::TextMatch& path_match, std::string_view path) noexcept {
  switch (path_match.kind) {
    case snapshot::TextMatch::Kind::any: return 1;  // "/"
    case snapshot::TextMatch::Kind::prefix: return path_match.text.size();
    case snapshot::TextMatch::Kind::exact:
    case snapshot::TextMatch::Kind::regex: break;
  }
  return path.size();
}

// `first`, then `second`, with "/" before them when they do not begin with it. .data() is nullptr when there is no
// room.
std::string_view make_path(std::string_view first, std::string_view second, Arena& arena) noexcept {
  const std::string_view root = first.empty() && !second.starts_with('/') ? "/" : "";
  const size_t size = root.size() + first.size() + second.size();
  if (size > limits::target_bytes_max) return {};
  auto* text = static_cast<char*>(arena.allocate(size, 1));
  if (text == nullptr) return {};
  std::ranges::copy(second, std::ranges::copy(first, std::ranges::copy(root, text).out).out);
  return {text, size};
}

}  // namespace

Rewritten rewrite_path(const snapshot::Rewrite& rewrite, const snapshot::RequestMatch& match, http::RequestHead& head) {
  if (head.path.empty()) return Rewritten::ok;  // "*" of OPTIONS
  const std::string_view original = http::upstream_target(head);
  if (original.empty() || !head.headers.set("x-envoy-original-path", original)) return Rewritten::too_large;
  Arena& arena = head.headers.arena();
  std::string_view path;
  if (rewrite.regex != nullptr) {
    const std::optional<std::string> replaced =
        rewrite.regex->replace_all(head.path, rewrite.substitution, limits::target_bytes_max);
    if (!replaced) return Rewritten::failed;
    path = make_path({}, *replaced, arena);
  } else {
    const size_t matched = std::min(matched_size(match.path, head.path), head.path.size());
    path = make_path(rewrite.prefix, head.path.substr(matched), arena);
  }
  if (path.data() == nullptr) return Rewritten::too_large;
  head.path = path;
  return Rewritten::ok;
}

}  // namespace sluice::route
