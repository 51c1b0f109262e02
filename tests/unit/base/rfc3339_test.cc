#include "base/rfc3339.h"

#include <gtest/gtest.h>

#include <string_view>

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(Rfc3339, IsReadWithAnyOffset) {
  const WallTime time(1'785'578'400s);
  for (const std::string_view text :
       {"2026-08-01T10:00:00Z", "2026-08-01t10:00:00z", "2026-08-01T12:00:00+02:00", "2026-08-01T04:30:00-05:30",
        "2026-08-01T10:00:00.123456Z", "2026-07-31T23:59:00-10:01"}) {
    EXPECT_EQ(parse_rfc3339(text), time) << text;
  }
}

TEST(Rfc3339, IsRefusedWhenItIsAnythingElse) {
  for (const std::string_view text :
       {"", "2026", "2026-08-01", "2026-08-01T10:00:00", "2026-08-01 10:00:00Z", "2026-13-01T10:00:00Z",
        "2026-02-30T10:00:00Z", "2026-08-01T24:00:00Z", "2026-08-01T10:60:00Z", "2026-08-01T10:00:61Z",
        "2026-08-01T10:00:00.Z", "2026-08-01T10:00:00+0200", "2026-08-01T10:00:00+24:00", "2026-08-01T10:00:00Z ",
        "1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "+026-08-01T10:00:00Z", "2026-8-01T10:00:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

}  // namespace
}  // namespace sluice
