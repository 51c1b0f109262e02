#include "config/diagnostic.h"

#include "base/limits.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

TEST(Diagnostic, ReadsAsCompilersWriteThem) {
  EXPECT_EQ((Diagnostic{Severity::error, {"a.yaml", 12, 5}, "unknown field"}.to_string()),
            "a.yaml:12:5: error: unknown field");
  EXPECT_EQ((Diagnostic{Severity::warning, {"folder"}, "empty"}.to_string()), "folder: warning: empty");
  EXPECT_EQ((Diagnostic{Severity::info, {}, "nothing"}.to_string()), "info: nothing");
}

TEST(Diagnostics, ComeInTheOrderOfFilesAndLines) {
  Diagnostics diagnostics;
  diagnostics.warning({"b.yaml", 1, 1}, "4");
  diagnostics.error({"a.yaml", 10, 1}, "3");
  diagnostics.info({"a.yaml", 9, 2}, "2");
  diagnostics.error({"a.yaml", 9, 1}, "1");
  diagnostics.error({"b.yaml", 1, 1}, "5");
  std::string order;
  for (const Diagnostic& diagnostic : diagnostics.sorted()) order += diagnostic.message;
  EXPECT_EQ(order, "12345");
  EXPECT_EQ(diagnostics.error_count(), 3u);
  EXPECT_EQ(diagnostics.warning_count(), 1u);
  EXPECT_EQ(diagnostics.info_count(), 1u);
  EXPECT_TRUE(diagnostics.has_errors());
}

TEST(Diagnostics, AreKeptUpToABoundForEachSeverityAndAllCounted) {
  Diagnostics diagnostics;
  for (size_t i = 0; i < limits::config_diagnostics_max + 7; ++i) diagnostics.warning({"a.yaml", 1, 1}, "again");
  diagnostics.error({"z.yaml", 1, 1}, "the one that matters");
  const std::vector<Diagnostic> sorted = diagnostics.sorted();
  ASSERT_EQ(sorted.size(), limits::config_diagnostics_max + 2);
  EXPECT_EQ(sorted[sorted.size() - 2].message, "the one that matters");
  EXPECT_EQ(sorted.back().to_string(), "warning: 7 more are not shown");
  EXPECT_EQ(diagnostics.warning_count(), limits::config_diagnostics_max + 7);
}

}  // namespace
}  // namespace sluice::config
