#include "observe/access_log.h"

#include "base/limits.h"

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
  format_default_line(record, line);
  return line;
}

TEST(AccessLogLine, IsIstiosDefaultFormat) {
  EXPECT_EQ(line_of(Sample().record),
            "[2026-11-25T10:15:04.123Z] \"GET /headers?x=1 HTTP/1.1\" 200 - via_upstream - \"-\" 5 1234 12 11 "
            "\"192.0.2.1\" \"curl/7.88.1\" \"0b3a5a52-8f5c-4f3e-9c3f-0a9a4a3d2f10\" \"httpbin.local.kyma.dev\" "
            "\"10.0.0.7:8000\" outbound|8000||httpbin.default.svc.cluster.local 10.0.0.1:40000 [::1]:443 "
            "192.0.2.1:55555 httpbin.local.kyma.dev default\n");
}

TEST(AccessLogLine, HasADashForWhatIsAbsent) {
  RequestRecord record;
  record.start = kStart;
  record.flags.set(ResponseFlag::downstream_protocol_error);
  record.status = 400;
  EXPECT_EQ(line_of(record),
            "[2026-11-25T10:15:04.123Z] \"- - HTTP/1.1\" 400 DPE - - \"-\" 0 0 0 - \"-\" \"-\" \"-\" \"-\" \"-\" - - "
            "0.0.0.0:0 0.0.0.0:0 - -\n");
}

TEST(AccessLogLine, HasNeitherMethodNorProtocolNorCodeForAConnectionWithoutHttp) {
  const Sample sample;
  RequestRecord record;
  record.is_tcp = true;
  record.start = kStart;
  record.duration = std::chrono::seconds(2);
  record.flags.set(ResponseFlag::upstream_connection_failure);
  record.flags.set(ResponseFlag::upstream_retry_limit_exceeded);
  record.details = "upstream_connection_failure";
  record.upstream_failure_reason = "connection_timeout";
  record.bytes_received = 100;
  record.bytes_sent = 2000;
  record.cluster = &sample.cluster;
  record.upstream_host = &sample.upstream;
  record.downstream_local = *SocketAddress::parse("192.0.2.2:5432");
  record.downstream_remote = *SocketAddress::parse("192.0.2.1:55555");
  record.requested_server_name = "db.local.kyma.dev";
  EXPECT_EQ(
      line_of(record),
      "[2026-11-25T10:15:04.123Z] \"- - -\" 0 UF,URX upstream_connection_failure - \"connection_timeout\" 100 2000 "
      "2000 - \"-\" \"-\" \"-\" \"-\" \"10.0.0.7:8000\" outbound|8000||httpbin.default.svc.cluster.local - "
      "192.0.2.2:5432 192.0.2.1:55555 db.local.kyma.dev -\n");
}

TEST(AccessLogLine, IsAppendedToWhatIsThere) {
  std::string out = "before";
  format_default_line(Sample().record, out);
  EXPECT_TRUE(out.starts_with("before[2026-11-25T10:15:04.123Z] "));
  EXPECT_TRUE(out.ends_with(" default\n"));
}

TEST(AccessLogLine, TellsTheTimeOfEveryRequestAcrossSecondsAndDays) {
  Sample sample;
  const auto stamp_at = [&sample](int64_t milliseconds) {
    sample.record.start = WallTime(std::chrono::milliseconds(milliseconds));
    return line_of(sample.record).substr(0, 26);
  };
  EXPECT_EQ(stamp_at(1'795'601'704'999), "[2026-11-25T10:15:04.999Z]");
  EXPECT_EQ(stamp_at(1'795'601'705'000), "[2026-11-25T10:15:05.000Z]");
  EXPECT_EQ(stamp_at(1'795'601'704'007), "[2026-11-25T10:15:04.007Z]") << "also back in time";
  EXPECT_EQ(stamp_at(1'798'761'599'999), "[2026-12-31T23:59:59.999Z]");
  EXPECT_EQ(stamp_at(0), "[1970-01-01T00:00:00.000Z]");
  EXPECT_EQ(stamp_at(-1), "[1970-01-01T00:00:00.000Z]") << "a clock before the epoch";
}

// A client's text must neither end the line, nor close a quote, nor move a terminal's cursor.
TEST(AccessLogLine, StaysOneLineWhateverAClientSends) {
  Sample sample;
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  sample.record.path = sample.record.user_agent = sample.record.authority = sample.record.forwarded_for = every;
  sample.record.method = sample.record.request_id = sample.record.details = every;
  sample.record.requested_server_name = every;
  const std::string line = line_of(sample.record);
  for (const char c : line.substr(0, line.size() - 1)) ASSERT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
  EXPECT_EQ(line.back(), '\n');

  sample.record.user_agent = "a\"b\\c\nd\x9b\xc3\xbc";
  EXPECT_NE(line_of(sample.record).find(R"("a\"b\\c\x0ad\x9b\xc3\xbc")"), std::string::npos);
}

// Texts are looked at eight bytes at a time: every byte, in every place of such a word and after it.
TEST(AccessLogLine, EscapesEveryByteInEveryPlace) {
  Sample sample;
  for (unsigned c = 0; c < 256; ++c) {
    for (size_t place = 0; place < 12; ++place) {
      std::string text = "abcdefgh~ !}";
      text[place] = static_cast<char>(c);
      std::string expected;
      for (const char each : text) {
        char escaped[8];
        const auto byte = static_cast<unsigned char>(each);
        std::snprintf(escaped, sizeof escaped,
                      byte < 0x20 || byte > 0x7e    ? "\\x%02x"
                      : each == '"' || each == '\\' ? "\\%c"
                                                    : "%c",
                      byte);
        expected += escaped;
      }
      sample.record.user_agent = text;
      ASSERT_NE(line_of(sample.record).find(" \"" + expected + "\" "), std::string::npos) << c << " at " << place;
    }
  }
}

TEST(AccessLogLine, KeepsItsColumnsWhenAWordHasSpaces) {
  Sample sample;
  sample.record.details = "upstream reset before headers";
  sample.record.requested_server_name = "a b";
  EXPECT_NE(line_of(sample.record).find(" upstream_reset_before_headers - "), std::string::npos);
  EXPECT_TRUE(line_of(sample.record).ends_with(" a_b default\n"));
}

TEST(AccessLogLine, HoldsTheLongestTexts) {
  Sample sample;
  const std::string path(limits::target_bytes_max, '\x01');
  const std::string agent(limits::head_bytes_max, '\xff');
  sample.record.path = path;
  sample.record.user_agent = agent;
  EXPECT_GT(line_of(sample.record).size(), 4 * (path.size() + agent.size()));
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

}  // namespace
}  // namespace sluice::observe
