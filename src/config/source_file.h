// The files that documents come from: found, checked and read whole, within bounds.
#pragma once

#include "config/diagnostic.h"
#include "config/load.h"

#include <string>
#include <vector>

namespace sluice::config {

struct SourceFiles {
  std::vector<SourceText> texts;
  bool is_complete = true;  // false: something could not be read (an error says what)
};

// Files, and directories of *.yaml, *.yml and *.json (not recursive, in name order, without hidden files,
// so that the ..data of a mounted ConfigMap or Secret is not read twice). Symbolic links are followed;
// what is not a regular file is refused.
[[nodiscard]] SourceFiles read_files(const std::vector<std::string>& paths, Diagnostics& diagnostics);

}  // namespace sluice::config
