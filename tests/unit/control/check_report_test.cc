#include "control/check_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace sluice::control {
namespace {

using config::Severity;
using Json = nlohmann::json;

CheckOutcome sample() {
  return {.is_valid = false,
          .error_count = 1,
          .warning_count = 1,
          .hash = "",
          .diagnostics = {{Severity::error, {"a.yaml", 12, 5}, "unknown field", "did you mean \"hosts\"?", "spec.hots"},
                          {Severity::warning, {}, "nothing to serve"},
                          {Severity::info, {"folder"}, "empty"}}};
}

TEST(CheckReport, AsTextHasOneLineForEach) {
  EXPECT_EQ(check_report(sample(), CheckFormat::text),
            "a.yaml:12:5: error: unknown field; did you mean \"hosts\"?\n"
            "warning: nothing to serve\n"
            "folder: info: empty\n");
}

TEST(CheckReport, AsJsonIsOneObjectWithNullForWhatIsNotThere) {
  EXPECT_EQ(Json::parse(check_report(sample(), CheckFormat::json)), Json::parse(R"({
    "valid": false, "errors": 1, "warnings": 1, "hash": null,
    "diagnostics": [
      {"severity": "error", "file": "a.yaml", "line": 12, "column": 5, "field": "spec.hots",
       "message": "unknown field", "hint": "did you mean \"hosts\"?"},
      {"severity": "warning", "file": null, "line": null, "column": null, "field": null,
       "message": "nothing to serve", "hint": null},
      {"severity": "info", "file": "folder", "line": null, "column": null, "field": null, "message": "empty",
       "hint": null}]})"));
  EXPECT_EQ(Json::parse(check_report({.is_valid = true, .hash = "abc"}, CheckFormat::json)),
            Json::parse(R"({"valid": true, "errors": 0, "warnings": 0, "hash": "abc", "diagnostics": []})"));
}

TEST(CheckReport, ForGithubIsOneWorkflowCommandForEach) {
  EXPECT_EQ(check_report(sample(), CheckFormat::github),
            "::error file=a.yaml,line=12,col=5,title=sluice check%3A spec.hots::unknown field; did you mean "
            "\"hosts\"?\n"
            "::warning title=sluice check::nothing to serve\n"
            "::notice file=folder,title=sluice check::empty\n");
}

// Every text of a diagnostic: with line ends, what ends a property or begins a command, an escape sequence and
// bytes that are not UTF-8.
CheckOutcome hostile() {
  const std::string text = "x\n::set-output name=a::b\r\n,line=1::\x1b[31m%0A\xff\xc3 \xe2\x82";
  return {.error_count = 1, .diagnostics = {{Severity::error, {text, 1, 2}, text, text, text}}};
}

TEST(CheckReport, HostileTextsEndNoLineAndReachNoTerminal) {
  for (const CheckFormat format : {CheckFormat::text, CheckFormat::json, CheckFormat::github}) {
    const std::string report = check_report(hostile(), format);
    EXPECT_FALSE(report.contains('\x1b'));
    EXPECT_FALSE(report.contains('\r'));
    EXPECT_FALSE(report.contains('\xff'));
    EXPECT_FALSE(report.contains("\n::set-output")) << report;
    if (format != CheckFormat::json) {
      EXPECT_EQ(std::ranges::count(report, '\n'), 1) << report;
    }
  }
}

TEST(CheckReport, HostileTextsStayInTheirPlaceInWorkflowCommands) {
  const std::string report = check_report(hostile(), CheckFormat::github);
  const std::string in_property =
      "x%0A%3A%3Aset-output name=a%3A%3Ab%0D%0A%2Cline=1%3A%3A\uFFFD[31m%250A\uFFFD\uFFFD \uFFFD\uFFFD";
  const std::string in_message = "x%0A::set-output name=a::b%0D%0A,line=1::\uFFFD[31m%250A\uFFFD\uFFFD \uFFFD\uFFFD";
  EXPECT_EQ(report, "::error file=" + in_property + ",line=1,col=2,title=sluice check%3A " + in_property +
                        "::" + in_message + "; " + in_message + "\n");
}

TEST(CheckReport, HostileTextsAreValuesInJson) {
  const Json report = Json::parse(check_report(hostile(), CheckFormat::json));
  const std::string expected = "x\n::set-output name=a::b\r\n,line=1::\uFFFD[31m%0A\uFFFD\uFFFD \uFFFD\uFFFD";
  EXPECT_EQ(report["diagnostics"][0]["message"], expected);
  EXPECT_EQ(report["diagnostics"][0]["file"], expected);
}

}  // namespace
}  // namespace sluice::control
