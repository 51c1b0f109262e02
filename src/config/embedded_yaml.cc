#include "config/embedded_yaml.h"

#include "base/limits.h"
#include "config/load.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace sluice::config {

namespace {

bool keeps_lines(const Node& outer) noexcept { return outer.block_indent > 0; }

// From a place in the text of `outer` to the place in the file.
void move_place(const Node& outer, uint32_t& line, uint32_t& column) noexcept {
  line = keeps_lines(outer) ? outer.line + line - 1 : outer.line;
  column = keeps_lines(outer) ? outer.block_indent + column : outer.column;
}

// As deep as limits::config_nesting_max.
void move_places(const Node& outer, Node& node) noexcept {
  node.file = outer.file;
  move_place(outer, node.line, node.column);
  for (Node::Key& key : node.keys) move_place(outer, key.line, key.column);
  for (Node& item : node.items) move_places(outer, item);
}

void move_diagnostic(const Node& outer, Diagnostic inner, Diagnostics& diagnostics) {
  if (!keeps_lines(outer) && inner.place.line > 0)
    inner.message += fmt::format(" (in line {} of this text)", inner.place.line);
  if (inner.place.line == 0) inner.place = {inner.place.file, 1, 1};
  move_place(outer, inner.place.line, inner.place.column);
  diagnostics.error(std::move(inner.place), std::move(inner.message));  // the parser knows nothing milder
}

}  // namespace

std::optional<Node> parse_embedded_yaml(const Node& outer, Diagnostics& diagnostics) {
  const SourceText source{*outer.file, outer.text};
  size_t nodes_left = limits::config_embedded_nodes_max;
  Diagnostics inner;
  ParsedFile file = parse_yaml(source, nodes_left, inner);
  for (Diagnostic& diagnostic : inner.sorted()) move_diagnostic(outer, std::move(diagnostic), diagnostics);
  for (Node& document : file.documents) move_places(outer, document);
  if (!file.is_complete || file.documents.empty()) return std::nullopt;
  if (file.documents.size() > 1) {
    diagnostics.error(file.documents[1].place(), "this text may hold one document only");
    return std::nullopt;
  }
  return std::move(file.documents.front());
}

}  // namespace sluice::config
