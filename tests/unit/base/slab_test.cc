#include "base/slab.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace sluice {
namespace {

struct Tracked {
  explicit Tracked(int number_, int& alive_) : number(number_), alive(alive_) { ++alive; }
  ~Tracked() { --alive; }
  Tracked(const Tracked&) = delete;
  Tracked& operator=(const Tracked&) = delete;

  int number;
  int& alive;
};

TEST(Slab, ConstructsAndDestroysItsObjects) {
  int alive = 0;
  Slab<Tracked> slab;
  Tracked& one = slab.create(1, alive);
  Tracked& two = slab.create(2, alive);
  EXPECT_EQ(one.number, 1);
  EXPECT_EQ(two.number, 2);
  EXPECT_EQ(alive, 2);
  EXPECT_EQ(slab.count(), 2U);
  slab.destroy(one);
  EXPECT_EQ(alive, 1);
  slab.destroy(two);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(slab.count(), 0U);
}

TEST(Slab, GivesTheMemoryOfADestroyedObjectToTheNextOne) {
  int alive = 0;
  Slab<Tracked> slab;
  Tracked* first = &slab.create(1, alive);
  slab.destroy(*first);
  Tracked& second = slab.create(2, alive);
  EXPECT_EQ(&second, first);
  slab.destroy(second);
}

template <typename T>
void fill_and_empty(size_t count) {
  Slab<T> slab;
  std::vector<T*> objects;
  for (size_t i = 0; i < count; ++i) {
    T& object = slab.create();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(&object) % alignof(T), 0U);
    objects.push_back(&object);
  }
  std::vector<T*> sorted = objects;
  std::ranges::sort(sorted);
  for (size_t i = 1; i < sorted.size(); ++i) {
    ASSERT_GE(reinterpret_cast<uintptr_t>(sorted[i]) - reinterpret_cast<uintptr_t>(sorted[i - 1]), sizeof(T))
        << "objects overlap";
  }
  for (T* object : objects) slab.destroy(*object);
  EXPECT_EQ(slab.count(), 0U);
}

struct OneByte {
  char byte = 0;
};
struct alignas(64) CacheLine {
  char bytes[64] = {};
};
struct Large {
  char bytes[70'000] = {};
};

TEST(Slab, HoldsObjectsOfAnySizeAndAlignmentWithoutOverlap) {
  fill_and_empty<OneByte>(20'000);
  fill_and_empty<CacheLine>(5'000);
  fill_and_empty<Large>(50);
}

TEST(Slab, SurvivesARandomMixOfCreationAndDestruction) {
  constexpr uint64_t kSeed = 99;
  Random random(kSeed);
  int alive = 0;
  Slab<Tracked> slab;
  std::vector<Tracked*> objects;
  for (int i = 0; i < 200'000; ++i) {
    // Phases of growth and of shrinking, so that chunks fill up and drain.
    const bool growing = (i / 20'000) % 2 == 0;
    if (objects.empty() || random.below(10) < (growing ? 7U : 3U)) {
      objects.push_back(&slab.create(i, alive));
      objects.back()->number = static_cast<int>(reinterpret_cast<uintptr_t>(objects.back()) & 0xffffff);
    } else {
      const size_t index = random.below(static_cast<uint32_t>(objects.size()));
      Tracked* object = objects[index];
      ASSERT_EQ(object->number, static_cast<int>(reinterpret_cast<uintptr_t>(object) & 0xffffff)) << "seed " << kSeed;
      objects[index] = objects.back();
      objects.pop_back();
      slab.destroy(*object);
    }
    ASSERT_EQ(slab.count(), objects.size());
    ASSERT_EQ(alive, static_cast<int>(objects.size()));
  }
  for (Tracked* object : objects) slab.destroy(*object);
}

struct Kilobyte {
  char bytes[1024] = {};
};

TEST(Slab, ReturnsTheChunksToTheSystemThatWereEmptySinceItWasTrimmed) {
  Slab<Kilobyte> slab;
  EXPECT_EQ(slab.chunk_count(), 0U) << "nothing before the first object";
  std::vector<Kilobyte*> objects;
  for (int i = 0; i < 1000; ++i) objects.push_back(&slab.create());
  EXPECT_GE(slab.chunk_count(), 16U);
  EXPECT_LE(slab.chunk_count(), 18U);

  const size_t peak = slab.chunk_count();
  for (Kilobyte* object : objects) slab.destroy(*object);
  slab.trim();
  EXPECT_EQ(slab.chunk_count(), peak) << "all of them were needed just now";

  Kilobyte& last = slab.create();
  EXPECT_EQ(slab.chunk_count(), peak) << "an empty chunk is used again";
  slab.destroy(last);
  slab.trim();
  EXPECT_EQ(slab.chunk_count(), 1U) << "one was needed";
  slab.trim();
  EXPECT_EQ(slab.chunk_count(), 0U);
}

TEST(Slab, KeepsAChunkWhileOneOfItsObjectsLives) {
  Slab<Kilobyte> slab;
  std::vector<Kilobyte*> objects;
  for (int i = 0; i < 200; ++i) objects.push_back(&slab.create());
  Kilobyte* survivor = objects[100];
  survivor->bytes[0] = 'x';
  for (Kilobyte* object : objects) {
    if (object != survivor) slab.destroy(*object);
  }
  slab.trim();
  slab.trim();
  EXPECT_EQ(slab.chunk_count(), 1U);
  EXPECT_EQ(survivor->bytes[0], 'x');
  slab.destroy(*survivor);
}

TEST(SlabDeathTest, CatchesAnObjectThatOutlivesIt) {
  EXPECT_DEATH(
      {
        Slab<Kilobyte> slab;
        static_cast<void>(slab.create());
      },
      "CHECK.*count_ == 0");
}

}  // namespace
}  // namespace sluice
