#include "config/duration.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

using namespace std::chrono_literals;

TEST(Durations, AreReadAsGoWritesThem) {
  EXPECT_EQ(parse_duration("1h30m"), 90min);
  EXPECT_EQ(parse_duration("0.5s"), 500ms);
  EXPECT_EQ(parse_duration("1.5h"), 90min);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("3us"), 3us);
  EXPECT_EQ(parse_duration("3µs"), 3us);
  EXPECT_EQ(parse_duration("3μs"), 3us);
  EXPECT_EQ(parse_duration("7ns"), 7ns);
  EXPECT_EQ(parse_duration("1m1ms"), 60001ms);
  EXPECT_EQ(parse_duration("0"), 0s);
  EXPECT_EQ(parse_duration("0s"), 0s);
  EXPECT_EQ(parse_duration(".5s"), 500ms);
  EXPECT_EQ(parse_duration("5.s"), 5s);
  EXPECT_EQ(parse_duration("0.1s"), 100ms);
  EXPECT_EQ(parse_duration("0.123456789s"), 123'456'789ns);
}

TEST(Durations, DropWhatIsBelowANanosecond) {
  EXPECT_EQ(parse_duration("0.0000000019s"), 1ns);
  EXPECT_EQ(parse_duration("0." + std::string(1000, '9') + "h"), 1h - 1ns);
}

TEST(Durations, RefuseEverythingElse) {
  for (const std::string_view text :
       {"", "1", "s", "1x", "1 s", " 1s", "1s ", "-1s", "+1s", "1h-5m", ".s", "1..5s", "1e3s", "∞", "1d"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(Durations, RefuseWhatDoesNotFit) {
  EXPECT_EQ(parse_duration("2562047h"), 2562047h);
  EXPECT_EQ(parse_duration("2562048h"), std::nullopt);
  EXPECT_EQ(parse_duration("9223372036854775807ns"), Duration::max());
  EXPECT_EQ(parse_duration("9223372036854775807ns1ns"), std::nullopt);
  EXPECT_EQ(parse_duration("9223372036854775808ns"), std::nullopt);
  EXPECT_EQ(parse_duration(std::string(1000, '9') + "s"), std::nullopt);
}

}  // namespace
}  // namespace sluice::config
