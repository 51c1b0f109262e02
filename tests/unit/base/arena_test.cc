#include "base/arena.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace sluice {
namespace {

TEST(Arena, TakesNoMemoryBeforeItsFirstUse) {
  Arena arena(1000);
  EXPECT_EQ(arena.used_bytes(), 0U);
  arena.reset();
  arena.release();
  EXPECT_EQ(arena.used_bytes(), 0U);
}

TEST(Arena, AlignsEveryAllocationAsAsked) {
  Arena arena(100'000);
  for (const size_t alignment : {1U, 2U, 4U, 8U, 16U}) {
    for (size_t size = 1; size < 40; ++size) {
      const auto place = reinterpret_cast<uintptr_t>(arena.allocate(size, alignment));
      EXPECT_NE(place, 0U);
      EXPECT_EQ(place % alignment, 0U) << "size " << size << ", alignment " << alignment;
    }
  }
}

TEST(Arena, NeverGivesTheSameBytesTwice) {
  constexpr uint64_t kSeed = 20261125;
  Random random(kSeed);
  Arena arena(200'000);
  struct Piece {
    unsigned char* place;
    size_t size;
    unsigned char mark;
  };
  std::vector<Piece> pieces;
  for (unsigned i = 0;; ++i) {
    const size_t size = 1 + random.below(i % 50 == 0 ? 9000 : 200);
    auto* place = static_cast<unsigned char*>(arena.allocate(size, size_t{1} << random.below(5)));
    if (place == nullptr) break;
    const auto mark = static_cast<unsigned char>(i);
    std::memset(place, mark, size);
    pieces.push_back({place, size, mark});
  }
  EXPECT_GT(pieces.size(), 100U);
  for (const Piece& piece : pieces) {
    for (size_t i = 0; i < piece.size; ++i) ASSERT_EQ(piece.place[i], piece.mark) << "seed " << kSeed;
  }
}

TEST(Arena, RefusesWhatWouldExceedItsBound) {
  Arena arena(1000);
  EXPECT_NE(arena.allocate(600, 1), nullptr);
  EXPECT_EQ(arena.allocate(401, 1), nullptr);
  EXPECT_NE(arena.allocate(400, 1), nullptr);
  EXPECT_EQ(arena.allocate(1, 1), nullptr);
  EXPECT_EQ(arena.used_bytes(), 1000U);
}

TEST(Arena, RefusesEnormousSizesWithoutOverflow) {
  Arena arena(1000);
  EXPECT_EQ(arena.allocate(std::numeric_limits<size_t>::max()), nullptr);
  EXPECT_EQ(arena.allocate(std::numeric_limits<size_t>::max() - 15), nullptr);
  EXPECT_NE(arena.allocate(8), nullptr);
  EXPECT_EQ(arena.allocate(std::numeric_limits<size_t>::max()), nullptr);
}

TEST(Arena, RefusesAnArrayWhoseSizeDoesNotFitSize) {
  Arena arena(1000);
  EXPECT_EQ(arena.allocate_array<uint64_t>(std::numeric_limits<size_t>::max() / 8 + 2), nullptr);
  EXPECT_EQ(arena.used_bytes(), 0U);
  EXPECT_NE(arena.allocate_array<uint64_t>(10), nullptr);
}

TEST(Arena, HoldsOneAllocationThatIsLargerThanABlock) {
  Arena arena(100'000);
  auto* place = static_cast<char*>(arena.allocate(50'000, 1));
  ASSERT_NE(place, nullptr);
  std::memset(place, 'x', 50'000);
  EXPECT_EQ(place[49'999], 'x');
}

TEST(Arena, CopiesText) {
  Arena arena(1000);
  std::string text = "host";
  const std::string_view copy = arena.copy(text);
  text.assign("lost");
  EXPECT_EQ(copy, "host");
}

TEST(Arena, TellsAnEmptyCopyFromARefusedOne) {
  Arena arena(4);
  const std::string_view empty = arena.copy("");
  EXPECT_NE(empty.data(), nullptr);
  EXPECT_TRUE(empty.empty());
  const std::string_view refused = arena.copy("12345");
  EXPECT_EQ(refused.data(), nullptr);
  EXPECT_TRUE(refused.empty());
}

TEST(Arena, AppendsInPlaceToTheLastText) {
  Arena arena(1000);
  const std::string_view head = arena.copy("abc");
  const std::string_view text = arena.append(head, "def");
  EXPECT_EQ(text, "abcdef");
  EXPECT_EQ(text.data(), head.data());
  EXPECT_EQ(arena.used_bytes(), 6U);
}

TEST(Arena, AppendsByCopyingWhenSomethingFollowsTheText) {
  Arena arena(1000);
  const std::string_view head = arena.copy("abc");
  const std::string_view other = arena.copy("other");
  const std::string_view text = arena.append(head, "def");
  EXPECT_EQ(text, "abcdef");
  EXPECT_NE(text.data(), head.data());
  EXPECT_EQ(head, "abc");
  EXPECT_EQ(other, "other");
}

TEST(Arena, AppendsToNothingAndNothing) {
  Arena arena(1000);
  EXPECT_EQ(arena.append({}, "abc"), "abc");
  const std::string_view empty = arena.append({}, {});
  EXPECT_NE(empty.data(), nullptr);
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(arena.append(empty, "xyz"), "xyz");
}

TEST(Arena, AppendsAcrossTheEndOfABlock) {
  Arena arena(100'000);
  std::string expected;
  std::string_view text = arena.copy("");
  for (int i = 0; i < 2000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    expected += piece;
    text = arena.append(text, piece);
    ASSERT_NE(text.data(), nullptr);
  }
  EXPECT_EQ(text, expected);
}

TEST(Arena, RefusesToAppendBeyondItsBound) {
  Arena arena(10);
  const std::string_view head = arena.copy("12345678");
  EXPECT_EQ(arena.append(head, "abc").data(), nullptr);
  EXPECT_EQ(head, "12345678");
  EXPECT_EQ(arena.append(head, "ab"), "12345678ab");
}

TEST(Arena, ReusesItsFirstBlockAfterReset) {
  Arena arena(100'000);
  void* first = arena.allocate(100);
  for (int i = 0; i < 20; ++i) EXPECT_NE(arena.allocate(3000), nullptr);
  arena.reset();
  EXPECT_EQ(arena.used_bytes(), 0U);
  EXPECT_EQ(arena.allocate(100), first);
}

TEST(Arena, StartsItsBoundAfreshAfterReset) {
  Arena arena(1000);
  for (int round = 0; round < 1000; ++round) {
    ASSERT_NE(arena.allocate(1000, 1), nullptr) << "round " << round;
    ASSERT_EQ(arena.allocate(1, 1), nullptr) << "round " << round;
    arena.reset();
  }
}

TEST(Arena, WorksAgainAfterRelease) {
  Arena arena(10'000);
  EXPECT_NE(arena.allocate(9000), nullptr);
  arena.release();
  EXPECT_EQ(arena.used_bytes(), 0U);
  EXPECT_EQ(arena.copy("again"), "again");
}

// --- with a first block of its owner ---------------------------------------------------------------

TEST(Arena, UsesTheBlockOfItsOwnerFirst) {
  alignas(std::max_align_t) std::byte block[256];
  Arena arena(10'000, block);
  const auto* place = static_cast<std::byte*>(arena.allocate(200, 1));
  EXPECT_EQ(place, block);
  const std::string_view text = arena.copy("more");
  EXPECT_EQ(reinterpret_cast<const std::byte*>(text.data()), block + 200);
}

TEST(Arena, GoesOnBehindTheBlockOfItsOwnerWithoutTouchingWhatFollowsIt) {
  alignas(std::max_align_t) std::byte memory[512];
  std::memset(memory, 0x5a, sizeof memory);
  {
    Arena arena(10'000, MutableBytes(memory).first(256));
    for (int i = 0; i < 20; ++i) {
      void* place = arena.allocate(100);
      ASSERT_NE(place, nullptr);
      std::memset(place, 0, 100);
    }
  }
  for (size_t i = 256; i < sizeof memory; ++i) ASSERT_EQ(memory[i], std::byte{0x5a}) << "byte " << i;
}

TEST(Arena, ReturnsToTheBlockOfItsOwnerAfterResetAndAfterRelease) {
  alignas(std::max_align_t) std::byte block[256];
  Arena arena(10'000, block);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(arena.allocate(100), static_cast<void*>(block));
    EXPECT_NE(arena.allocate(5000), nullptr);
    round == 1 ? arena.release() : arena.reset();
    EXPECT_EQ(arena.used_bytes(), 0U);
  }
}

TEST(Arena, CountsTheBlockOfItsOwnerAgainstItsBound) {
  alignas(std::max_align_t) std::byte block[256];
  Arena arena(200, block);
  EXPECT_NE(arena.allocate(150, 1), nullptr);
  EXPECT_EQ(arena.allocate(51, 1), nullptr);
  EXPECT_NE(arena.allocate(50, 1), nullptr);
}

TEST(Arena, AlignsWithinABlockThatIsNotAligned) {
  alignas(std::max_align_t) std::byte memory[256];
  Arena arena(10'000, MutableBytes(memory).subspan(3));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(arena.allocate(8, 8)) % 8, 0U);
}

TEST(Arena, AppendsOutOfTheBlockOfItsOwner) {
  alignas(std::max_align_t) std::byte block[16];
  Arena arena(10'000, block);
  std::string_view text = arena.copy("0123456789");
  text = arena.append(text, "abcdef");
  EXPECT_EQ(reinterpret_cast<const std::byte*>(text.data()), block);
  text = arena.append(text, "ghi");
  EXPECT_EQ(text, "0123456789abcdefghi");
}

}  // namespace
}  // namespace sluice
