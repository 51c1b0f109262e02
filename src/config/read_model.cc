#include "config/read_model.h"

#include "config/host_name.h"
#include "config/mesh_config.h"
#include "config/schema.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::config {

namespace {

struct ApiVersion {
  std::string_view group;  // empty: core
  std::string_view version;

  explicit ApiVersion(std::string_view text) {
    const size_t slash = text.find('/');
    group = slash == std::string_view::npos ? std::string_view() : text.substr(0, slash);
    version = slash == std::string_view::npos ? text : text.substr(slash + 1);
  }
};

// "2026-08-01T10:00:00Z", as the API server writes it: such texts compare as the instants do.
bool is_timestamp(std::string_view text) noexcept {
  static constexpr std::string_view pattern = "0000-00-00T00:00:00Z";
  return std::ranges::equal(text, pattern,
                            [](char c, char wanted) { return wanted == '0' ? c >= '0' && c <= '9' : c == wanted; });
}

class ModelReader {
 public:
  explicit ModelReader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  void read_document(const Node& node);
  void report_skipped();
  [[nodiscard]] Model take_model();

 private:
  struct Skipped {
    SourcePlace place;
    size_t count = 0;
    Severity severity = Severity::info;
    std::string message;
    std::string hint;
  };

  void read_items(const Node& node);
  void read_known(const Node& node, const KindSchema& schema);
  void skip_unknown(const Node& node, const ApiVersion& api_version, std::string_view kind);
  void skip(const Node& node, std::string title, Severity severity, std::string message, std::string hint = {});
  void check_metadata(const Document& document);
  void check_unique(const Document& document);
  // The text of a field that says what a document is, or nothing and an error.
  std::string_view identity(const Node& node, std::string_view field);

