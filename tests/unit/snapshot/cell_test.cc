#include "snapshot/cell.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <string>
#include <thread>
#include <vector>

namespace sluice::snapshot {
namespace {

void publish(Cell& cell, std::string hash = "") {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->hash = std::move(hash);
  cell.publish(std::move(snapshot));
}

// What a shard without requests in flight does between two turns.
void adopt(Cell& cell, unsigned shard) {
  const uint64_t version = cell.current()->version;
  cell.report(shard, version);
}

TEST(Cell, HasNoSnapshotAtFirst) {
  const Cell cell(2);
  EXPECT_EQ(cell.current(), nullptr);
  EXPECT_EQ(cell.newest(), nullptr);
  EXPECT_EQ(cell.alive_count(), 0U);
}

TEST(Cell, CountsVersionsFromOne) {
  Cell cell(1);
  publish(cell, "first");
  EXPECT_EQ(cell.current()->version, 1U);
  EXPECT_EQ(cell.current()->hash, "first");
  publish(cell, "second");
  EXPECT_EQ(cell.current()->version, 2U);
  EXPECT_EQ(cell.newest(), cell.current());
}

TEST(Cell, KeepsEverythingForAShardThatHasNotReportedYet) {
  Cell cell(2);
  for (int i = 0; i < 5; ++i) publish(cell);
  adopt(cell, 0);
  cell.collect();
  EXPECT_EQ(cell.alive_count(), 5U) << "shard 1 may be about to adopt any of them";
  adopt(cell, 1);
  cell.collect();
  EXPECT_EQ(cell.alive_count(), 1U);
}

TEST(Cell, FreesASnapshotOnceEveryShardHasMovedOn) {
  Cell cell(2);
  publish(cell);
  adopt(cell, 0);
  adopt(cell, 1);
  publish(cell);
  EXPECT_EQ(cell.alive_count(), 2U);
  adopt(cell, 0);
  cell.collect();
  EXPECT_EQ(cell.alive_count(), 2U);
  adopt(cell, 1);
  cell.collect();
  EXPECT_EQ(cell.alive_count(), 1U);
  EXPECT_EQ(cell.current()->version, 2U);
}

TEST(Cell, KeepsTheVersionThatARequestInFlightPins) {
  Cell cell(1);
  publish(cell, "pinned");
  adopt(cell, 0);
  const Snapshot* pinned = cell.current();
  {
    const SnapshotUse use(pinned->uses);
    for (int i = 0; i < 3; ++i) publish(cell);
    adopt(cell, 0);
    cell.collect();
    EXPECT_EQ(pinned->hash, "pinned");
    EXPECT_EQ(cell.alive_count(), 2U) << "none of those between";
  }
  cell.collect();
  EXPECT_EQ(cell.alive_count(), 1U);
}

TEST(Cell, FreesOldSnapshotsWithEachPublication) {
  Cell cell(3);
  for (int i = 0; i < 100; ++i) {
    publish(cell);
    for (unsigned shard = 0; shard < 3; ++shard) adopt(cell, shard);
    EXPECT_LE(cell.alive_count(), 2U);
  }
}

TEST(Cell, KnowsWhetherEveryShardHasAdoptedAVersion) {
  Cell cell(2);
  publish(cell);
  EXPECT_FALSE(cell.adopted_by_all(1));
  adopt(cell, 0);
  EXPECT_FALSE(cell.adopted_by_all(1));
  adopt(cell, 1);
  EXPECT_TRUE(cell.adopted_by_all(1));
  EXPECT_FALSE(cell.adopted_by_all(2));
  publish(cell);
  cell.report(0, 2);
  cell.report(1, 2);
  EXPECT_TRUE(cell.adopted_by_all(2));
  EXPECT_TRUE(cell.adopted_by_all(1));
}

TEST(Cell, DoesNotWaitForAShardThatHasLeft) {
  Cell cell(2);
  publish(cell);
  adopt(cell, 0);
  cell.leave(1);
  EXPECT_TRUE(cell.adopted_by_all(1));
  publish(cell);
  adopt(cell, 0);
  EXPECT_TRUE(cell.adopted_by_all(2));
  cell.collect();
  EXPECT_EQ(cell.alive_count(), 1U);
}

TEST(Cell, NeverFreesTheCurrentSnapshot) {
  Cell cell(1);
  publish(cell);
  cell.leave(0);
  cell.collect();
  EXPECT_EQ(cell.alive_count(), 1U);
  EXPECT_EQ(cell.current()->version, 1U);
}

TEST(CellDeathTest, RefusesAShardCountOutOfRange) {
  EXPECT_DEATH(Cell{0}, "shard_count");
  EXPECT_DEATH(Cell{limits::shards_max + 1}, "shard_count");
}

// The real use: shards on their own threads adopt and pin while the control plane publishes. A snapshot
// that is freed while a shard reads it is seen by the address sanitizer, a missing fence by the thread
// sanitizer, and by the text that would not match its version.
TEST(Cell, KeepsWhatShardsReadWhileItPublishes) {
  constexpr unsigned kShards = 3;
  constexpr int kPublications = 3000;
  Cell cell(kShards);
  publish(cell, "1");
  std::atomic<bool> stopping{false};
  std::atomic<int> mismatches{0};
  {
    std::vector<std::jthread> threads;
    for (unsigned shard = 0; shard < kShards; ++shard) {
      threads.emplace_back([&, shard] {
        struct Pinned {
          explicit Pinned(const Snapshot& snapshot) noexcept : tables(snapshot), use(snapshot.uses) {}
          const Snapshot& tables;
          const SnapshotUse use;
        };
        std::deque<Pinned> pinned;  // each turn starts a request; it ends some turns later
        while (!stopping.load(std::memory_order_relaxed)) {
          pinned.emplace_back(*cell.current());
          cell.report(shard, pinned.back().tables.version);
          if (pinned.size() > 1 + shard) pinned.pop_front();
          for (const auto& [tables, use] : pinned) {
            if (tables.hash != std::to_string(tables.version)) ++mismatches;
          }
        }
        pinned.clear();
        cell.leave(shard);
      });
    }
    for (int version = 2; version <= kPublications; ++version) publish(cell, std::to_string(version));
    while (!cell.adopted_by_all(kPublications)) std::this_thread::yield();
    stopping = true;
  }
  cell.collect();
  EXPECT_EQ(mismatches, 0);
  EXPECT_EQ(cell.alive_count(), 1U);
}

}  // namespace
}  // namespace sluice::snapshot
