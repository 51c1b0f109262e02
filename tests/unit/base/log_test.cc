#include "base/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace sluice {
namespace {

using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

constexpr const char* kStamp = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z ";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    EXPECT_NE(end, std::string::npos) << "the last line has no end";
    lines.push_back(text.substr(start, end - start));
    start = end == std::string::npos ? text.size() : end + 1;
  }
  return lines;
}

class Log : public testing::Test {
 protected:
  ~Log() override { log::set_level(log::Level::info); }
};

TEST_F(Log, WritesOneLineWithTimeAndLevelAndText) {
  CaptureStderr();
  log::warning("reload: {} of {} documents", 3, 4);
  const auto lines = lines_of(GetCapturedStderr());
  ASSERT_EQ(lines.size(), 1U);
  ASSERT_EQ(lines[0].size(), 24 + std::string(" warning reload: 3 of 4 documents").size()) << lines[0];
  EXPECT_EQ(lines[0].substr(24), " warning reload: 3 of 4 documents");
  EXPECT_TRUE(testing::internal::RE::FullMatch(lines[0], std::string(kStamp) + ".*$")) << lines[0];
}

TEST_F(Log, DropsLinesBelowItsLevel) {
  CaptureStderr();
  log::debug("not shown");
  log::info("shown");
  log::set_level(log::Level::error);
  log::warning("not shown");
  log::error("shown too");
  log::set_level(log::Level::debug);
  log::debug("shown at last");
  const auto lines = lines_of(GetCapturedStderr());
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_TRUE(lines[0].ends_with(" info shown"));
  EXPECT_TRUE(lines[1].ends_with(" error shown too"));
  EXPECT_TRUE(lines[2].ends_with(" debug shown at last"));
}

// A name in a certificate or a document must not forge a line or move the cursor of a terminal.
TEST_F(Log, KeepsHostileTextOnOneLine) {
  CaptureStderr();
  log::error("name {}", "a\nb\r\nc\x1b[2Jd\te");
  const auto lines = lines_of(GetCapturedStderr());
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].ends_with(" error name a b  c [2Jd\te")) << lines[0];
}

TEST_F(Log, DoesNotMixTheLinesOfSeveralThreads) {
  constexpr int kThreads = 4;
  constexpr int kLines = 50;
  CaptureStderr();
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([thread] {
        for (int i = 0; i < kLines; ++i) log::info("{}", std::string(300, static_cast<char>('a' + thread)));
      });
    }
  }
  const auto lines = lines_of(GetCapturedStderr());
  ASSERT_EQ(lines.size(), static_cast<size_t>(kThreads * kLines));
  for (const std::string& line : lines) {
    const std::string text = line.substr(line.rfind(' ') + 1);
    EXPECT_EQ(text.size(), 300U);
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [&](char c) { return c == text[0]; })) << line;
  }
}

}  // namespace
}  // namespace sluice
