// What every document has.
#pragma once

#include "config/schema.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::config {

struct Metadata {
  const Node* node = nullptr;
  Text name;
  Text name_space;  // empty means "default"
  Text creation_timestamp;
  TextMap labels;
  TextMap annotations;
  static const ObjectSchema schema;
};

// What every document has.
struct Document {
  const Node* node = nullptr;
  std::string_view kind;
  size_t index = 0;  // counts the documents as they were read
  Metadata metadata;
  bool is_broken = false;  // it has errors: not compiled, and what refers to it is not warned about

  [[nodiscard]] std::string_view name() const noexcept { return metadata.name.value; }
  [[nodiscard]] std::string_view name_space() const noexcept {
    return metadata.name_space.value.empty() ? std::string_view("default") : metadata.name_space.value;
  }
  [[nodiscard]] std::string key() const { return std::string(name_space()) + "/" + std::string(name()); }
  // `Gateway kyma-system/kyma-gateway`
  [[nodiscard]] std::string title() const { return std::string(kind) + " " + key(); }
  [[nodiscard]] SourcePlace place() const { return (metadata.name ? metadata.name.node : node)->place(); }
  // The order that decides conflicts: the smaller one wins.
  [[nodiscard]] std::pair<std::string_view, size_t> age() const noexcept {
    return {metadata.creation_timestamp.value, index};
  }
};

}  // namespace sluice::config
