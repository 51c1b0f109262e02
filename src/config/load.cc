#include "config/load.h"

#include "base/limits.h"
#include "base/parallel.h"
#include "base/wipe.h"
#include "config/api_rule.h"
#include "config/compile.h"
#include "config/field_path.h"
#include "config/gateway_certificates.h"
#include "config/mounted_secret.h"
#include "config/read_model.h"
#include "config/secret_store.h"
#include "config/source_file.h"
#include "config/validate.h"
#include "config/yaml_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice::config {

namespace {

ParsedFile parse_one(const SourceText& source, NodeBudget& budget, Diagnostics& diagnostics) {
  if (source.text.size() <= limits::config_file_bytes_max) return parse_yaml(source, budget, diagnostics);
  diagnostics.error({source.name}, fmt::format("it is larger than {} bytes", limits::config_file_bytes_max));
  return {.documents = {}, .is_complete = false};
}

std::deque<Node> parse_all(const std::vector<SourceText>& texts, Helpers& helpers, bool& is_complete,
                           Diagnostics& diagnostics) {
  struct Parsed {
    ParsedFile file;
    Diagnostics diagnostics;
  };
  std::vector<Parsed> all(texts.size());
  NodeBudget budget(limits::config_nodes_max);
  helpers.for_each(texts.size(), [&](size_t i) { all[i].file = parse_one(texts[i], budget, all[i].diagnostics); });
  std::deque<Node> documents;
  for (Parsed& each : all) {
    diagnostics.append(each.diagnostics);
    is_complete = is_complete && each.file.is_complete;
    for (Node& document : each.file.documents) documents.push_back(std::move(document));
  }
  return documents;
}

// --- Issued Secrets --------------------------------------------------------------------------------

SourceFiles read_issued_files(const std::string& folder, Diagnostics& diagnostics) {
  std::error_code error;
  if (folder.empty() || !std::filesystem::exists(folder, error)) return {};
  Diagnostics said;
  SourceFiles files = read_files({folder}, said);
  for (const Diagnostic& diagnostic : said.sorted()) {
    if (diagnostic.severity == Severity::error) diagnostics.warning(diagnostic.place, diagnostic.message);
  }
  return files;
}

// What is damaged is obtained again: it keeps nobody from starting.
std::deque<Node> parse_issued(const std::vector<SourceText>& texts, Helpers& helpers, Diagnostics& diagnostics) {
  Diagnostics said;
  bool is_complete = true;
  std::deque<Node> documents = parse_all(texts, helpers, is_complete, said);
  for (const Diagnostic& diagnostic : said.sorted()) {
    if (diagnostic.severity == Severity::error) diagnostics.warning(diagnostic.place, diagnostic.message);
  }
  return documents;
}

// Those that the user has not given. The same documents again are left out, and so is what is no Secret.
void add_issued_secrets(const std::deque<Node>& documents, Model& model, Diagnostics& diagnostics) {
  std::set<std::string> seen;
  for (const Secret& secret : model.secrets) seen.insert(secret.key());
  Diagnostics said;
  Model issued = read_model(documents, said);
  validate(issued, said);
  for (const Diagnostic& diagnostic : said.sorted()) {
    if (diagnostic.severity == Severity::error) diagnostics.warning(diagnostic.place, diagnostic.message);
  }
  for (Secret& secret : issued.secrets) {
    if (secret.is_broken || !seen.insert(secret.key()).second) continue;
    const TextMap& annotations = secret.metadata.annotations;
    secret.is_issued =
        std::ranges::any_of(annotations, [](const auto& each) { return each.first == request_digest_annotation; });
    model.secrets.push_back(std::move(secret));
  }
}

// What remains of a private key then is in nodes and key pairs, which wipe it too.
void wipe_all(std::vector<SourceText>& texts) {
  for (SourceText& source : texts) wipe(source.text);
}

Compiled compile_sources(const SourceFiles& files, const SourceFiles& issued, Diagnostics& diagnostics) {
  bool is_complete = files.is_complete;
  Helpers helpers;  // end after the documents that they have parsed
  std::deque<Node> documents = parse_all(files.texts, helpers, is_complete, diagnostics);
  for (const CredentialFolder& folder : files.credentials) documents.push_back(mounted_secret(folder));
  const std::deque<Node> issued_documents = parse_issued(issued.texts, helpers, diagnostics);
  Model model = read_model(documents, diagnostics);
  model.is_complete = is_complete;
  add_issued_secrets(issued_documents, model, diagnostics);
  translate_api_rules(model, diagnostics);
  add_gateway_certificates(model, diagnostics);
  validate(model, diagnostics);
  Compiled compiled = compile(model, diagnostics);
  name_fields(documents, diagnostics);
  return compiled;
}

Compiled load_sources(SourceFiles files, SourceFiles issued, Diagnostics& diagnostics) {
  Compiled compiled = compile_sources(files, issued, diagnostics);
  wipe_all(files.texts);
  wipe_all(issued.texts);
  for (CredentialFolder& folder : files.credentials) wipe_all(folder.files);
  return compiled;
}

}  // namespace

Compiled load(const Sources& sources, Diagnostics& diagnostics) {
  SourceFiles files = read_files(sources.paths, diagnostics);
  return load_sources(std::move(files), read_issued_files(sources.issued_folder, diagnostics), diagnostics);
}

IssuedPairs load_issued_pairs(const std::string& issued_folder, Diagnostics& diagnostics) {
  SourceFiles files = read_issued_files(issued_folder, diagnostics);
  Helpers helpers;
  const std::deque<Node> documents = parse_issued(files.texts, helpers, diagnostics);
  Model model;
  add_issued_secrets(documents, model, diagnostics);
  IssuedPairs pairs;
  SecretStore secrets(model, diagnostics);
  for (const Secret& secret : model.secrets) {
    if (secret.is_issued) pairs.emplace(secret.key(), secrets.key_pair(secret));
  }
  std::erase_if(pairs, [](const auto& each) { return each.second == nullptr; });
  wipe_all(files.texts);
  return pairs;
}

Compiled load(std::vector<SourceText> texts, std::vector<SourceText> issued, Diagnostics& diagnostics) {
  return load_sources({.texts = std::move(texts), .credentials = {}}, {.texts = std::move(issued), .credentials = {}},
                      diagnostics);
}

std::unique_ptr<snapshot::Snapshot> load(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
  return load(Sources{paths}, diagnostics).snapshot;
}

std::unique_ptr<snapshot::Snapshot> load_texts(std::vector<SourceText> texts, Diagnostics& diagnostics) {
  return load(std::move(texts), {}, diagnostics).snapshot;
}

std::unique_ptr<snapshot::Snapshot> load_text(std::string_view name, std::string_view text, Diagnostics& diagnostics) {
  std::vector<SourceText> texts;
  texts.push_back({std::string(name), std::string(text)});
  return load_texts(std::move(texts), diagnostics);
}

}  // namespace sluice::config
