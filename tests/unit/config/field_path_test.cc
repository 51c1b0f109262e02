#include "config/field_path.h"

#include "config_testing.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::config {
namespace {

std::vector<Diagnostic> diagnostics_of(std::string_view text) {
  Diagnostics diagnostics;
  static_cast<void>(load_text("test.yaml", text, diagnostics));
  return diagnostics.sorted();
}

// The fields of the diagnostics whose messages contain `part`.
std::vector<std::string> fields_of(std::string_view text, std::string_view part) {
  std::vector<std::string> fields;
  for (const Diagnostic& diagnostic : diagnostics_of(text)) {
    if (diagnostic.message.contains(part)) fields.push_back(diagnostic.field);
  }
  return fields;
}

using Fields = std::vector<std::string>;

TEST(FieldPath, IsKnownWhereADocumentIsRead) {
  const std::string text = gateway("gw", R"([{port: {number: -1, name: a, protocol: HTPT}, hosts: ["*"], bnid: x}])");
  EXPECT_EQ(fields_of(text, "whole number"), Fields{"spec.servers[0].port.number"});
  EXPECT_EQ(fields_of(text, "unknown value"), Fields{"spec.servers[0].port.protocol"});
  EXPECT_EQ(fields_of(text, "unknown field"), Fields{"spec.servers[0].bnid"}) << "of the key itself";
  EXPECT_EQ(fields_of(virtual_service("v", "hosts: [a], http: [{fault: {abort: {http2Error: a}}, route: []}]"),
                      "not supported"),
            Fields{"spec.http[0].fault.abort.http2Error"});
}

TEST(FieldPath, IsFoundByThePlaceForChecksThatKnowNoPath) {
  EXPECT_EQ(fields_of(gateway("gw", R"([{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.test, "x y"],
              tls: {mode: SIMPLE, credentialName: c, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256, MAGIC]}}])"),
                      "is not known and dropped"),
            Fields{"spec.servers[0].tls.cipherSuites[1]"});
  EXPECT_EQ(fields_of(gateway("gw", R"([{port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test, "x y"]}])"),
                      "is not a host"),
            Fields{"spec.servers[0].hosts[1]"});
}

TEST(FieldPath, IsEmptyForWhatIsOfAWholeDocumentOrOfNone) {
  EXPECT_EQ(fields_of("a: [1, 2\n", "invalid YAML"), Fields{""});
  EXPECT_EQ(fields_of("- 1\n", "a document must be an object"), Fields{""});
  EXPECT_EQ(fields_of("", "nothing to serve"), Fields{""});
}

TEST(FieldPath, EscapesKeysAndBoundsThem) {
  std::string path;
  append_key(path, "spec");
  append_key(path, "apiVersion");
  EXPECT_EQ(path, "spec.apiVersion");
  append_key(path, "app.kubernetes.io/name");
  EXPECT_EQ(path, R"(spec.apiVersion["app.kubernetes.io/name"])");
  path.clear();
  append_key(path, "a\n\x1b\"");
  EXPECT_EQ(path, R"(["a\x0a\x1b\""])");
  path.clear();
  append_key(path, std::string(100'000, 'x'));
  EXPECT_LT(path.size(), 200u);
}

TEST(FieldPath, HintsAreApartFromMessages) {
  const std::vector<Diagnostic> unknown = diagnostics_of("apiVersion: networking.istio.io/v1\nkind: Gatewya\n");
  ASSERT_FALSE(unknown.empty());
  const auto with_hint = std::ranges::find_if(unknown, [](const Diagnostic& some) { return !some.hint.empty(); });
  ASSERT_NE(with_hint, unknown.end());
  EXPECT_EQ(with_hint->hint, "did you mean \"Gateway\"?");
  EXPECT_FALSE(with_hint->message.contains("did you mean"));
  EXPECT_TRUE(with_hint->to_string().ends_with("; did you mean \"Gateway\"?"));
}

}  // namespace
}  // namespace sluice::config
