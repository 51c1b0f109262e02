#include "config/yaml_document.h"

#include "base/limits.h"
#include "config/utf8.h"
#include "config/wording.h"

#include <fmt/format.h>
#include <libfyaml.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace sluice::config {

namespace {

template <auto function>
struct Calls {
  template <typename T>
  void operator()(T* object) const noexcept {
    function(object);
  }
};

using Diag = std::unique_ptr<fy_diag, Calls<fy_diag_destroy>>;
using Parser = std::unique_ptr<fy_parser, Calls<fy_parser_destroy>>;

struct FreeEvent {
  fy_parser* parser;
  void operator()(fy_event* event) const noexcept { fy_parser_event_free(parser, event); }
};
using Event = std::unique_ptr<fy_event, FreeEvent>;

std::string_view text_of(fy_token* token) {
  size_t size = 0;
  const char* text = token == nullptr ? nullptr : fy_token_get_text(token, &size);
  return text == nullptr ? std::string_view() : std::string_view(text, size);
}

// Errors are collected, not printed to stderr.
Diag make_diag() {
  fy_diag_cfg settings;
  fy_diag_cfg_default(&settings);
  settings.fp = nullptr;
  settings.output_fn = [](fy_diag*, void*, const char*, size_t) {};
  Diag diag(fy_diag_create(&settings));
  if (diag) fy_diag_set_collect_errors(diag.get(), true);
  return diag;
}

SourcePlace place_of_offset(const SourceText& source, size_t offset) {
  const std::string_view before = std::string_view(source.text).substr(0, offset);
  const size_t line = 1 + static_cast<size_t>(std::ranges::count(before, '\n'));
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {source.name, static_cast<unsigned>(line), static_cast<unsigned>(offset - line_start + 1)};
}

size_t spaces_before(std::string_view line) noexcept { return std::min(line.find_first_not_of(' '), line.size()); }

// The columns that a block's lines have in the file and not in the text: what its first line with something
// in it lost. `written` begins with the block's first line.
size_t block_indent(std::string_view written, std::string_view text) noexcept {
  while (text.starts_with('\n') && written.contains('\n')) {
    text.remove_prefix(1);
    written.remove_prefix(written.find('\n') + 1);
  }
  const size_t before_written = spaces_before(written);
  const size_t before_text = spaces_before(text);
  return before_written > before_text ? before_written - before_text : 0;
}

struct Extent {
  size_t count = 1;  // nodes
  size_t bytes = 0;  // of texts and keys
  size_t depth = 0;  // levels below the top one
};

Extent extent_of(const Node& node) {
  Extent result{.bytes = node.text.size()};
  for (const Node::Key& key : node.keys) result.bytes += key.text.size();
  for (const Node& item : node.items) {
    const Extent extent = extent_of(item);
    result.count += extent.count;
    result.bytes += extent.bytes;
    result.depth = std::max(result.depth, extent.depth + 1);
  }
  return result;
}

// The last ones of `all`, beginning with `first`, with no more memory than they need.
template <typename T>
CompactVector<T> taken_from(std::vector<T>& all, size_t first) {
  CompactVector<T> result;
  result.reserve(all.size() - first);
  for (size_t i = first; i < all.size(); ++i) result.push_back(std::move(all[i]));
  all.resize(first);
  return result;
}

// Reads the parser's events into nodes. After the first error everything returns false.
class TreeBuilder {
 public:
  TreeBuilder(const SourceText& source, NodeBudget& budget, Diagnostics& diagnostics)
      : source_(source), budget_(budget), diagnostics_(diagnostics) {}

  bool build(std::vector<Node>& documents);

