#include "observe/access_log.h"

#include "base/limits.h"
#include "observe/access_log_line.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

namespace sluice::observe {
namespace {

// 2026-11-25T10:15:04.123Z
constexpr WallTime kStart{std::chrono::milliseconds(1'795'601'704'123)};

struct Sample {
  snapshot::Cluster cluster;
  snapshot::Route route;
  SocketAddress upstream = *SocketAddress::parse("10.0.0.7:8000");
  SocketAddress upstream_local = *SocketAddress::parse("10.0.0.1:40000");
  RequestRecord record;

  Sample() {
    cluster.name = "outbound|8000||httpbin.default.svc.cluster.local";
    route.name = "default";
    record.start = kStart;
    record.duration = std::chrono::microseconds(12'900);
    record.upstream_service_ms = 11;
    record.method = "GET";
    record.path = "/headers?x=1";
    record.authority = "httpbin.local.kyma.dev";
    record.user_agent = "curl/7.88.1";
    record.request_id = "0b3a5a52-8f5c-4f3e-9c3f-0a9a4a3d2f10";
    record.forwarded_for = "192.0.2.1";
    record.status = 200;
    record.details = "via_upstream";
    record.bytes_received = 5;
    record.bytes_sent = 1234;
    record.cluster = &cluster;
    record.route = &route;
    record.upstream_host = &upstream;
    record.upstream_local = &upstream_local;
    record.downstream_local = *SocketAddress::parse("[::1]:443");
    record.downstream_remote = *SocketAddress::parse("192.0.2.1:55555");
    record.requested_server_name = "httpbin.local.kyma.dev";
  }
};

std::string line_of(const RequestRecord& record) {
  std::string line;
  EXPECT_TRUE(write_access_log_line(nullptr, record, line));
  return line;
}

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
