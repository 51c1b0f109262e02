// Texts and the numbers that are stored with them, to find all texts that a path begins with: one walk along the path,
// whatever the number of texts. A radix tree in flat vectors, made once and then read only; any thread may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::snapshot {

class PathTrie {
 public:
  struct Entry {
    std::string_view text;
    bool is_prefix = false;  // found by paths that begin with the text; else by the path that is the text
    uint32_t number = 0;
  };

  PathTrie() = default;
  // Numbers of equal texts are found in their order. With `ignores_case`, ASCII letters match both cases.
  PathTrie(std::vector<Entry> entries, bool ignores_case);

  // Calls found(std::span<const uint32_t>) with the numbers of each text that fits `path`, shorter texts first.
  template <typename Found>
  void walk(std::string_view path, Found found) const {
    if (nodes_.empty()) return;
    const Node* node = nodes_.data();
    size_t depth = 0;
    while (fits(path.substr(depth), edge(*node))) {
      depth += node->edge_size;
      if (node->prefix_end > node->begin) found(numbers(node->begin, node->prefix_end));
      if (depth == path.size()) {
        if (node->exact_end > node->prefix_end) found(numbers(node->prefix_end, node->exact_end));
        return;
      }
      node = child(*node, path[depth]);
      if (node == nullptr) return;
    }
  }

 private:
  struct Node {
    uint32_t edge_begin = 0;  // in edges_: what leads here from the parent
    uint32_t edge_size = 0;
    uint32_t first_child = 0;  // in nodes_; children stand together, sorted by the first byte of their edges
    uint32_t child_count = 0;
    uint32_t begin = 0;       // in numbers_: of the prefixes that end here,
    uint32_t prefix_end = 0;  // then of the exact texts
    uint32_t exact_end = 0;
  };

  [[nodiscard]] std::string_view edge(const Node& node) const noexcept {
    return std::string_view(edges_).substr(node.edge_begin, node.edge_size);
  }
  [[nodiscard]] std::span<const uint32_t> numbers(uint32_t begin, uint32_t end) const noexcept {
    return std::span(numbers_).subspan(begin, end - begin);
  }
  [[nodiscard]] bool fits(std::string_view rest, std::string_view edge) const noexcept;
  [[nodiscard]] const Node* child(const Node& node, char first) const noexcept;
  void fill(size_t node, std::span<const Entry> entries, size_t depth);

  bool ignores_case_ = false;
  std::vector<Node> nodes_;  // the first one is the root; its edge may be empty
  std::string edges_;
  std::vector<uint32_t> numbers_;
};

}  // namespace sluice::snapshot