 private:
  bool next();  // the next event into event_
  bool read_document(Node& root);
  bool read_node(Node& node, unsigned depth);
  bool read_scalar(Node& node);
  bool read_list(Node& node, unsigned depth);
  bool read_mapping(Node& node, unsigned depth);
  bool read_alias(Node& node, unsigned depth);
  bool read_key(Node::Key& key);
  bool finish_mapping(Node& node);
  bool merge(Node& node, std::unordered_set<std::string_view>& names, const Node& from);
  bool check_depth(size_t depth);
  bool take_nodes(size_t count, const Node* place);  // null: the last token
  bool take_copies(const Extent& extent, const Node& node);
  bool set_place(Node& node, fy_token* token, fy_token* tag);
  bool read_text(fy_token* token, NodeText& text);
  bool fail(SourcePlace place, std::string message);
  bool fail_with_parser_error();

  [[nodiscard]] SourcePlace place_here() const { return {source_.name, line_, column_}; }

  const SourceText& source_;
  NodeBudget& budget_;
  size_t copies_left_ = limits::config_alias_nodes_max;
  size_t copied_bytes_left_ = limits::config_file_bytes_max;  // as many as a file may have without aliases
  Diagnostics& diagnostics_;
  Diag diag_;
  Parser parser_;
  std::string_view input_;  // the text of the source without byte order mark
  Event event_{nullptr, FreeEvent{nullptr}};
  uint32_t line_ = 1;  // of the last token
  uint32_t column_ = 1;
  std::map<std::string, Node, std::less<>> anchors_;  // of the current document
  // Of the lists and mappings that are being read, the inner ones last: how many each has is known at its end.
  std::vector<Node> items_;
  std::vector<Node::Key> keys_;
  std::vector<size_t> order_;  // of finish_mapping()
};

bool TreeBuilder::fail(SourcePlace place, std::string message) {
  diagnostics_.error(std::move(place), std::move(message));
  return false;
}

bool TreeBuilder::fail_with_parser_error() {
  void* iterator = nullptr;
  const fy_diag_error* error = fy_diag_errors_iterate(diag_.get(), &iterator);
  if (error == nullptr || error->msg == nullptr) return fail(place_here(), "invalid YAML");
  const auto unsigned_or_one = [](int value) { return value > 0 ? static_cast<unsigned>(value) : 1; };
  const std::string message = in_quotes(error->msg);
  return fail({source_.name, unsigned_or_one(error->line), unsigned_or_one(error->column)},
              fmt::format("invalid YAML: {}", message.substr(1, message.size() - 2)));
}

bool TreeBuilder::build(std::vector<Node>& documents) {
  input_ = source_.text;
  if (input_.starts_with("\xef\xbb\xbf")) input_.remove_prefix(3);
  if (const std::optional<BadByte> bad = find_bad_byte(input_)) {
    const size_t offset = bad->offset + static_cast<size_t>(input_.data() - source_.text.data());
    return fail(place_of_offset(source_, offset), fmt::format("invalid YAML: {}", bad->reason));
  }
  diag_ = make_diag();
  fy_parse_cfg settings{};
  settings.flags = static_cast<fy_parse_cfg_flags>(FYPCF_QUIET | FYPCF_JSON_NONE);
  settings.diag = diag_.get();
  parser_.reset(diag_ ? fy_parser_create(&settings) : nullptr);
  if (!parser_ || fy_parser_set_string(parser_.get(), input_.data(), input_.size()) != 0) {
    return fail({source_.name}, "cannot create a YAML parser: out of memory");
  }
  for (;;) {
    if (!next()) return false;
    if (!event_ || event_->type == FYET_STREAM_END) return true;
    if (event_->type != FYET_DOCUMENT_START) continue;
    Node root;
    if (!read_document(root)) return false;
    if (!root.is_null()) documents.push_back(std::move(root));
  }
}

bool TreeBuilder::next() {
  event_ = Event(nullptr, FreeEvent{parser_.get()});
  event_.reset(fy_parser_parse(parser_.get()));
  return event_ || !fy_parser_get_stream_error(parser_.get()) ? true : fail_with_parser_error();
}

bool TreeBuilder::read_document(Node& root) {
  anchors_.clear();
  return next() && read_node(root, 0);
}

// The node that the current event starts.
bool TreeBuilder::read_node(Node& node, unsigned depth) {
  if (!event_) return fail(place_here(), "invalid YAML: the document ends too early");
  node.file = &source_.name;
  if (!check_depth(depth) || !take_nodes(1, nullptr)) return false;
  fy_token* anchor = nullptr;
  if (event_->type == FYET_SCALAR) anchor = event_->scalar.anchor;
  if (event_->type == FYET_SEQUENCE_START) anchor = event_->sequence_start.anchor;
  if (event_->type == FYET_MAPPING_START) anchor = event_->mapping_start.anchor;
  const std::string anchor_name(text_of(anchor));
  const bool has_anchor = anchor != nullptr;

  bool is_read = false;
  switch (event_->type) {
    case FYET_SCALAR: is_read = read_scalar(node); break;
    case FYET_SEQUENCE_START: is_read = read_list(node, depth); break;
    case FYET_MAPPING_START: is_read = read_mapping(node, depth); break;
    case FYET_ALIAS: is_read = read_alias(node, depth); break;
    default: return fail(place_here(), "invalid YAML: a value is expected");
  }
  // Known from here on: an alias inside of its own anchor is an unknown name, not a loop.
  if (is_read && has_anchor) {
    if (!take_copies(extent_of(node), node)) return false;
    anchors_.insert_or_assign(anchor_name, node);
  }
  return is_read;
}

bool TreeBuilder::set_place(Node& node, fy_token* token, fy_token* tag) {
  // A value that is not written has no token: it is where its key is.
  if (const fy_mark* mark = token == nullptr ? nullptr : fy_token_start_mark(token); mark != nullptr) {
    line_ = static_cast<uint32_t>(mark->line) + 1;
    // The mark of a quoted text is behind its quote.
    const fy_scalar_style style = fy_token_scalar_style(token);
    const bool is_quoted = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
    column_ = static_cast<uint32_t>(mark->column) + (is_quoted ? 0 : 1);
  }
  node.line = line_;
  node.column = column_;
  if (tag == nullptr) return true;
  static constexpr std::string_view known[] = {"!",
                                               "tag:yaml.org,2002:str",
                                               "tag:yaml.org,2002:int",
                                               "tag:yaml.org,2002:bool",
                                               "tag:yaml.org,2002:null",
                                               "tag:yaml.org,2002:map",
                                               "tag:yaml.org,2002:seq"};
  const std::string_view name = text_of(tag);
  if (std::ranges::find(known, name) != std::end(known)) return true;
  return fail(node.place(), fmt::format("the tag {} is not supported", in_quotes(name)));
}

bool TreeBuilder::read_scalar(Node& node) {
  fy_token* token = event_->scalar.value;
  fy_token* tag = event_->scalar.tag;
  if (!set_place(node, token, tag)) return false;
  const std::string_view tag_name = text_of(tag);
  const bool is_text = tag != nullptr && (tag_name == "!" || tag_name.ends_with(":str"));
  node.kind = Node::Kind::scalar;
  node.is_plain = !is_text && (token == nullptr || fy_token_scalar_style(token) == FYSS_PLAIN);
  if (!read_text(token, node.text)) return false;
  if (token != nullptr && fy_token_scalar_style(token) == FYSS_LITERAL) {
    const size_t start = std::min(fy_token_start_mark(token)->input_pos, input_.size());
    const size_t indent = block_indent(input_.substr(start), node.text);
    node.block_indent = static_cast<uint16_t>(std::min(indent, size_t{std::numeric_limits<uint16_t>::max()}));
  }
  return true;
}

// Faults of libfyaml 0.7.12 are kept out: it misreads two escaped quotes in a row ('it''''s') and leaks
// memory for more of them; it puts NULs into a folded block (>) where a blank line precedes an indented one,
// and reads a block without lines as a NUL. The input has no NUL: find_bad_byte() saw to it.
bool TreeBuilder::read_text(fy_token* token, NodeText& text) {
  if (token == nullptr) return true;
  const fy_scalar_style style = fy_token_scalar_style(token);
  if (style == FYSS_SINGLE_QUOTED) {
    const size_t start = std::min(fy_token_start_mark(token)->input_pos, input_.size());
    const size_t end = fy_token_end_mark(token)->input_pos;
    if (input_.substr(start, end - start).contains("''''")) {
      return fail(place_here(), "a text in single quotes has several quotes in a row: write it in double quotes");
    }
  }
  const std::string_view read = text_of(token);
  const bool is_block = style == FYSS_LITERAL || style == FYSS_FOLDED;
  if (is_block && read == std::string_view("\0", 1)) return true;
  if (is_block && read.contains('\0')) {
    return fail(place_here(), "a folded text (>) has a blank line before an indented one: write it in double quotes");
  }
  const fy_mark* mark = fy_token_start_mark(token);
  const std::string_view written =
      mark == nullptr ? std::string_view() : input_.substr(std::min(mark->input_pos, input_.size()), read.size());
  text = written == read ? NodeText::part_of(written) : NodeText::copy_of(read);
  return true;
}

bool TreeBuilder::read_list(Node& node, unsigned depth) {
  if (!set_place(node, event_->sequence_start.sequence_start, event_->sequence_start.tag)) return false;
  node.kind = Node::Kind::list;
  const size_t first = items_.size();
  for (;;) {
    if (!next()) return false;
    if (event_ && event_->type == FYET_SEQUENCE_END) {
      node.items = taken_from(items_, first);
      return true;
    }
    Node item;
    if (!read_node(item, depth + 1)) return false;
    items_.push_back(std::move(item));
  }
}

bool TreeBuilder::read_mapping(Node& node, unsigned depth) {
  if (!set_place(node, event_->mapping_start.mapping_start, event_->mapping_start.tag)) return false;
  node.kind = Node::Kind::mapping;
  const size_t first_item = items_.size();
  const size_t first_key = keys_.size();
  for (;;) {
    if (!next()) return false;
    if (event_ && event_->type == FYET_MAPPING_END) {
      node.items = taken_from(items_, first_item);
      node.keys = taken_from(keys_, first_key);
      return finish_mapping(node);
    }
    Node::Key key;
    if (!read_key(key) || !next()) return false;
    keys_.push_back(std::move(key));
    Node item;
    if (!read_node(item, depth + 1)) return false;
    items_.push_back(std::move(item));
  }
}

bool TreeBuilder::read_key(Node::Key& key) {
  if (!event_) return fail(place_here(), "invalid YAML: the document ends too early");
  if (event_->type != FYET_SCALAR) return fail(place_here(), "a key must be a plain or quoted text");
  Node node;
  node.file = &source_.name;
  if (!set_place(node, event_->scalar.value, event_->scalar.tag)) return false;
  key = {{}, node.line, node.column};
  return read_text(event_->scalar.value, key.text);
}

bool TreeBuilder::read_alias(Node& node, unsigned depth) {
  set_place(node, event_->alias.anchor, nullptr);
  const std::string_view name = text_of(event_->alias.anchor);
  const auto found = anchors_.find(name);
  if (found == anchors_.end())
    return fail(node.place(), fmt::format("no anchor {} stands before this", in_quotes(name)));
  const Extent extent = extent_of(found->second);
  if (!check_depth(depth + extent.depth) || !take_copies(extent, node)) return false;
  node = found->second;
  return true;
}

// Duplicate keys are refused, then merge keys applied (https://yaml.org/type/merge.html).
bool TreeBuilder::finish_mapping(Node& node) {
  order_.resize(node.keys.size());
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::ranges::sort(order_, {}, [&](size_t i) { return std::pair(node.keys[i].text.view(), i); });
  for (size_t i = 1; i < order_.size(); ++i) {
    const Node::Key& first = node.keys[order_[i - 1]];
    const Node::Key& second = node.keys[order_[i]];
    if (first.text != second.text) continue;
    return fail({source_.name, second.line, second.column},
                fmt::format("the key {} is there twice; first in line {}", in_quotes(second.text), first.line));
  }

  const auto is_merge_key = [](const Node::Key& key) { return key.text == "<<"; };
  const auto merge_key = std::ranges::find_if(node.keys, is_merge_key);
  if (merge_key == node.keys.end()) return true;
  const auto index = static_cast<size_t>(merge_key - node.keys.begin());
  const Node from = std::move(node.items[index]);
  node.keys.erase(index);
  node.items.erase(index);
  std::unordered_set<std::string_view> names;
  for (const Node::Key& key : node.keys) names.insert(key.text);
  if (from.kind != Node::Kind::list) return merge(node, names, from);
  return std::ranges::all_of(from.items, [&](const Node& item) { return merge(node, names, item); });
}

bool TreeBuilder::merge(Node& node, std::unordered_set<std::string_view>& names, const Node& from) {
  if (from.kind != Node::Kind::mapping) return fail(from.place(), "<< merges mappings only");
  for (size_t i = 0; i < from.keys.size(); ++i) {
    if (!names.insert(from.keys[i].text).second) continue;
    if (!take_copies(extent_of(from.items[i]), from.items[i])) return false;
    node.keys.push_back(from.keys[i]);
    node.items.push_back(from.items[i]);
  }
  return true;
}

bool TreeBuilder::check_depth(size_t depth) {
  if (depth <= limits::config_nesting_max) return true;
  return fail(place_here(), fmt::format("nested deeper than {} levels", limits::config_nesting_max));
}

bool TreeBuilder::take_nodes(size_t count, const Node* place) {
  if (budget_.take(count)) return true;
  return fail(
      place == nullptr ? place_here() : place->place(),
      fmt::format("all documents together, with aliases expanded, have more than {} values", limits::config_nodes_max));
}

// Small: a few anchors save typing; ten levels of ten aliases are an attack ("billion laughs"), and so are thousands of
// aliases of one long text.
bool TreeBuilder::take_copies(const Extent& extent, const Node& node) {
  if (extent.count > copies_left_) {
    return fail(node.place(), fmt::format("the anchors and aliases of this file expand to more than {} values",
                                          limits::config_alias_nodes_max));
  }
  if (extent.bytes > copied_bytes_left_) {
    return fail(node.place(), fmt::format("the anchors and aliases of this file expand to more than {} bytes",
                                          limits::config_file_bytes_max));
  }
  copies_left_ -= extent.count;
  copied_bytes_left_ -= extent.bytes;
  return take_nodes(extent.count, &node);
}

}  // namespace

