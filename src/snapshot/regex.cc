#include "snapshot/regex.h"

#include "base/limits.h"

#include <re2/re2.h>

#include <array>
#include <utility>

namespace sluice::snapshot {

namespace {

re2::StringPiece piece(std::string_view text) noexcept { return {text.data(), text.size()}; }

constexpr int groups_max = 10;  // "\0" to "\9"

}  // namespace

Regex::Regex(std::unique_ptr<const re2::RE2> compiled) noexcept : compiled_(std::move(compiled)) {}

Regex::~Regex() = default;

Result<std::shared_ptr<const Regex>> Regex::compile(std::string_view expression) {
  if (expression.size() > limits::regex_bytes_max)
    return failure("it is longer than " + std::to_string(limits::regex_bytes_max) + " bytes");
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(limits::regex_memory_bytes_max);
  auto compiled = std::make_unique<const re2::RE2>(piece(expression), options);
  if (!compiled->ok()) return failure(compiled->error());
  return std::shared_ptr<const Regex>(new Regex(std::move(compiled)));
}

bool Regex::matches(std::string_view text) const { return RE2::FullMatch(piece(text), *compiled_); }

std::optional<std::string> Regex::replace_all(std::string_view text, std::string_view substitution,
                                              size_t bytes_max) const {
  std::array<re2::StringPiece, groups_max> groups;
  const int group_count = 1 + RE2::MaxSubmatch(piece(substitution));
  std::string result;
  size_t at = 0;                      // everything before it is in the result
  size_t last_end = text.size() + 1;  // of the match before
  for (unsigned count = 0; at <= text.size();) {
    if (!compiled_->Match(piece(text), at, text.size(), RE2::UNANCHORED, groups.data(), group_count)) break;
    const size_t begin = static_cast<size_t>(groups[0].data() - text.data());
    result.append(text, at, begin - at);
    at = begin;
    if (groups[0].empty() && begin == last_end) {  // nothing more of what the match before has taken
      if (at < text.size()) result += text[at];
      ++at;
      continue;
    }
    if (++count > limits::regex_replacements_max) return std::nullopt;
    compiled_->Rewrite(&result, piece(substitution), groups.data(), group_count);
    at = last_end = begin + groups[0].size();
    if (result.size() > bytes_max) return std::nullopt;
  }
  if (at < text.size()) result.append(text, at);
  if (result.size() > bytes_max) return std::nullopt;
  return result;
}

Status Regex::check_substitution(std::string_view substitution) const {
  std::string wrong;
  if (!compiled_->CheckRewriteString(piece(substitution), &wrong)) return failure(std::move(wrong));
  return {};
}

const std::string& Regex::expression() const noexcept { return compiled_->pattern(); }

}  // namespace sluice::snapshot
