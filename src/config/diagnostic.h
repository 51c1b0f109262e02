// What is wrong with a configuration, where, and what to do about it.
#pragma once

#include "base/source_place.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

enum class Severity : uint8_t { info, warning, error };

struct Diagnostic {
  Severity severity;
  SourcePlace place;
  std::string message;

  // "gateway.yaml:12:5: error: unknown field ..."
  [[nodiscard]] std::string to_string() const;
};

// Of each severity, limits::config_diagnostics_max are kept; all are counted.
class Diagnostics {
 public:
  void info(SourcePlace place, std::string message);
  void warning(SourcePlace place, std::string message);
  void error(SourcePlace place, std::string message);

  [[nodiscard]] bool has_errors() const noexcept { return error_count() > 0; }
  [[nodiscard]] size_t error_count() const noexcept { return count(Severity::error); }
  [[nodiscard]] size_t warning_count() const noexcept { return count(Severity::warning); }
  [[nodiscard]] size_t info_count() const noexcept { return count(Severity::info); }
  // In the order of files and lines; at the end, one line says what was left out.
  [[nodiscard]] std::vector<Diagnostic> sorted() const;

 private:
  void add(Severity severity, SourcePlace place, std::string message);
  [[nodiscard]] size_t count(Severity severity) const noexcept { return counts_[static_cast<size_t>(severity)]; }

  std::vector<Diagnostic> items_;
  std::array<size_t, 3> counts_{};  // by severity, those that were left out included
};

}  // namespace sluice::config
