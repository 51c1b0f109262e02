#include "config/header_operations.h"

#include "base/limits.h"
#include "config/format_compiler.h"
#include "config/wording.h"
#include "http/authority.h"
#include "http/chars.h"
#include "http/known_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::config {

namespace {

using snapshot::FieldOperation;
using snapshot::FieldOperations;

enum class Message : uint8_t { request, response };

bool is_host(std::string_view lower_name) noexcept { return lower_name == "host" || lower_name == ":authority"; }

class FieldCompiler {
 public:
  FieldCompiler(Message message, Diagnostics& diagnostics) : message_(message), diagnostics_(diagnostics) {}

  FieldOperations compile(const HeaderOperations& written);
  [[nodiscard]] const Text& host_rewrite() const noexcept { return host_rewrite_; }

 private:
  // Whether it may be changed: the name, as written and in lower case, and where it stands.
  bool check_name(std::string_view written, std::string_view lower, const SourcePlace& place);
  std::vector<FieldOperation> compile_map(const HeaderOperations& written, std::string_view kind, const TextMap& map);
  bool check_value(const Text& value);
  void check_count(size_t count, std::string_view kind, const Node& node);

  Message message_;
  Diagnostics& diagnostics_;
  Text host_rewrite_;  // of request.set
  FieldOperations operations_;
};

bool FieldCompiler::check_name(std::string_view written, std::string_view lower, const SourcePlace& place) {
  const std::string quoted = in_quotes(written);
  std::string wrong;
  if (is_host(lower)) {
    wrong = message_ == Message::request ? fmt::format("{} cannot be added or removed; request.set rewrites it", quoted)
                                         : fmt::format("{} is of requests only", quoted);
  } else if (lower.starts_with(':')) {
    wrong = fmt::format("{} cannot be changed: of the names that begin with \":\", only :authority can be set", quoted);
  } else if (!http::is_token(lower)) {
    wrong = fmt::format("{} is not the name of a field: letters, digits and !#$%&'*+-.^_`|~", quoted);
  } else if (http::is_hop_by_hop(http::known_field(lower))) {
    wrong = fmt::format(
        "{} cannot be changed: it frames the message or is of one connection only, and sluice writes "
        "it itself",
        quoted);
  }
  if (!wrong.empty()) diagnostics_.error(place, wrong);
  return wrong.empty();
}

bool FieldCompiler::check_value(const Text& value) {
  const std::string_view text = value.value;
  const auto* bad =
      std::ranges::find_if(text, [](char c) { return (http::classes_of(c) & http::char_class::value) == 0; });
  if (bad == text.end()) return true;
  diagnostics_.error(value.node->place(),
                     fmt::format("{} has a control character, which no field can have", in_quotes(text)));
  return false;
}

void FieldCompiler::check_count(size_t count, std::string_view kind, const Node& node) {
  if (count <= limits::header_operations_max) return;
  diagnostics_.error(node.place(), fmt::format("{} has more than {} fields", kind, limits::header_operations_max));
}

std::vector<FieldOperation> FieldCompiler::compile_map(const HeaderOperations& written, std::string_view kind,
                                                       const TextMap& map) {
  std::vector<FieldOperation> operations;
  const Node* node = written.node == nullptr ? nullptr : written.node->find(kind);
  if (node == nullptr) return operations;
  check_count(map.size(), kind, *node);
  for (const auto& [name, value] : map) {
    const std::string lower = to_lower(name);
    const auto key = std::ranges::find(node->keys, name, [](const Node::Key& some) { return some.text.view(); }) -
                     node->keys.begin();
    const SourcePlace place = node->place_of_key(static_cast<size_t>(key));
    if (kind == "set" && message_ == Message::request && is_host(lower)) {
      if (host_rewrite_) diagnostics_.error(place, "the host is set twice");
      host_rewrite_ = value;
      continue;
    }
    if (!check_name(name, lower, place) || !check_value(value)) continue;
    if (std::ranges::find(operations, lower, &FieldOperation::name) != operations.end()) {
      diagnostics_.error(place,
                         fmt::format("{} is there twice: names of fields are the same in any case", in_quotes(name)));
      continue;
    }
    auto format = compile_format(value.value);
    if (!format) {
      diagnostics_.error(place_in(*value.node, format.error().offset), format.error().message);
      continue;
    }
    operations_.needs |= format->needs;
    operations.push_back({lower, std::move(*format)});
  }
  // The order in which fields of different names are set says nothing.
  std::ranges::sort(operations, {}, &FieldOperation::name);
  return operations;
}

FieldOperations FieldCompiler::compile(const HeaderOperations& written) {
  operations_.set = compile_map(written, "set", written.set);
  operations_.add = compile_map(written, "add", written.add);
  if (written.node != nullptr) check_count(written.remove.size(), "remove", *written.node);
  for (const Text& name : written.remove) {
    std::string lower = to_lower(name.value);
    if (name && check_name(name.value, lower, name.node->place())) operations_.remove.push_back(std::move(lower));
  }
  std::ranges::sort(operations_.remove);
  return std::move(operations_);
}

void append(FieldOperations& first, FieldOperations second) {
  std::ranges::move(second.remove, std::back_inserter(first.remove));
  std::ranges::move(second.set, std::back_inserter(first.set));
  std::ranges::move(second.add, std::back_inserter(first.add));
  first.needs |= second.needs;
}

}  // namespace

// What goes to destinations as Host is fixed: an operator would let a client choose it.
void compile_host(const Text& written, snapshot::HeaderOperations& operations, Diagnostics& diagnostics) {
  if (!written) return;
  const auto authority = http::parse_authority(written.value);
  if (!authority || authority->host.empty() || written.value.contains('%')) {
    diagnostics.error(written.node->place(),
                      fmt::format("{} is not a host: a name or an address, perhaps with a port, without operators",
                                  in_quotes(written.value)));
    return;
  }
  operations.authority = written.value;
  operations.host = to_lower(authority->host);
  if (operations.host.ends_with('.')) operations.host.pop_back();
}

snapshot::HeaderOperations compile_header_operations(const Headers& written, Diagnostics& diagnostics) {
  snapshot::HeaderOperations operations;
  if (written.node == nullptr) return operations;
  FieldCompiler request(Message::request, diagnostics);
  operations.request = request.compile(written.request);
  compile_host(request.host_rewrite(), operations, diagnostics);
  operations.response = FieldCompiler(Message::response, diagnostics).compile(written.response);
  return operations;
}

void append(snapshot::HeaderOperations& route, snapshot::HeaderOperations destination) {
  append(route.request, std::move(destination.request));
  append(route.response, std::move(destination.response));
  if (!route.authority.empty()) return;
  route.authority = std::move(destination.authority);
  route.host = std::move(destination.host);
}

}  // namespace sluice::config
