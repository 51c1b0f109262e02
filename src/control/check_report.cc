#include "control/check_report.h"

#include "config/utf8.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <optional>

namespace sluice::control {

namespace {

using Json = nlohmann::ordered_json;
using config::Diagnostic;

constexpr std::string_view replacement_character = "\xef\xbf\xbd";

// Without control characters (tabs and line ends are left) and in well-formed UTF-8. Messages are already; names of
// files are whatever the file system has.
std::string printable(std::string_view text) {
  std::string result;
  while (const std::optional<config::BadByte> bad = config::find_bad_byte(text)) {
    result += text.substr(0, bad->offset);
    result += replacement_character;
    text.remove_prefix(bad->offset + 1);
  }
  result += text;
  return result;
}

std::string one_line(std::string_view text) {
  std::string result = printable(text);
  for (char& c : result) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return result;
}

std::string text_report(const CheckOutcome& outcome) {
  std::string report;
  for (const Diagnostic& diagnostic : outcome.diagnostics) report += one_line(diagnostic.to_string()) + "\n";
  return report;
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(printable(text)); }

Json number_or_null(unsigned number) { return number == 0 ? Json() : Json(number); }

std::string json_report(const CheckOutcome& outcome) {
  Json diagnostics = Json::array();
  for (const Diagnostic& diagnostic : outcome.diagnostics) {
    diagnostics.push_back({{"severity", config::severity_name(diagnostic.severity)},
                           {"file", text_or_null(diagnostic.place.file)},
                           {"line", number_or_null(diagnostic.place.line)},
                           {"column", number_or_null(diagnostic.place.column)},
                           {"field", text_or_null(diagnostic.field)},
                           {"message", printable(diagnostic.message)},
                           {"hint", text_or_null(diagnostic.hint)}});
  }
  const Json report = {{"valid", outcome.is_valid},
                       {"errors", outcome.error_count},
                       {"warnings", outcome.warning_count},
                       {"hash", text_or_null(outcome.hash)},
                       {"diagnostics", std::move(diagnostics)}};
  return report.dump(2) + "\n";
}

// As in actions/toolkit, packages/core/src/command.ts: a value of a property ends at ':' or ',' beside.
std::string escaped(std::string_view text, bool is_property) {
  std::string result;
  for (const char c : printable(text)) {
    switch (c) {
      case '%': result += "%25"; break;
      case '\r': result += "%0D"; break;
      case '\n': result += "%0A"; break;
      case ':': result += is_property ? "%3A" : ":"; break;
      case ',': result += is_property ? "%2C" : ","; break;
      default: result += c;
    }
  }
  return result;
}

std::string_view github_command(config::Severity severity) noexcept {
  switch (severity) {
    case config::Severity::info: return "notice";
    case config::Severity::warning: return "warning";
    case config::Severity::error: return "error";
  }
  return "error";
}

std::string github_report(const CheckOutcome& outcome) {
  std::string report;
  for (const Diagnostic& diagnostic : outcome.diagnostics) {
    const SourcePlace& place = diagnostic.place;
    std::string properties;
    if (!place.file.empty()) properties += fmt::format("file={},", escaped(place.file, true));
    if (place.line > 0) properties += fmt::format("line={},col={},", place.line, place.column);
    const std::string title = diagnostic.field.empty() ? "sluice check" : "sluice check: " + diagnostic.field;
    report += fmt::format("::{} {}title={}::{}\n", github_command(diagnostic.severity), properties,
                          escaped(title, true), escaped(diagnostic.text(), false));
  }
  return report;
}

}  // namespace

std::string check_report(const CheckOutcome& outcome, CheckFormat format) {
  switch (format) {
    case CheckFormat::text: return text_report(outcome);
    case CheckFormat::json: return json_report(outcome);
    case CheckFormat::github: return github_report(outcome);
  }
  return {};
}

}  // namespace sluice::control
