#include "config/load.h"

#include "base/limits.h"
#include "base/parallel.h"
#include "config/api_rule.h"
#include "config/compile.h"
#include "config/field_path.h"
#include "config/mounted_secret.h"
#include "config/read_model.h"
#include "config/source_file.h"
#include "config/validate.h"
#include "config/yaml_document.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

namespace sluice::config {

namespace {

ParsedFile parse_one(const SourceText& source, NodeBudget& budget, Diagnostics& diagnostics) {
  if (source.text.size() <= limits::config_file_bytes_max) return parse_yaml(source, budget, diagnostics);
  diagnostics.error({source.name}, fmt::format("it is larger than {} bytes", limits::config_file_bytes_max));
  return {.documents = {}, .is_complete = false};
}

// Parses, then wipes the texts: what remains of a private key is in nodes and key pairs, which wipe it too.
std::deque<Node> parse_all(std::vector<SourceText>& texts, Helpers& helpers, bool& is_complete,
                           Diagnostics& diagnostics) {
  struct Parsed {
    ParsedFile file;
    Diagnostics diagnostics;
  };
  std::vector<Parsed> all(texts.size());
  NodeBudget budget(limits::config_nodes_max);
  helpers.for_each(texts.size(), [&](size_t i) {
    all[i].file = parse_one(texts[i], budget, all[i].diagnostics);
    explicit_bzero(texts[i].text.data(), texts[i].text.size());
  });
  std::deque<Node> documents;
  for (Parsed& each : all) {
    diagnostics.append(each.diagnostics);
    is_complete = is_complete && each.file.is_complete;
    for (Node& document : each.file.documents) documents.push_back(std::move(document));
  }
  return documents;
}

std::unique_ptr<snapshot::Snapshot> load_sources(SourceFiles files, Diagnostics& diagnostics) {
  bool is_complete = files.is_complete;
  Helpers helpers;  // end after the documents that they have parsed
  std::deque<Node> documents = parse_all(files.texts, helpers, is_complete, diagnostics);
  for (CredentialFolder& folder : files.credentials) documents.push_back(mounted_secret(folder));
  Model model = read_model(documents, diagnostics);
  model.is_complete = is_complete;
  translate_api_rules(model, diagnostics);
  validate(model, diagnostics);
  std::unique_ptr<snapshot::Snapshot> snapshot = compile(model, diagnostics);
  name_fields(documents, diagnostics);
  return snapshot;
}

}  // namespace

std::unique_ptr<snapshot::Snapshot> load(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
  return load_sources(read_files(paths, diagnostics), diagnostics);
}

std::unique_ptr<snapshot::Snapshot> load_texts(std::vector<SourceText> texts, Diagnostics& diagnostics) {
  return load_sources({.texts = std::move(texts), .credentials = {}}, diagnostics);
}

std::unique_ptr<snapshot::Snapshot> load_text(std::string_view name, std::string_view text, Diagnostics& diagnostics) {
  std::vector<SourceText> texts;
  texts.push_back({std::string(name), std::string(text)});
  return load_texts(std::move(texts), diagnostics);
}

}  // namespace sluice::config
