// What `sluice check` prints on standard output: for people, for programs, and for GitHub's workflows.
#pragma once

#include "config/diagnostic.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::control {

enum class CheckFormat : uint8_t { text, json, github };

struct CheckOutcome {
  bool is_valid = false;
  size_t error_count = 0;  // those that are not shown included
  size_t warning_count = 0;
  std::string hash;  // of the snapshot; empty: there is none
  std::vector<config::Diagnostic> diagnostics;
};

// Lines, each with its end. Names of files and texts of documents are not trusted: they can neither end a line
// nor reach a terminal as control characters.
//   text:   one diagnostic a line, `file:line:column: severity: message; hint`
//   json:   one object {valid, errors, warnings, hash, diagnostics: [{severity, file, line, column, field, message,
//           hint}]}; null is what a diagnostic does not have
//   github: one workflow command a line
//   (https://docs.github.com/actions/reference/workflow-commands-for-github-actions)
[[nodiscard]] std::string check_report(const CheckOutcome& outcome, CheckFormat format);

}  // namespace sluice::control
