// The documents in tests/documents, as users have them: modelled on the samples of Istio, the tutorials of Kyma and the
// forms of kyma-gateway. Each is compiled, or refused with messages that name what is not supported.
#include "config_testing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <ostream>
#include <set>

namespace sluice::config {
namespace {

namespace filesystem = std::filesystem;

struct FieldDocuments {
  std::string_view folder;
  std::vector<std::string_view> errors{};     // none: it is compiled; else a part of each, in the order of lines
  std::vector<std::string_view> listeners{};  // of what is compiled
};

// For the names of tests that fail.
void PrintTo(const FieldDocuments& documents, std::ostream* out) { *out << documents.folder; }

const FieldDocuments all_documents[] = {
    {.folder = "bookinfo", .listeners = {"0.0.0.0:80"}},
    // Its subsets are empty (warnings): which pods have their labels is told by documents that are not there.
    {.folder = "bookinfo-all-v1", .listeners = {"0.0.0.0:80"}},
    // Its certificates are not obtained yet (warnings).
    {.folder = "gardener-certificates", .listeners = {"0.0.0.0:443", "0.0.0.0:8443"}},
    {.folder = "helloworld", .listeners = {"0.0.0.0:80"}},
    {.folder = "httpbin", .listeners = {"0.0.0.0:80"}},
    {.folder = "kyma-apirule", .listeners = {"0.0.0.0:8443", "0.0.0.0:8080"}},
    {.folder = "kyma-gateway-operator", .listeners = {"0.0.0.0:8443", "0.0.0.0:8080"}},
    {.folder = "kyma-gateway-static", .listeners = {"0.0.0.0:8443", "0.0.0.0:8080"}},
    {.folder = "kyma-gateway-template", .listeners = {"0.0.0.0:8443", "0.0.0.0:8080"}},
    // What protects is not built, and must not be left out.
    {.folder = "kyma-jwt",
     .errors = {"spec.rules[0].jwt is not supported yet", "spec.rules[0].extAuth is not supported yet",
                "APIRule v1beta1 is not supported", "RateLimit (how many requests are let through) is not supported"}},
    {.folder = "kyma-mtls", .listeners = {"0.0.0.0:8443"}},
};

class DocumentsOfTheField : public testing::TestWithParam<FieldDocuments> {};

TEST_P(DocumentsOfTheField, AreCompiledOrRefusedByName) {
  Diagnostics diagnostics;
  const auto snapshot =
      load({(filesystem::path(DOCUMENTS_FOLDER) / std::string(GetParam().folder)).string()}, diagnostics);
  std::vector<std::string> errors;
  for (const Diagnostic& diagnostic : diagnostics.sorted()) {
    if (diagnostic.severity == Severity::error) errors.push_back(diagnostic.to_string());
  }
  const std::vector<std::string_view>& expected = GetParam().errors;
  EXPECT_TRUE(std::ranges::equal(errors, expected, [](const std::string& said, std::string_view part) {
    return said.contains(part);
  })) << testing::PrintToString(errors);
  ASSERT_EQ(snapshot != nullptr, expected.empty());
  if (snapshot == nullptr) return;
  std::vector<std::string> listeners;
  for (const snapshot::Listener& listener : snapshot->listeners) listeners.push_back(listener.address.to_string());
  EXPECT_TRUE(std::ranges::equal(listeners, GetParam().listeners)) << testing::PrintToString(listeners);
}

INSTANTIATE_TEST_SUITE_P(Folders, DocumentsOfTheField, testing::ValuesIn(all_documents), [](const auto& each) {
  std::string name(each.param.folder);
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(FoldersOfDocuments, AreAllInTheTable) {
  std::set<std::string> folders;
  for (const auto& entry : filesystem::directory_iterator(DOCUMENTS_FOLDER))
    folders.insert(entry.path().filename().string());
  std::set<std::string> known;
  for (const FieldDocuments& each : all_documents) known.emplace(each.folder);
  EXPECT_EQ(folders, known);
}

}  // namespace
}  // namespace sluice::config
