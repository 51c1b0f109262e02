#include "tls/fiber.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace sluice::tls {
namespace {

struct Traveller {
  std::string log;
  Fiber* fiber = nullptr;
};

void go_in_three_steps(void* argument) {
  auto& traveller = *static_cast<Traveller*>(argument);
  traveller.log += "a";
  traveller.fiber->stop();
  traveller.log += "b";
  traveller.fiber->stop();
  traveller.log += "c";
}

TEST(Fiber, GoesOnWhereItStopped) {
  FiberStacks stacks;
  Traveller traveller;
  Fiber fiber(stacks, stacks.take(), go_in_three_steps, &traveller);
  traveller.fiber = &fiber;
  for (const std::string_view log : {"a", "ab", "abc"}) {
    EXPECT_FALSE(fiber.is_done());
    fiber.resume();
    EXPECT_EQ(traveller.log, log);
  }
  EXPECT_TRUE(fiber.is_done());
}

TEST(Fiber, RunsInTurnsWithOthers) {
  FiberStacks stacks;
  std::vector<std::unique_ptr<Traveller>> travellers;
  std::vector<std::unique_ptr<Fiber>> fibers;
  for (int i = 0; i < 100; ++i) {
    travellers.push_back(std::make_unique<Traveller>());
    fibers.push_back(std::make_unique<Fiber>(stacks, stacks.take(), go_in_three_steps, travellers.back().get()));
    travellers.back()->fiber = fibers.back().get();
  }
  for (int step = 0; step < 3; ++step) {
    for (const auto& fiber : fibers) fiber->resume();
  }
  for (const auto& traveller : travellers) EXPECT_EQ(traveller->log, "abc");
  EXPECT_EQ(stacks.taken_count(), 0U);
}

TEST(Fiber, GivesItsStackBackAtItsEnd) {
  FiberStacks stacks;
  std::byte* stack = stacks.take();
  {
    Fiber fiber(stacks, stack, [](void*) {}, nullptr);
    fiber.resume();
  }
  EXPECT_EQ(stacks.taken_count(), 0U);
  std::byte* again = stacks.take();
  EXPECT_EQ(again, stack) << "the one that is still in the caches";
  stacks.give(again);
}

TEST(FiberStacks, KeepWhatABurstHasNeededUntilTheNextTrim) {
  FiberStacks stacks;
  const size_t burst = 4 * limits::idle_fiber_stacks_kept;
  std::vector<std::byte*> taken;
  const auto run_burst = [&] {
    while (taken.size() < burst) taken.push_back(stacks.take());
    for (; !taken.empty(); taken.pop_back()) stacks.give(taken.back());
  };
  run_burst();
  EXPECT_EQ(stacks.idle_count(), burst);

  run_burst();
  stacks.trim();
  EXPECT_EQ(stacks.idle_count(), burst) << "all of them were needed just now";

  std::byte* const needed = stacks.take();
  stacks.give(needed);
  stacks.trim();
  EXPECT_EQ(stacks.idle_count(), limits::idle_fiber_stacks_kept);
}

// A body that uses much of its stack, which must all be there.
void use_much_stack(void* sum) {
  std::vector<int>* result = static_cast<std::vector<int>*>(sum);
  volatile unsigned char room[FiberStacks::stack_bytes * 3 / 4];
  for (size_t i = 0; i < sizeof room; i += 512) room[i] = static_cast<unsigned char>(i >> 9);
  int total = 0;
  for (size_t i = 0; i < sizeof room; i += 512) total += room[i];
  result->push_back(total);
}

TEST(Fiber, HasAsMuchStackAsItSays) {
  FiberStacks stacks;
  std::vector<int> sums;
  for (int i = 0; i < 3; ++i) {
    Fiber fiber(stacks, stacks.take(), use_much_stack, &sums);
    fiber.resume();
  }
  ASSERT_EQ(sums.size(), 3U);
  EXPECT_EQ(sums[0], sums[2]);
}

TEST(FiberDeathTest, FaultsBelowItsStackInsteadOfWritingOverSomethingElse) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  FiberStacks stacks;
  std::byte* stack = stacks.take();
  EXPECT_DEATH(*static_cast<volatile std::byte*>(stack - 1) = std::byte{1}, "");
  stacks.give(stack);
}

}  // namespace
}  // namespace sluice::tls
