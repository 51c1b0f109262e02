#include "config/load.h"

#include "base/limits.h"
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

namespace sluice::config {

namespace {

// Parses, then wipes the texts: what remains of a private key is in nodes and key pairs, which wipe it too.
std::deque<Node> parse_all(std::vector<SourceText>& texts, bool& is_complete, Diagnostics& diagnostics) {
  std::deque<Node> documents;
  size_t nodes_left = limits::config_nodes_max;
  for (SourceText& source : texts) {
    if (source.text.size() > limits::config_file_bytes_max) {
      diagnostics.error({source.name}, fmt::format("it is larger than {} bytes", limits::config_file_bytes_max));
      is_complete = false;
      continue;
    }
    ParsedFile file = parse_yaml(source, nodes_left, diagnostics);
    is_complete = is_complete && file.is_complete;
    for (Node& document : file.documents) documents.push_back(std::move(document));
    explicit_bzero(source.text.data(), source.text.size());
  }
  return documents;
}

std::unique_ptr<snapshot::Snapshot> load_sources(SourceFiles files, Diagnostics& diagnostics) {
  bool is_complete = files.is_complete;
  std::deque<Node> documents = parse_all(files.texts, is_complete, diagnostics);
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