static_assert(sizeof(Node) <= 56);

NodeText NodeText::copy_of(std::string_view text) {
  if (text.empty()) return {};
  char* own = static_cast<char*>(::operator new(text.size()));
  std::memcpy(own, text.data(), text.size());
  return {{own, text.size()}, true};
}

NodeText::~NodeText() {
  if (!is_own_) return;
  char* own = const_cast<char*>(data_);
  explicit_bzero(own, size_);
  ::operator delete(own);
}

bool Node::is_null() const noexcept {
  return kind == Kind::scalar && is_plain &&
         (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL");
}

const Node* Node::find(std::string_view key) const noexcept {
  const auto found = std::ranges::find_if(keys, [&](const Key& some) { return some.text == key; });
  return found == keys.end() ? nullptr : &items[static_cast<size_t>(found - keys.begin())];
}

bool Node::has(std::string_view key) const noexcept {
  const Node* value = find(key);
  return value != nullptr && !value->is_null();
}

bool Node::has_empty_list(std::string_view key) const noexcept {
  const Node* list = find(key);
  return list != nullptr && list->kind == Kind::list && list->items.empty();
}

size_t Node::count() const noexcept {
  size_t result = 1;
  for (const Node& item : items) result += item.count();
  return result;
}

ParsedFile parse_yaml(const SourceText& source, NodeBudget& budget, Diagnostics& diagnostics) {
  ParsedFile file;
  file.is_complete = TreeBuilder(source, budget, diagnostics).build(file.documents);
  return file;
}

}  // namespace sluice::config
