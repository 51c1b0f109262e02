// Where something was written: what a diagnostic, `check` and `explain` point at.
#pragma once

#include <string>

namespace sluice {

struct SourcePlace {
  std::string file;
  unsigned line = 0;    // from 1; 0: no place
  unsigned column = 0;  // from 1

  // "gateway.yaml:12:5"
  [[nodiscard]] std::string to_string() const {
    return line == 0 ? file : file + ":" + std::to_string(line) + ":" + std::to_string(column);
  }
};

}  // namespace sluice
