#include "control/watchdog.h"

#include <gtest/gtest.h>

#include <array>

namespace sluice::control {
namespace {

using namespace std::chrono_literals;

class WatchdogOfTwoShards : public testing::Test {
 protected:
  bool is_due_at(Duration since_start) {
    return watchdog_.is_due([this](unsigned i) { return turns_[i]; },
                            start_ + std::chrono::duration_cast<Watchdog::Time::duration>(since_start));
  }

  Watchdog::Time start_{};
  std::array<uint64_t, 2> turns_{0, 0};
  Watchdog watchdog_{20s, 2, start_};
};

TEST_F(WatchdogOfTwoShards, TellsTheManagerWellBeforeTheIntervalIsOver) {
  turns_ = {1, 1};
  EXPECT_FALSE(is_due_at(4s));
  EXPECT_TRUE(is_due_at(5s));
  turns_ = {2, 2};
  EXPECT_FALSE(is_due_at(9s));
  EXPECT_TRUE(is_due_at(10s));
}

TEST_F(WatchdogOfTwoShards, IsSilentWhileAnyShardHangs) {
  turns_ = {100, 1};
  EXPECT_TRUE(is_due_at(5s));
  turns_ = {200, 1};
  EXPECT_FALSE(is_due_at(10s));
  EXPECT_FALSE(is_due_at(100s));
  turns_ = {300, 2};
  EXPECT_TRUE(is_due_at(100s));
}

}  // namespace
}  // namespace sluice::control
