#include "base/parallel.h"

#include "base/release_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <set>
#include <string>
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

TEST(Helpers, AreThreads) {
  Helpers helpers(2);  // however many processors there are
  std::mutex mutex;
  std::set<std::thread::id> threads;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  // Whoever calls first waits for another one.
  helpers.for_each(2, [&](size_t) {
    for (bool is_alone = true; is_alone && std::chrono::steady_clock::now() < give_up;) {
      {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
        is_alone = threads.size() < 2;
      }
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(threads.size(), 2U);
}

TEST(ReleaseMemory, OfAStringGivesItsMemoryBack) {
  std::string text(100'000, 'x');
  release_memory(text);
  EXPECT_TRUE(text.empty());
  EXPECT_LT(text.capacity(), 100U);
}

TEST(RunApart, WaitsForAnotherThread) {
  std::thread::id other;
  run_apart([&] { other = std::this_thread::get_id(); });
  EXPECT_NE(other, std::thread::id());
  EXPECT_NE(other, std::this_thread::get_id());
}

}  // namespace
}  // namespace sluice
