#include "config/credential_files.h"

#include "config/file_bytes.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::config {

namespace {

// Others may not read it, and nobody but the owner may write it. A group that reads is how services share.
constexpr unsigned key_mode_suspicious = 0027;

}  // namespace

void CredentialFiles::refuse(const PathField& field, std::string_view reason) {
  diagnostics_.error(field.path.node->place(),
                     fmt::format("{}: cannot read {}: {}", field.name, in_quotes(field.path.value), reason));
}

Result<std::string> CredentialFiles::read(const PathField& field, size_t bytes_max, bool is_key) {
  Result<FileBytes> file = read_file(std::string(field.path.value), std::min(bytes_max, bytes_left_));
  if (!file) return std::unexpected(file.error());
  if (file->bytes.empty()) return failure("it is empty");
  bytes_left_ -= file->bytes.size();
  if (is_key && (file->mode & key_mode_suspicious) != 0) {
    diagnostics_.warning(field.path.node->place(),
                         fmt::format("{}: the private key {} can be read by every user or written by its group (mode "
                                     "{:04o}): chmod 0640 or 0600",
                                     field.name, in_quotes(field.path.value), file->mode));
  }
  return std::move(file->bytes);
}

std::shared_ptr<const snapshot::KeyPair> CredentialFiles::key_pair(const PathField& chain, const PathField& key) {
  const std::pair paths(std::string(chain.path.value), std::string(key.path.value));
  if (const auto known = pairs_.find(paths); known != pairs_.end()) return known->second;
  auto pair = std::make_shared<snapshot::KeyPair>();
  const bool has_chain = append(chain, limits::credential_file_bytes_max, pair->chain_pem);
  Result<std::string> key_text = read(key, limits::credential_file_bytes_max, true);
  if (!key_text) refuse(key, key_text.error().message);
  if (!has_chain || !key_text) return nullptr;
  pair->key_pem = std::move(*key_text);
  pair->secret_name = paths.first;
  pair->place = chain.path.node->place();
  pair->chain_name = chain.name;
  pair->key_name = key.name;
  pairs_.emplace(paths, pair);
  return pair;
}

bool CredentialFiles::append(const PathField& field, size_t bytes_max, std::string& text) {
  auto known = texts_.find(field.path.value);
  if (known == texts_.end()) known = texts_.emplace(std::string(field.path.value), read(field, bytes_max, false)).first;
  if (!known->second) {
    refuse(field, known->second.error().message);
    return false;
  }
  // PEM blocks of several files are one text: the next one must start a line.
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  text += *known->second;
  return true;
}

}  // namespace sluice::config
