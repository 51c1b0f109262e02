#include "config/field_path.h"

#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace sluice::config {

namespace {

using Place = std::tuple<std::string_view, unsigned, unsigned>;
constexpr size_t word_bytes_max = 64;

bool is_word(std::string_view key) noexcept {
  return !key.empty() && key.size() <= word_bytes_max && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

class FieldNames {
 public:
  void want(Diagnostic& diagnostic) {
    const SourcePlace& place = diagnostic.place;
    if (diagnostic.field.empty() && place.line > 0)
      wanted_[{place.file, place.line, place.column}].push_back(&diagnostic);
  }

  // As deep as limits::config_nesting_max.
  void visit(const Node& node) {
    if (wanted_.empty()) return;
    name(node);
    for (size_t i = 0; i < node.items.size(); ++i) {
      const size_t size_before = path_.size();
      if (node.kind == Node::Kind::list) {
        path_ += fmt::format("[{}]", i);
      } else {
        append_key(path_, node.keys[i].text);
      }
      visit(node.items[i]);
      path_.resize(size_before);
    }
  }

 private:
  // The outer one of two values with one place: a value that is not written is where its key is.
  void name(const Node& node) {
    const auto found = wanted_.find({*node.file, node.line, node.column});
    if (found == wanted_.end()) return;
    for (Diagnostic* diagnostic : found->second) diagnostic->field = path_;
    wanted_.erase(found);
  }

  std::map<Place, std::vector<Diagnostic*>> wanted_;
  std::string path_;
};

}  // namespace

void append_key(std::string& path, std::string_view key) {
  if (!is_word(key)) {
    path += fmt::format("[{}]", in_quotes(key));
  } else {
    if (!path.empty()) path += '.';
    path += key;
  }
}

void name_fields(const std::deque<Node>& documents, Diagnostics& diagnostics) {
  FieldNames names;
  for (Diagnostic& diagnostic : diagnostics.kept()) names.want(diagnostic);
  for (const Node& document : documents) names.visit(document);
}

}  // namespace sluice::config
