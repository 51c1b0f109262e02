#include "control/process_state.h"

#include "sample_state.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace sluice::control {
namespace {

TEST(ProcessState, StartsAsStartingAndWithNothing) {
  const ProcessState state;
  EXPECT_EQ(state.phase(), Phase::starting);
  state.look([](const ProcessState::View& view) {
    EXPECT_EQ(view.snapshot, nullptr);
    EXPECT_TRUE(view.shards.empty());
    EXPECT_EQ(view.reloads.success_count + view.reloads.failure_count, 0U);
  });
}

TEST(ProcessState, ForgetsAFailureOfAReloadOnlyWhenItIsRepairedButKeepsItsText) {
  ProcessState state;
  const auto was_last_successful = [&state] {
    return state.look([](const ProcessState::View& view) { return view.reloads.was_last_successful; });
  };
  state.record_load(sample_time);
  EXPECT_TRUE(was_last_successful());
  state.record_failed_reload(sample_time, {"a.yaml:1:1: error: no"});
  EXPECT_FALSE(was_last_successful());
  state.record_reload(sample_time);
  EXPECT_TRUE(was_last_successful());
  state.look([](const ProcessState::View& view) { EXPECT_EQ(view.reloads.last_failure_diagnostics.size(), 1U); });
}

// A page is being made of the old snapshot when a new one is published, which frees the old one.
TEST(ProcessState, KeepsASnapshotAliveWhileAPageIsMadeOfIt) {
  ProcessState state;
  snapshot::Cell cell(1);
  state.publish(cell, sample_snapshot());
  std::atomic<bool> is_over{false};
  std::thread reader([&] {
    while (!is_over) {
      state.look([](const ProcessState::View& view) {
        std::string all;
        for (const auto& cluster : view.snapshot->clusters) all += cluster.name;
        EXPECT_EQ(all, "outbound|8000||httpbin.default.svc.cluster.local");
      });
    }
  });
  for (uint64_t version = 2; version < 300; ++version) {
    state.publish(cell, sample_snapshot());
    cell.report(0, version);  // the only shard follows at once, so the next publication frees
  }
  is_over = true;
  reader.join();
  state.forget_snapshot();
}

}  // namespace
}  // namespace sluice::control
