#include "config/compatibility.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace sluice::config {
namespace {

TEST(Compatibility, DocumentInDocsIsOfTheseTables) {
  std::ifstream file(DOCS_FOLDER "/compatibility.md");
  std::stringstream written;
  written << file.rdbuf();
  // Not EXPECT_EQ: it would print both.
  EXPECT_TRUE(written.str() == compatibility_document())
      << "docs/compatibility.md is stale: a table of src/config/*_schema.cc has changed. Write it again with\n"
         "  sluice check --print-compatibility > docs/compatibility.md";
}

TEST(Compatibility, SaysWhatBecomesOfFieldsAndValues) {
  const std::string text = compatibility_document();
  for (const std::string_view line : {
           "| `spec.servers[].port.number` | **supported**, required | integer, 0 to 65535 | the port that clients "
           "use; "
           "0 with a Unix socket |",
           "| `spec.selector{}` | **supported** | string |",
           "| `spec.servers[].port.targetPort` | no effect |  |",
           "| `enableTracing` | **refused** | only `false`, which is done anyway |",
           "`PASSTHROUGH`, `MUTUAL`, `OPTIONAL_MUTUAL`; refused: `AUTO_PASSTHROUGH`, `ISTIO_MUTUAL` |",
           "| `EnvoyFilter` | networking.istio.io v1, v1beta1, v1alpha3 | no effect yet, and a warning |",
           "| `AuthorizationPolicy` | security.istio.io v1, v1beta1 | **refused** |",
       }) {
    EXPECT_TRUE(text.contains(line)) << line;
  }
}

}  // namespace
}  // namespace sluice::config
