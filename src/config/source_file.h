// The files that documents come from: found, checked and read whole, within bounds.
#pragma once

#include "config/diagnostic.h"
#include "config/load.h"

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

// A directory with certificates or keys, as a kubelet mounts a Secret: each file is a key of the Secret that has the
// directory's name.
struct CredentialFolder {
  std::string path;
  std::string secret_name;
  std::vector<SourceText> files;
};

struct SourceFiles {
  std::vector<SourceText> texts;
  std::deque<CredentialFolder> credentials;  // nodes point into them
  bool is_complete = true;                   // false: something could not be read (an error says what)
};

// Whether read_files reads a file of this name when its directory is given.
[[nodiscard]] bool is_source_name(std::string_view name);

// Files, and directories of *.yaml, *.yml and *.json (not recursive, in name order, without hidden files,
// so that the ..data of a mounted ConfigMap or Secret is not read twice) and of credentials under the names that they
// have in Secrets. Symbolic links are followed; what is not a regular file is refused. A directory whose ..data is
// swapped meanwhile is read again: what is read is of one state.
[[nodiscard]] SourceFiles read_files(const std::vector<std::string>& paths, Diagnostics& diagnostics);

}  // namespace sluice::config
