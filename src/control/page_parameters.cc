#include "control/page_parameters.h"

#include "config/wording.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace sluice::control {

namespace {

std::optional<std::string> decoded(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
    result += static_cast<char>(value);
    i += 2;
  }
  return result;
}

}  // namespace

Result<PageParameters> PageParameters::parse(std::string_view query, std::span<const std::string_view> known) {
  PageParameters parameters;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    const auto name = decoded(pair.substr(0, equals));
    const auto value = decoded(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    if (!name || !value) return failure("a \"%\" of the query is not followed by two hexadecimal digits");
    if (std::ranges::find(known, *name) == known.end()) {
      const std::string meant = config::hint(*name, known);
      return failure("unknown parameter " + config::in_quotes(*name) + (meant.empty() ? "" : "; " + meant) +
                     "; this page has " + config::quoted_list(known) +
                     ", and a \"&\" inside of a value is written %26");
    }
    parameters.list_.emplace_back(*name, *value);
  }
  return parameters;
}

Result<std::string> PageParameters::only(std::string_view name) const {
  std::vector<std::string> values = all(name);
  if (values.empty()) return std::string();
  if (values.size() > 1) return failure("parameter " + config::in_quotes(name) + " is there more than once");
  return std::move(values.front());
}

std::vector<std::string> PageParameters::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [each, value] : list_) {
    if (each == name) values.push_back(value);
  }
  return values;
}

}  // namespace sluice::control
