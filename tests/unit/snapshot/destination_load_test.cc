#include "snapshot/destination_load.h"

#include "snapshot/snapshot.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace sluice::snapshot {
namespace {

TEST(DestinationLoad, TakesNoMoreThanItsBound) {
  DestinationLoad::Gauge gauge;
  EXPECT_TRUE(gauge.take(2));
  EXPECT_TRUE(gauge.take(2));
  EXPECT_FALSE(gauge.take(2));
  EXPECT_EQ(gauge.count(), 2U) << "nothing was taken";
  gauge.give_back();
  EXPECT_TRUE(gauge.take(2));
  EXPECT_FALSE(gauge.take(1)) << "a reload has lowered it";
}

TEST(DestinationLoad, IsThatOfAllThreads) {
  DestinationLoad::Gauge gauge;
  std::atomic<unsigned> taken = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10'000; ++j) {
        if (!gauge.take(3)) continue;
        EXPECT_LE(++taken, 3U);
        --taken;
        gauge.give_back();
      }
    });
  }
  threads.clear();
  EXPECT_EQ(gauge.count(), 0U);
}

std::unique_ptr<Snapshot> snapshot_of(const std::vector<std::string>& bounded, const std::vector<std::string>& others) {
  auto made = std::make_unique<Snapshot>();
  for (const std::string& name : bounded) {
    Cluster& cluster = made->clusters.emplace_back();
    cluster.name = name;
    cluster.load = std::make_shared<DestinationLoad>();
  }
  for (const std::string& name : others) made->clusters.emplace_back().name = name;
  return made;
}

TEST(DestinationLoad, GoesOnInTheNextSnapshot) {
  const auto before = snapshot_of({"a", "b"}, {"c"});
  const auto next = snapshot_of({"b", "c", "d"}, {"a"});
  const DestinationLoad* const own = next->clusters[1].load.get();
  share_loads(*next, *before);
  EXPECT_EQ(next->clusters[0].load, before->clusters[1].load);
  EXPECT_EQ(next->clusters[1].load.get(), own) << "c had no bounds before";
  EXPECT_NE(next->clusters[2].load, nullptr);
  EXPECT_EQ(next->clusters[3].load, nullptr) << "a has none any more";
}

}  // namespace
}  // namespace sluice::snapshot
