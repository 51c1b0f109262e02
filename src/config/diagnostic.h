// What is wrong with a configuration, where, and what to do about it.
#pragma once

#include "base/source_place.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

enum class Severity : uint8_t { info, warning, error };

[[nodiscard]] std::string_view severity_name(Severity severity) noexcept;

struct Diagnostic {
  Severity severity = Severity::info;
  SourcePlace place{};
  std::string message{};
  std::string hint{};   // what was probably meant: `did you mean "hosts"?`; mostly empty
  std::string field{};  // "spec.servers[0].hosts"; empty: it is of no field, or of one that cannot be told

  // The message, with the hint where there is one.
  [[nodiscard]] std::string text() const;
  // "gateway.yaml:12:5: error: unknown field ..."
  [[nodiscard]] std::string to_string() const;
};

// Of each severity, limits::config_diagnostics_max are kept; all are counted.
class Diagnostics {
 public:
  void info(SourcePlace place, std::string message, std::string hint = {});
  void warning(SourcePlace place, std::string message, std::string hint = {});
  // `field`: from where the path is at hand; elsewhere name_fields() finds it by the place.
  void error(SourcePlace place, std::string message, std::string hint = {}, std::string field = {});

  [[nodiscard]] bool has_errors() const noexcept { return error_count() > 0; }
  [[nodiscard]] size_t error_count() const noexcept { return count(Severity::error); }
  [[nodiscard]] size_t warning_count() const noexcept { return count(Severity::warning); }
  [[nodiscard]] size_t info_count() const noexcept { return count(Severity::info); }
  // In the order of files and lines; at the end, one line says what was left out.
  [[nodiscard]] std::vector<Diagnostic> sorted() const;
  // Those that are kept, in the order in which they were said.
  [[nodiscard]] std::span<Diagnostic> kept() noexcept { return items_; }

  // What was said twice of one place is said once: routes may be compiled for Gateways, and for outbound traffic again.
  void drop_repeated();

  // Those of another collection, after what was said here.
  void append(const Diagnostics& other);

 private:
  void add(Diagnostic diagnostic);
  [[nodiscard]] size_t count(Severity severity) const noexcept { return counts_[static_cast<size_t>(severity)]; }

  std::vector<Diagnostic> items_;
  std::array<size_t, 3> counts_{};  // by severity, those that were left out included
};

}  // namespace sluice::config
