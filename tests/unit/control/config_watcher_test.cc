// inotify tells of a change before the call that made it returns: no test waits, time is a parameter.
#include "control/config_watcher.h"

#include "base/limits.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sluice::control {
namespace {

namespace filesystem = std::filesystem;
using limits::watch_patience;
using limits::watch_quiet;

class ConfigWatch : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "sluice_watch_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = filesystem::path(name) / "config";
    filesystem::create_directory(folder_);
  }
  void TearDown() override { filesystem::remove_all(folder_.parent_path()); }

  void write(const std::string& name, std::string_view text = "x") {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  void watch(const filesystem::path& path) {
    watcher_.emplace(std::vector<std::string>{path.string()});
    ASSERT_TRUE(watcher_->restart());
  }

  // Whether a change was seen; then all is forgotten.
  bool has_seen() {
    const bool is_due_at_once = watcher_->is_due(now_);
    EXPECT_FALSE(is_due_at_once) << "it must become quiet first";
    now_ += watch_quiet;
    const bool is_due = watcher_->is_due(now_);
    EXPECT_TRUE(watcher_->restart());
    EXPECT_FALSE(watcher_->is_due(now_ + watch_patience)) << "one change is one reload";
    return is_due;
  }

  filesystem::path folder_;
  std::optional<ConfigWatcher> watcher_;
  ConfigWatcher::Time now_{};
};

TEST_F(ConfigWatch, SeesEveryWayToChangeAFileOfADirectory) {
  write("a.yaml");
  watch(folder_);
  EXPECT_FALSE(has_seen());
  write("a.yaml", "in place");
  EXPECT_TRUE(has_seen());
  std::ofstream(folder_ / "a.yaml", std::ios::app) << "more";
  EXPECT_TRUE(has_seen());
  write("b.json");
  EXPECT_TRUE(has_seen());
  write("a.yaml~new");
  EXPECT_FALSE(has_seen()) << "no document";
  filesystem::rename(folder_ / "a.yaml~new", folder_ / "a.yaml");
  EXPECT_TRUE(has_seen()) << "as editors do";
  filesystem::remove(folder_ / "a.yaml");
  EXPECT_TRUE(has_seen());
  filesystem::rename(folder_ / "b.json", folder_ / "b.off");
  EXPECT_TRUE(has_seen());
  write("a.yaml");
  EXPECT_TRUE(has_seen());
  filesystem::permissions(folder_ / "a.yaml", filesystem::perms::owner_read);
  EXPECT_TRUE(has_seen()) << "it may be readable now";
  write("tls.crt");
  EXPECT_TRUE(has_seen());
}

TEST_F(ConfigWatch, SeesNothingInWhatIsNotRead) {
  write("a.yaml");
  watch(folder_);
  write(".a.yaml.swp");
  write("notes.txt");
  filesystem::create_directory(folder_ / "deeper");
  std::string text;
  std::ifstream(folder_ / "a.yaml") >> text;
  EXPECT_FALSE(has_seen());
}

// The files themselves do not change: they are links through ..data.
TEST_F(ConfigWatch, SeesTheSwapOfAMountedDirectory) {
  for (const std::string state : {"..1", "..2"}) filesystem::create_directory(folder_ / state);
  filesystem::create_symlink("..1", folder_ / "..data");
  filesystem::create_symlink("..data/tls.crt", folder_ / "tls.crt");
  watch(folder_);
  filesystem::create_symlink("..2", folder_ / "..data_tmp");
  EXPECT_FALSE(has_seen());
  filesystem::rename(folder_ / "..data_tmp", folder_ / "..data");
  EXPECT_TRUE(has_seen());
}

TEST_F(ConfigWatch, SeesAFileThatWasGivenAndNotItsNeighbours) {
  write("a.conf");
  watch(folder_ / "a.conf");
  write("a.conf", "in place");
  EXPECT_TRUE(has_seen());
  write("b.yaml");
  EXPECT_FALSE(has_seen());
  filesystem::remove(folder_ / "a.conf");
  EXPECT_TRUE(has_seen());
  write("a.conf");
  EXPECT_TRUE(has_seen());
  filesystem::rename(folder_ / "b.yaml", folder_ / "a.conf");
  EXPECT_TRUE(has_seen());
  filesystem::create_directory(folder_ / "..1");
  filesystem::create_symlink("..1", folder_ / "..data");
  EXPECT_TRUE(has_seen()) << "it may be a link through it";
}

