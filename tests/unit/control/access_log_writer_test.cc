#include "control/access_log_writer.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

namespace sluice::control {
namespace {

using namespace std::chrono_literals;

class AccessLog : public testing::Test {
 protected:
  AccessLog() {
    std::signal(SIGPIPE, SIG_IGN);  // as control::run does
    std::filesystem::create_directories(folder_);
  }
  ~AccessLog() override { std::filesystem::remove_all(folder_); }

  static std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  static void write_line(observe::AccessLogBuffer& buffer, std::string_view path) {
    observe::RequestRecord record;
    record.method = "GET";
    record.path = path;
    buffer.write_line(record);
  }

  static bool wait_for(auto condition) {
    for (int i = 0; i < 500; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  std::unique_ptr<AccessLogWriter> open(const std::string& path) const {
    auto writer = AccessLogWriter::open(path, state_);
    EXPECT_TRUE(writer.has_value());
    return std::move(*writer);
  }

  uint64_t lost_bytes() const {
    return state_->look([](const ProcessState::View& view) { return view.access_log_lost_bytes; });
  }

  const std::string folder_ = testing::TempDir() + "access_log_writer_test." + std::to_string(getpid());
  const std::string path_ = folder_ + "/access.log";
  std::shared_ptr<ProcessState> state_ = std::make_shared<ProcessState>();
};

TEST_F(AccessLog, EnablesTheBuffersAndWritesTheLinesOfAllOfThem) {
  observe::AccessLogBuffer first;
  observe::AccessLogBuffer second;
  const auto writer = open(path_);
  writer->start({&first, &second});
  EXPECT_TRUE(first.is_enabled() && second.is_enabled());
  write_line(first, "/1");
  write_line(second, "/2");
  EXPECT_TRUE(wait_for([this] { return std::ranges::count(content_of(path_), '\n') == 2; }));
  EXPECT_TRUE(content_of(path_).contains("\"GET /1 ") && content_of(path_).contains("\"GET /2 "));
}

TEST_F(AccessLog, WritesTheLastLinesWhenItStops) {
  observe::AccessLogBuffer buffer;
  const auto writer = open(path_);
  writer->start({&buffer});
  for (int i = 0; i < 1000; ++i) write_line(buffer, "/x");
  writer->stop();
  EXPECT_EQ(std::ranges::count(content_of(path_), '\n'), 1000);
}

TEST_F(AccessLog, AppendsToAFileThatIsThereAndHidesANewOneFromOthers) {
  std::ofstream(path_) << "old\n";
  {
    observe::AccessLogBuffer buffer;
    const auto writer = open(path_);
    writer->start({&buffer});
    write_line(buffer, "/new");
    writer->stop();
  }
  EXPECT_TRUE(content_of(path_).starts_with("old\n["));

  open(folder_ + "/fresh.log");
  struct stat found{};
  ASSERT_EQ(stat((folder_ + "/fresh.log").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07, 0U);
}

// As logrotate does it: rename, then signal.
TEST_F(AccessLog, ChangesToANewFileAfterARotationWithoutLosingALine) {
  observe::AccessLogBuffer buffer;
  const auto writer = open(path_);
  writer->start({&buffer});
  write_line(buffer, "/before");
  std::filesystem::rename(path_, path_ + ".1");
  writer->reopen();
  ASSERT_TRUE(wait_for([this] { return std::filesystem::exists(path_); }));
  write_line(buffer, "/after");
  writer->stop();
  EXPECT_TRUE(content_of(path_ + ".1").contains("/before"));
  EXPECT_TRUE(content_of(path_).contains("/after"));
  EXPECT_FALSE(content_of(path_).contains("/before"));
}

TEST_F(AccessLog, StaysWithTheOldFileWhenTheNewOneCannotBeOpened) {
  observe::AccessLogBuffer buffer;
  const auto writer = open(path_);
  writer->start({&buffer});
  std::filesystem::rename(path_, folder_ + "/rotated.log");
  std::filesystem::create_directory(path_);
  testing::internal::CaptureStderr();
  writer->reopen();
  std::this_thread::sleep_for(200ms);
  write_line(buffer, "/after");
  writer->stop();
  EXPECT_TRUE(testing::internal::GetCapturedStderr().contains("the old file stays in use"));
  EXPECT_TRUE(content_of(folder_ + "/rotated.log").contains("/after"));
}

TEST_F(AccessLog, CountsWhatADiskDoesNotTake) {
  observe::AccessLogBuffer buffer;
  const auto writer = open("/dev/full");
  writer->start({&buffer});
  testing::internal::CaptureStderr();
  write_line(buffer, "/lost");
  write_line(buffer, "/lost");
  writer->stop();
  EXPECT_TRUE(testing::internal::GetCapturedStderr().contains("ENOSPC"));
  EXPECT_GT(lost_bytes(), 100U);
}

// A pipe that nobody reads: the shards must not notice, and the end of the process must not wait for it.
TEST_F(AccessLog, EndsThoughItsReaderHasStopped) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const std::string path = "/proc/self/fd/" + std::to_string(fds[1]);
  {
    observe::AccessLogBuffer buffer;
    const auto writer = open(path);
    writer->start({&buffer});
    for (int i = 0; i < 20'000; ++i) write_line(buffer, "/x");
    std::this_thread::sleep_for(100ms);
    for (int i = 0; i < 20'000; ++i) write_line(buffer, "/x");
    EXPECT_GT(buffer.dropped_count(), 0U);
    const auto started = std::chrono::steady_clock::now();
    writer->stop();
    EXPECT_LT(std::chrono::steady_clock::now() - started, AccessLogWriter::stop_wait + 1s);
  }
  close(fds[0]);  // lets the thread's write(2) end
  close(fds[1]);
  std::this_thread::sleep_for(100ms);
}

TEST_F(AccessLog, SaysWhyItCannotBeOpened) {
  const auto writer = AccessLogWriter::open(folder_ + "/no/folder/access.log", state_);
  ASSERT_FALSE(writer.has_value());
  EXPECT_TRUE(writer.error().message.contains("ENOENT")) << writer.error().message;
}

}  // namespace
}  // namespace sluice::control
