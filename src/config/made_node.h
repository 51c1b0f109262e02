// Nodes that stand in no file, made of what is written in another form (Kyma's APIRules, mounted Secrets). Each has the
// place of a node that is: diagnostics point there.
#pragma once

#include "config/yaml_document.h"

#include <string_view>
#include <utility>

namespace sluice::config {

[[nodiscard]] inline Node node_at(const Node& place, Node::Kind kind) {
  Node node;
  node.kind = kind;
  node.file = place.file;
  node.line = place.line;
  node.column = place.column;
  return node;
}

// In quotes, so to speak: it is a text, whatever it looks like.
[[nodiscard]] inline Node text_at(const Node& place, std::string_view text) {
  Node node = node_at(place, Node::Kind::scalar);
  node.text = NodeText::copy_of(text);
  return node;
}

// The key has the place of the value.
inline void add(Node& mapping, std::string_view key, Node value) {
  mapping.keys.push_back({NodeText::copy_of(key), value.line, value.column});
  mapping.items.push_back(std::move(value));
}

[[nodiscard]] inline Node mapping_of(std::string_view key, Node value) {
  Node mapping = node_at(value, Node::Kind::mapping);
  add(mapping, key, std::move(value));
  return mapping;
}

[[nodiscard]] inline Node list_of(Node item) {
  Node list = node_at(item, Node::Kind::list);
  list.items.push_back(std::move(item));
  return list;
}

}  // namespace sluice::config
