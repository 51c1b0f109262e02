// YAML (and so JSON) as a tree of nodes, each with its place. The one file that knows the parser.
//
// Bounded: bytes, nesting and nodes. Aliases are expanded into copies, whose number and bytes are bounded. Merge keys
// (<<) are applied. Duplicate keys, unknown tags, keys that are not scalars, invalid UTF-8 and control characters are
// errors.
#pragma once

#include "base/compact_vector.h"
#include "base/source_place.h"
#include "config/diagnostic.h"
#include "config/load.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::config {

// The text of a node or of a key. Most are a part of the source as it is; those that are written otherwise than they
// are meant (with escapes, over several lines) and those that are made have memory of their own.
class NodeText {
 public:
  NodeText() = default;
  // `source` must outlive it, and its copies.
  [[nodiscard]] static NodeText part_of(std::string_view source) noexcept { return {source, false}; }
  [[nodiscard]] static NodeText copy_of(std::string_view text);
  NodeText(const NodeText& other) : NodeText(other.is_own_ ? copy_of(other) : part_of(other)) {}
  NodeText(NodeText&& other) noexcept { swap(other); }
  NodeText& operator=(NodeText other) noexcept {
    swap(other);
    return *this;
  }
  ~NodeText();  // wipes memory of its own: it may be a private key

  // NOLINTNEXTLINE(google-explicit-constructor): it is a text
  operator std::string_view() const noexcept { return view(); }
  [[nodiscard]] std::string_view view() const noexcept { return {data_, size_}; }
  [[nodiscard]] size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  friend bool operator==(const NodeText& a, const NodeText& b) noexcept { return a.view() == b.view(); }
  friend bool operator==(const NodeText& a, std::string_view b) noexcept { return a.view() == b; }

 private:
  NodeText(std::string_view text, bool is_own) noexcept
      : data_(text.data()), size_(static_cast<uint32_t>(text.size())), is_own_(is_own) {}
  void swap(NodeText& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(is_own_, other.is_own_);
  }

  const char* data_ = nullptr;
  uint32_t size_ = 0;
  bool is_own_ = false;
};

// Small: a large configuration has a million of them.
struct Node {
  enum class Kind : uint8_t { scalar, list, mapping };

  struct Key {
    NodeText text;
    uint32_t line = 0;
    uint32_t column = 0;
  };

  Kind kind = Kind::scalar;
  bool is_plain = false;  // a scalar without quotes: may mean a number, a boolean or null
  // Of a literal block (|): the columns before its text, whose first line is `line`. 0: any other style.
  uint16_t block_indent = 0;
  uint32_t line = 0;    // from 1
  uint32_t column = 0;  // from 1
  const std::string* file = nullptr;
  NodeText text;              // scalar
  CompactVector<Node> items;  // list: the items; mapping: the values
  CompactVector<Key> keys;    // mapping: the key of each value, unique

  [[nodiscard]] bool is_null() const noexcept;
  [[nodiscard]] SourcePlace place() const { return {*file, line, column}; }
  [[nodiscard]] SourcePlace place_of_key(size_t index) const { return {*file, keys[index].line, keys[index].column}; }
  // The value of a key of a mapping, or nullptr.
  [[nodiscard]] const Node* find(std::string_view key) const noexcept;
  // Whether a mapping has a value other than null for the key.
  [[nodiscard]] bool has(std::string_view key) const noexcept;
  // Whether it has a list for the key, with nothing in it.
  [[nodiscard]] bool has_empty_list(std::string_view key) const noexcept;
  // Of this node and all below it.
  [[nodiscard]] size_t count() const noexcept;
};

struct ParsedFile {
  std::vector<Node> documents;  // without empty ones
  bool is_complete = true;      // false: an error (in the diagnostics) ended the file early
};

// How many nodes the files that are parsed at the same time may have together. Any thread.
class NodeBudget {
 public:
  explicit NodeBudget(size_t nodes) noexcept : left_(nodes) {}

  // False: there are not so many left, and none was taken.
  [[nodiscard]] bool take(size_t count) noexcept {
    size_t left = left_.load(std::memory_order_relaxed);
    do {
      if (count > left) return false;
    } while (!left_.compare_exchange_weak(left, left - count, std::memory_order_relaxed));
    return true;
  }
  [[nodiscard]] size_t left() const noexcept { return left_.load(std::memory_order_relaxed); }

 private:
  std::atomic<size_t> left_;
};

// `source` must outlive the nodes, which point into it. Any thread.
[[nodiscard]] ParsedFile parse_yaml(const SourceText& source, NodeBudget& budget, Diagnostics& diagnostics);

}  // namespace sluice::config
