#include "base/parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace sluice {
namespace {

TEST(Helpers, CallForEachOnce) {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{3}, size_t{1000}}) {
    std::vector<std::atomic<int>> calls(count);
    Helpers helpers;
    helpers.for_each(count, [&](size_t i) { ++calls[i]; });
    EXPECT_TRUE(std::ranges::all_of(calls, [](const auto& each) { return each == 1; })) << count;
  }
}

TEST(RunApart, WaitsForAnotherThread) {
  std::thread::id other;
  run_apart([&] { other = std::this_thread::get_id(); });
  EXPECT_NE(other, std::thread::id());
  EXPECT_NE(other, std::this_thread::get_id());
}

}  // namespace
}  // namespace sluice
