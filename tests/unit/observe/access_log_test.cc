#include "observe/access_log.h"

#include "base/limits.h"
#include "sample_record.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

namespace sluice::observe {
namespace {

TEST(AccessLogBuffer, KeepsNothingUntilItIsEnabled) {
  AccessLogBuffer buffer;
  EXPECT_FALSE(buffer.is_enabled());
  buffer.write_line(Sample().record);
  std::string out;
  buffer.drain(out);
  EXPECT_EQ(out, "");
  EXPECT_EQ(buffer.dropped_count(), 0U);
}

TEST(AccessLogBuffer, GivesBackItsLinesOnceAndInOrder) {
  AccessLogBuffer buffer;
  buffer.set_enabled(true);
  Sample sample;
  sample.record.path = "/1";
  buffer.write_line(sample.record);
  const std::string first = line_of(sample.record);
  sample.record.path = "/2";
  buffer.write_line(sample.record);
  std::string out = "x";
  buffer.drain(out);
  EXPECT_EQ(out, "x" + first + line_of(sample.record));
  buffer.drain(out);
  EXPECT_EQ(out, "x" + first + line_of(sample.record));
}

TEST(AccessLogBuffer, DropsAndCountsWholeLinesWhenItIsFull) {
  AccessLogBuffer buffer;
  buffer.set_enabled(true);
  const Sample sample;
  const std::string line = line_of(sample.record);
  const size_t fitting = limits::access_log_buffer_bytes / line.size();
  for (size_t i = 0; i < fitting + 10; ++i) buffer.write_line(sample.record);
  EXPECT_EQ(buffer.dropped_count(), 10U);
  std::string out;
  buffer.drain(out);
  EXPECT_EQ(out.size(), fitting * line.size());
  buffer.write_line(sample.record);
  EXPECT_EQ(buffer.dropped_count(), 10U) << "there is room again";
}

// Lines of all lengths cross the end of the ring many times, while the other thread drains.
TEST(AccessLogBuffer, LosesNoByteBetweenTwoThreads) {
  AccessLogBuffer buffer;
  buffer.set_enabled(true);
  constexpr int kLines = 50'000;
  Sample sample;
  std::jthread shard([&] {
    for (int i = 0; i < kLines; ++i) {
      const std::string path = "/" + std::to_string(i) + std::string(static_cast<size_t>(i % 97), 'x');
      sample.record.path = path;
      buffer.write_line(sample.record);
      if (i % 64 == 0) std::this_thread::yield();
    }
  });
  std::string out;
  uint64_t lines = 0;
  int last = -1;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (lines + buffer.dropped_count() < kLines && std::chrono::steady_clock::now() < give_up) {
    out.clear();
    buffer.drain(out);
    size_t at = 0;
    for (size_t end; (end = out.find('\n', at)) != std::string::npos; at = end + 1, ++lines) {
      const std::string line = out.substr(at, end - at);
      ASSERT_TRUE(line.ends_with(" default") && line.starts_with("[2026-")) << line;
      const int number = std::stoi(line.substr(line.find("GET /") + 5));
      ASSERT_GT(number, last);
      last = number;
    }
    ASSERT_EQ(at, out.size()) << "half a line";
  }
  EXPECT_EQ(lines + buffer.dropped_count(), static_cast<uint64_t>(kLines));
  EXPECT_GT(lines, 0U);
}

TEST(AccessLogBuffer, WritesTheFormatThatItWasGiven) {
  AccessLogBuffer buffer;
  EXPECT_FALSE(buffer.needs().local_address) << "off";
  buffer.set_enabled(true);
  EXPECT_TRUE(buffer.needs().local_address) << "the default";
  snapshot::AccessLogFormat format;
  format.values.push_back({.before = {}, .format = {}});
  format.values.back().format.parts.push_back({.op = snapshot::Operator::request_field,
                                               .text = {},
                                               .field = {snapshot::FieldReference::Kind::method, {}},
                                               .alternative = {},
                                               .bytes_max = 0,
                                               .time = {}});
  format.end = "\n";
  format.needs.client_tls = true;
  buffer.set_format(&format);
  EXPECT_TRUE(buffer.needs().client_tls && !buffer.needs().local_address);
  const Sample sample;
  buffer.write_line(sample.record);
  buffer.set_format(nullptr);
  buffer.write_line(sample.record);
  std::string out;
  buffer.drain(out);
  EXPECT_EQ(out, "GET\n" + line_of(sample.record));
}

}  // namespace
}  // namespace sluice::observe
