#include "io/chunk.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::io {
namespace {

TEST(ChunkPool, GivesAReturnedChunkAgain) {
  ChunkPool pool;
  Chunk& first = pool.take(1);
  EXPECT_EQ(first.capacity, limits::chunk_bytes);
  EXPECT_EQ(pool.taken_count(), 1U);
  pool.give(first);
  EXPECT_EQ(pool.taken_count(), 0U);
  Chunk& second = pool.take(100);
  EXPECT_EQ(&first, &second);
  EXPECT_EQ(second.begin, 0U);
  EXPECT_EQ(second.end, 0U);
  EXPECT_EQ(second.next, nullptr);
  pool.give(second);
}

TEST(ChunkPool, MakesALargeChunkForALargeHeadAndDoesNotKeepIt) {
  ChunkPool pool;
  Chunk& large = pool.take(limits::head_bytes_max);
  EXPECT_GE(large.capacity, limits::head_bytes_max);
  large.bytes()[large.capacity - 1] = std::byte{1};  // all of it is there
  pool.give(large);
  Chunk& common = pool.take(1);
  EXPECT_EQ(common.capacity, limits::chunk_bytes);
  pool.give(common);
}

TEST(ChunkPool, KeepsABoundedNumber) {
  ChunkPool pool;
  std::vector<Chunk*> chunks;
  for (int i = 0; i < 1000; ++i) chunks.push_back(&pool.take(1));
  for (Chunk* chunk : chunks) pool.give(*chunk);
  EXPECT_EQ(pool.taken_count(), 0U);
  EXPECT_LT(pool.free_count(), 1000U);
}

TEST(ChunkPool, KeepsWhatWasNeededSinceItWasTrimmedAndNothingElse) {
  ChunkPool pool;
  const auto use = [&pool](size_t count) {
    std::vector<Chunk*> chunks;
    for (size_t i = 0; i < count; ++i) chunks.push_back(&pool.take(1));
    for (Chunk* chunk : chunks) pool.give(*chunk);
  };
  use(20);
  pool.trim();
  EXPECT_EQ(pool.free_count(), 20U);
  use(3);
  use(5);
  pool.trim();
  EXPECT_EQ(pool.free_count(), 5U);
  Chunk& taken = pool.take(1);
  pool.trim();
  EXPECT_EQ(pool.free_count(), 0U);
  pool.give(taken);
  pool.trim();
  EXPECT_EQ(pool.free_count(), 1U) << "it was in use since then";
  pool.trim();
  EXPECT_EQ(pool.free_count(), 0U);
}

}  // namespace
}  // namespace sluice::io
