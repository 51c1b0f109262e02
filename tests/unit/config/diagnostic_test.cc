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

TEST(Diagnostics, AppendsWhatWasSaidElsewhereWithWhatWasLeftOut) {
  Diagnostics all;
  all.error({"a.yaml", 1, 1}, "first");
  Diagnostics other;
  for (size_t i = 0; i < limits::config_diagnostics_max + 5; ++i) other.error({"b.yaml", 1, 1}, "more");
  other.warning({"b.yaml", 2, 1}, "last");
  all.append(other);
  EXPECT_EQ(all.error_count(), limits::config_diagnostics_max + 6);
  EXPECT_EQ(all.warning_count(), 1U);
  EXPECT_EQ(all.kept().size(), limits::config_diagnostics_max + 1);
  EXPECT_EQ(all.sorted().back().message, "6 more are not shown");
}

}  // namespace
}  // namespace sluice::config