  Diagnostics& diagnostics_;
  Model model_;
  size_t document_count_ = 0;
  std::map<std::string, Skipped> skipped_;       // by kind and apiVersion
  std::map<std::string, const Document*> seen_;  // by title
};

std::string_view ModelReader::identity(const Node& node, std::string_view field) {
  const Node* value = node.find(field);
  if (value != nullptr && value->kind == Node::Kind::scalar && !value->text.empty()) return value->text;
  diagnostics_.error((value == nullptr ? node : *value).place(),
                     fmt::format("a document must say its {}, for example {}", field,
                                 field == "kind" ? "kind: Gateway" : "apiVersion: networking.istio.io/v1"));
  return {};
}

void ModelReader::read_document(const Node& node) {
  if (node.kind != Node::Kind::mapping) {
    return diagnostics_.error(node.place(), "a document must be an object with apiVersion and kind");
  }
  const std::string_view api_version_text = identity(node, "apiVersion");
  const std::string_view kind = identity(node, "kind");
  if (api_version_text.empty() || kind.empty()) return;

  const ApiVersion api_version(api_version_text);
  // `kubectl get -o yaml` writes a List; the API server itself writes a GatewayList and so on.
  if (kind.ends_with("List") && node.find("items") != nullptr) return read_items(*node.find("items"));

  const auto is_this = [&](const KindSchema& schema) {
    return schema.kind == kind && schema.group == api_version.group;
  };
  const auto schema = std::ranges::find_if(all_kinds(), is_this);
  if (schema == all_kinds().end()) return skip_unknown(node, api_version, kind);
  if (std::ranges::find(schema->older_versions, api_version.version) != schema->older_versions.end()) {
    return diagnostics_.error(node.find("apiVersion")->place(), fmt::format("{} {} is not supported: {}", schema->kind,
                                                                            api_version.version, schema->older_advice));
  }
  if (std::ranges::find(schema->versions, api_version.version) == schema->versions.end()) {
    return diagnostics_.error(node.find("apiVersion")->place(),
                              fmt::format("{} has no version {}; known are {}", schema->kind,
                                          in_quotes(api_version.version), quoted_list(schema->versions)));
  }
  if (schema->support == Support::planned) {
    const bool forbids = is_refused(*schema);
    return skip(node, fmt::format("{} ({})", kind, schema->group), forbids ? Severity::error : Severity::warning,
                fmt::format("{} ({}) is not supported yet by this version of sluice: {}", kind, schema->doc,
                            forbids ? "what it forbids would be allowed" : "it has no effect"));
  }
  read_known(node, *schema);
}

void ModelReader::read_items(const Node& node) {
  if (node.is_null()) return;
  if (node.kind != Node::Kind::list) return diagnostics_.error(node.place(), "items: must be a list");
  for (const Node& item : node.items) read_document(item);
}

void ModelReader::read_known(const Node& node, const KindSchema& schema) {
  const size_t errors_before = diagnostics_.error_count();
  Reader reader(diagnostics_);
  Document& document = schema.read(reader, node, model_);
  document.kind = schema.kind;
  document.index = document_count_++;
  if (document.metadata.name) check_metadata(document);
  if (is_object_name(document.name()) && is_object_name(document.name_space())) check_unique(document);
  document.is_broken = diagnostics_.error_count() != errors_before;
}

void ModelReader::check_metadata(const Document& document) {
  const Metadata& metadata = document.metadata;
  static constexpr std::string_view rule = "lower case letters, digits, '-' and '.'";
  if (!is_object_name(metadata.name.value)) {
    diagnostics_.error(metadata.name.node->place(),
                       fmt::format("metadata.name: {} is not a name: {}", in_quotes(metadata.name.value), rule));
  }
  if (const Text& space = metadata.name_space; space && (!is_object_name(space.value) || space.value.contains('.'))) {
    diagnostics_.error(space.node->place(),
                       fmt::format("metadata.namespace: {} is not a namespace: lower case letters, "
                                   "digits and '-'",
                                   in_quotes(space.value)));
  }
  if (const Text& created = metadata.creation_timestamp; created && !is_timestamp(created.value)) {
    diagnostics_.error(created.node->place(), fmt::format("metadata.creationTimestamp: {} is not a time such as "
                                                          "2026-08-01T10:00:00Z",
                                                          in_quotes(created.value)));
  }
}

void ModelReader::check_unique(const Document& document) {
  const auto [first, is_new] = seen_.emplace(document.title(), &document);
  if (is_new) return;
  diagnostics_.error(document.place(), fmt::format("{} is there twice; first at {}", document.title(),
                                                   first->second->place().to_string()));
}

void ModelReader::skip_unknown(const Node& node, const ApiVersion& api_version, std::string_view kind) {
  std::vector<std::string_view> kinds_of_group;
  std::string_view group_of_kind;
  for (const KindSchema& schema : all_kinds()) {
    if (schema.group == api_version.group) kinds_of_group.push_back(schema.kind);
    if (schema.kind == kind) group_of_kind = schema.group.empty() ? "the core group (v1)" : schema.group;
  }
  std::string advice = hint(kind, kinds_of_group);
  if (advice.empty() && !group_of_kind.empty())
    advice = fmt::format("the {} that is known is of {}", kind, group_of_kind);
  const std::string_view group = api_version.group.empty() ? std::string_view("core") : api_version.group;
  skip(node, fmt::format("{} ({})", kind, group), Severity::info,
       fmt::format("kind {} of {} is not known to sluice and ignored", in_quotes(kind), in_quotes(group)),
       std::move(advice));
}

void ModelReader::skip(const Node& node, std::string title, Severity severity, std::string message, std::string hint) {
  const auto [skipped, is_new] = skipped_.try_emplace(std::move(title));
  if (is_new) skipped->second = {node.place(), 0, severity, std::move(message), std::move(hint)};
  ++skipped->second.count;
}

void ModelReader::report_skipped() {
  for (const auto& [title, skipped] : skipped_) {
    const std::string count =
        skipped.count == 1 ? "" : fmt::format(" ({} documents, this is the first)", skipped.count);
    switch (skipped.severity) {
      case Severity::info: diagnostics_.info(skipped.place, skipped.message + count, skipped.hint); break;
      case Severity::warning: diagnostics_.warning(skipped.place, skipped.message + count, skipped.hint); break;
      case Severity::error: diagnostics_.error(skipped.place, skipped.message + count, skipped.hint); break;
    }
  }
}

Model ModelReader::take_model() {
  std::ranges::sort(model_.gateways, {}, &Document::age);
  std::ranges::sort(model_.virtual_services, {}, &Document::age);
  std::ranges::sort(model_.service_entries, {}, &Document::age);
  std::ranges::sort(model_.destination_rules, {}, &Document::age);
  std::ranges::sort(model_.api_rules, {}, &Document::age);
  std::ranges::sort(model_.proxy_configs, {}, &Document::age);
  std::ranges::sort(model_.services, {}, &Document::age);
  return std::move(model_);
}

}  // namespace

Model read_model(const std::deque<Node>& documents, Diagnostics& diagnostics) {
  ModelReader reader(diagnostics);
  for (const Node& document : documents) reader.read_document(document);
  reader.report_skipped();
  Model model = reader.take_model();
  read_mesh_config(model, diagnostics);
  return model;
}

}  // namespace sluice::config
