#include "snapshot/path_trie.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace sluice::snapshot {

namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

size_t common_size(std::string_view a, std::string_view b) noexcept {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

PathTrie::PathTrie(std::vector<Entry> entries, bool ignores_case) : ignores_case_(ignores_case) {
  if (entries.empty()) return;
  std::vector<std::string> lowered;  // what the entries' texts are views of
  if (ignores_case) {
    lowered.reserve(entries.size());
    for (Entry& entry : entries) {
      std::ranges::transform(entry.text, std::back_inserter(lowered.emplace_back()), lower);
      entry.text = lowered.back();
    }
  }
  std::ranges::sort(entries, {},
                    [](const Entry& entry) { return std::tuple(entry.text, !entry.is_prefix, entry.number); });

  // Level by level, so that children stand together.
  struct Work {
    size_t node;
    std::span<const Entry> entries;  // those below the node, and of it
    size_t depth;                    // bytes of their texts that lead to the node's parent
  };
  std::vector<Work> queue = {{0, entries, 0}};
  nodes_.emplace_back();
  for (size_t i = 0; i < queue.size(); ++i) {
    const auto [index, all, depth] = queue[i];
    const size_t end = common_size(all.front().text, all.back().text);  // of all: they are sorted
    fill(index, all, depth);
    std::span<const Entry> rest = all.subspan(nodes_[index].exact_end - nodes_[index].begin);
    nodes_[index].first_child = static_cast<uint32_t>(nodes_.size());
    while (!rest.empty()) {
      const char first = rest.front().text[end];
      const auto other = std::ranges::find_if(rest, [&](const Entry& entry) { return entry.text[end] != first; });
      const size_t count = static_cast<size_t>(other - rest.begin());
      queue.push_back({nodes_.size(), rest.first(count), end});
      nodes_.emplace_back();
      ++nodes_[index].child_count;
      rest = rest.subspan(count);
    }
  }
  nodes_.shrink_to_fit();
  edges_.shrink_to_fit();
  numbers_.shrink_to_fit();
}

// The node's edge, and the numbers of the entries that end with it: they come first.
void PathTrie::fill(size_t index, std::span<const Entry> entries, size_t depth) {
  Node& node = nodes_[index];
  const std::string_view text = entries.front().text;
  const size_t end = common_size(text, entries.back().text);
  node.edge_begin = static_cast<uint32_t>(edges_.size());
  node.edge_size = static_cast<uint32_t>(end - depth);
  edges_ += text.substr(depth, end - depth);
  node.begin = node.prefix_end = static_cast<uint32_t>(numbers_.size());
  for (const Entry& entry : entries) {
    if (entry.text.size() != end) break;
    numbers_.push_back(entry.number);
    node.prefix_end += entry.is_prefix ? 1 : 0;
  }
  node.exact_end = static_cast<uint32_t>(numbers_.size());
}

bool PathTrie::fits(std::string_view rest, std::string_view edge) const noexcept {
  if (!ignores_case_) return rest.starts_with(edge);
  return rest.size() >= edge.size() && std::ranges::equal(rest.substr(0, edge.size()), edge, {}, lower);
}

const PathTrie::Node* PathTrie::child(const Node& node, char first) const noexcept {
  const std::span children = std::span(nodes_).subspan(node.first_child, node.child_count);
  const char wanted = ignores_case_ ? lower(first) : first;
  const auto first_of = [this](const Node& some) { return static_cast<unsigned char>(edges_[some.edge_begin]); };
  const auto found = std::ranges::lower_bound(children, static_cast<unsigned char>(wanted), {}, first_of);
  return found != children.end() && edges_[found->edge_begin] == wanted ? &*found : nullptr;
}

}  // namespace sluice::snapshot
