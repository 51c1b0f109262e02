#include "config/embedded_yaml.h"

#include "base/limits.h"
#include "config/load.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace sluice::config {

namespace {

bool keeps_lines(const Node& outer) noexcept { return outer.block_indent > 0; }

// What is parsed. Of a block, with empty lines for those before it in the file: every line has the number that it
// has there, also in messages.
std::string text_to_parse(const Node& outer) {
  return keeps_lines(outer) ? std::string(outer.line - 1, '\n').append(outer.text) : std::string(outer.text);
}

// From a place in what was parsed to the place in the file.
void move_place(const Node& outer, uint32_t& line, uint32_t& column) noexcept {
  line = keeps_lines(outer) ? line : outer.line;
  column = keeps_lines(outer) ? outer.block_indent + column : outer.column;
}

// And the texts out of what was parsed, which does not stay. As deep as limits::config_nesting_max.
void move_places(const Node& outer, Node& node) {
  node.file = outer.file;
  node.text = NodeText::copy_of(node.text);
  move_place(outer, node.line, node.column);
  for (Node::Key& key : node.keys) {
    key.text = NodeText::copy_of(key.text);
    move_place(outer, key.line, key.column);
  }
  for (Node& item : node.items) move_places(outer, item);
}

void move_diagnostic(const Node& outer, Diagnostic inner, Diagnostics& diagnostics) {
  if (!keeps_lines(outer) && inner.place.line > 0)
    inner.message += fmt::format(" (in line {} of this text)", inner.place.line);
  if (inner.place.line == 0) {
    inner.place = outer.place();
  } else {
    move_place(outer, inner.place.line, inner.place.column);
  }
  diagnostics.error(std::move(inner.place), std::move(inner.message));  // the parser knows nothing milder
}

}  // namespace

std::optional<Node> parse_embedded_yaml(const Node& outer, Diagnostics& diagnostics) {
  const SourceText source{*outer.file, text_to_parse(outer)};
  NodeBudget budget(limits::config_embedded_nodes_max);
  Diagnostics inner;
  ParsedFile file = parse_yaml(source, budget, inner);
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
