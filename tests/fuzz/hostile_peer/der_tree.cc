#include "der_tree.h"

#include "base/bytes.h"
#include "tls/der.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace sluice::fuzz {
namespace {

constexpr uint8_t kConstructed = 0x20;
constexpr size_t kDepthMax = 24;
constexpr size_t kEditsMax = 8;
constexpr size_t kTextBytesMax = 40;
constexpr size_t kCopiesMax = 64;

struct Node {
  uint8_t tag = 0;
  std::string prefix;  // of a BIT STRING with elements inside: its count of unused bits
  std::string text;    // without children
  std::vector<Node> children;
};

std::vector<Node> read(std::string_view der, size_t depth);

// Elements may also be wrapped in strings: public keys, the values of extensions.
Node read_node(const tls::der::Element& element, size_t depth) {
  Node node{.tag = element.tag};
  std::string_view content = as_text(element.content);
  const bool is_bit_string = element.tag == tls::der::kBitString && content.starts_with('\0');
  if (depth < kDepthMax &&
      ((element.tag & kConstructed) != 0 || element.tag == tls::der::kOctetString || is_bit_string))
    node.children = read(content.substr(is_bit_string ? 1 : 0), depth + 1);
  if (node.children.empty()) {
    node.text = content;
  } else if (is_bit_string) {
    node.prefix = std::string(1, '\0');
  }
  return node;
}

// Empty: it is not DER from the first byte to the last.
std::vector<Node> read(std::string_view der, size_t depth) {
  std::vector<Node> nodes;
  ConstBytes bytes = as_bytes(der);
  while (const auto element = tls::der::take(bytes)) nodes.push_back(read_node(*element, depth));
  if (!bytes.empty()) nodes.clear();
  return nodes;
}

void write(std::string& der, const Node& node) {
  std::string content = node.prefix + node.text;
  for (const Node& child : node.children) write(content, child);
  der += static_cast<char>(node.tag);
  if (content.size() < 0x80) {
    der += static_cast<char>(content.size());
  } else {
    der += '\x83';
    for (const int shift : {16, 8, 0}) der += static_cast<char>(content.size() >> shift);
  }
  der += content;
}

size_t count(const std::vector<Node>& nodes) {
  size_t sum = nodes.size();
  for (const Node& node : nodes) sum += count(node.children);
  return sum;
}

struct Place {
  std::vector<Node>* list;
  size_t index;
};

// The one with that number, from the outside to the inside; `number` is less than count().
Place find(std::vector<Node>& nodes, size_t& number) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (number == 0) return {&nodes, i};
    --number;
    if (const Place place = find(nodes[i].children, number); place.list != nullptr) return place;
  }
  return {nullptr, 0};
}

void edit(std::vector<Node>& nodes, Program& program) {
  if (nodes.empty()) return;
  size_t number = program.number(count(nodes));
  const Place place = find(nodes, number);
  const auto at = place.list->begin() + static_cast<std::ptrdiff_t>(place.index);
  Node& node = *at;
  switch (program.number(7)) {
    case 0: node = {.tag = node.tag, .text = program.text(program.number(kTextBytesMax))}; break;
    case 1: node.tag = program.byte(); break;
    case 2: place.list->erase(at); break;
    case 3: place.list->insert(at, program.number(kCopiesMax), Node(node)); break;
    case 4: std::rotate(at, at + 1, place.list->end()); break;
    case 5:
      place.list->insert(at, Node{.tag = program.byte(), .text = program.text(program.number(kTextBytesMax))});
      break;
    default:
      if (!node.text.empty()) node.text[program.number(node.text.size())] = static_cast<char>(program.byte());
  }
}

}  // namespace

std::string edit_der(std::string_view der, Program& program) {
  const size_t edits = program.number(kEditsMax);
  if (edits == 0) return std::string(der);
  std::vector<Node> nodes = read(der, 0);
  for (size_t i = 0; i < edits; ++i) edit(nodes, program);
  std::string edited;
  for (const Node& node : nodes) write(edited, node);
  return edited;
}

}  // namespace sluice::fuzz
