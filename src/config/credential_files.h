// Certificates, keys and revocation lists that documents name by path.
#pragma once

#include "base/limits.h"
#include "base/result.h"
#include "config/diagnostic.h"
#include "config/schema.h"
#include "snapshot/snapshot.h"

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::config {

// A field that has a path, and what it is called.
struct PathField {
  const Text& path;
  std::string_view name;  // "serverCertificate"
};

// Each file is read once. What cannot be read is an error at the field.
class CredentialFiles {
 public:
  explicit CredentialFiles(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  // Null when one of the files cannot be read. A key that others can read or write is a warning.
  [[nodiscard]] std::shared_ptr<const snapshot::KeyPair> key_pair(const PathField& chain, const PathField& key);

  // Appends the text of the file. False: it cannot be read.
  [[nodiscard]] bool append(const PathField& field, size_t bytes_max, std::string& text);

 private:
  [[nodiscard]] Result<std::string> read(const PathField& field, size_t bytes_max, bool is_key);
  void refuse(const PathField& field, std::string_view reason);

  Diagnostics& diagnostics_;
  size_t bytes_left_ = limits::credential_files_bytes_max;
  std::map<std::string, Result<std::string>, std::less<>> texts_;  // by path; not of keys
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const snapshot::KeyPair>> pairs_;
};

}  // namespace sluice::config