TEST_F(ConfigWatch, SeesADirectoryThatIsRemovedAndMadeAgain) {
  write("a.yaml");
  watch(folder_);
  filesystem::remove_all(folder_);
  EXPECT_TRUE(has_seen());
  filesystem::create_directory(folder_);
  EXPECT_TRUE(has_seen());
  write("a.yaml");
  EXPECT_TRUE(has_seen());
  filesystem::rename(folder_, folder_.parent_path() / "away");
  EXPECT_TRUE(has_seen());
  std::ofstream(folder_.parent_path() / "away" / "a.yaml") << "x";
  EXPECT_FALSE(has_seen()) << "it is not the configuration any more";
  filesystem::rename(folder_.parent_path() / "away", folder_);
  EXPECT_TRUE(has_seen());
}

TEST_F(ConfigWatch, SeesWhatAppearsFarBelow) {
  const filesystem::path deep = folder_ / "one" / "two" / "three";
  watch(deep / "a.yaml");
  filesystem::create_directory(folder_ / "other");
  EXPECT_FALSE(has_seen());
  filesystem::create_directories(deep);
  EXPECT_TRUE(has_seen());
  std::ofstream(deep / "a.yaml") << "x";
  EXPECT_TRUE(has_seen());
  filesystem::remove_all(folder_ / "one");
  EXPECT_TRUE(has_seen());
}

TEST_F(ConfigWatch, SeesALinkToADirectorySwapped) {
  const filesystem::path link = folder_ / "current";
  for (const std::string version : {"v1", "v2"}) filesystem::create_directory(folder_ / version);
  filesystem::create_directory_symlink("v1", link);
  watch(link.string() + "/");
  std::ofstream(folder_ / "v1" / "a.yaml") << "x";
  EXPECT_TRUE(has_seen());
  filesystem::create_directory_symlink("v2", folder_ / "next");
  filesystem::rename(folder_ / "next", link);
  EXPECT_TRUE(has_seen());
  std::ofstream(folder_ / "v1" / "a.yaml") << "y";
  EXPECT_FALSE(has_seen());
  std::ofstream(folder_ / "v2" / "a.yaml") << "x";
  EXPECT_TRUE(has_seen());
}

TEST_F(ConfigWatch, WaitsUntilItIsQuietButNotForEver) {
  watch(folder_);
  const ConfigWatcher::Time start = now_;
  for (; now_ < start + watch_patience; now_ += watch_quiet / 2) {
    write("a.yaml", "again");
    EXPECT_FALSE(watcher_->is_due(now_));
  }
  write("a.yaml", "again");
  EXPECT_TRUE(watcher_->is_due(now_));
}

TEST_F(ConfigWatch, ForgetsWhatARestartHasSeen) {
  watch(folder_);
  write("a.yaml");
  EXPECT_FALSE(watcher_->is_due(now_));
  write("b.yaml");
  ASSERT_TRUE(watcher_->restart());
  EXPECT_FALSE(watcher_->is_due(now_ + watch_patience));
}

// More events than the queue holds (fs.inotify.max_queued_events): that some are lost is an event too.
TEST_F(ConfigWatch, SeesThatEventsWereLost) {
  size_t queue_max = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue_max;
  if (queue_max == 0 || queue_max > 100'000) GTEST_SKIP() << "the queue is too long to fill it";
  watch(folder_);
  for (size_t i = 0; i <= queue_max / 2 + 1; ++i) {  // two events each, and equal ones in a row are one
    write("notes" + std::to_string(i % 2));
  }
  now_ += watch_quiet;
  bool is_due = false;
  for (int i = 0; i < 1000 && !is_due; ++i) {
    is_due = watcher_->is_due(now_);
    now_ += watch_quiet;
  }
  EXPECT_TRUE(is_due);
}

}  // namespace
}  // namespace sluice::control
