// A regular expression in RE2's syntax (https://github.com/google/re2/wiki/Syntax), as Envoy has it: matching takes
// time in proportion to the text, whatever the expression. Compiled when a configuration is loaded, never for a
// request. Immutable; any thread may match. The one header that stands for the library.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace sluice::snapshot {

class Regex {
 public:
  // The error says what is wrong with the expression; one that would need more than limits::regex_program_bytes_max is
  // refused.
  [[nodiscard]] static Result<std::shared_ptr<const Regex>> compile(std::string_view expression);
  ~Regex();

  // Whether the expression matches the whole text.
  [[nodiscard]] bool matches(std::string_view text) const;
  // Every match in `text` replaced by `substitution`, which was checked: "\1" to "\9" in it are the groups, "\0" is the
  // match. Nothing when there are more than limits::regex_replacements_max, or the result is longer than `bytes_max`.
  [[nodiscard]] std::optional<std::string> replace_all(std::string_view text, std::string_view substitution,
                                                       size_t bytes_max) const;
  // What is wrong with a substitution for this expression, or nothing.
  [[nodiscard]] Status check_substitution(std::string_view substitution) const;

  [[nodiscard]] const std::string& expression() const noexcept;

 private:
  explicit Regex(std::unique_ptr<const re2::RE2> compiled) noexcept;

  std::unique_ptr<const re2::RE2> compiled_;
};

}  // namespace sluice::snapshot
