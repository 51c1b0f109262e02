#include "base/locked_memory.h"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

TEST(LockedMemory, IsZeroAtFirstAndKeepsWhatIsWritten) {
  LockedMemory memory = LockedMemory::allocate(80);
  ASSERT_FALSE(memory.is_empty());
  ASSERT_EQ(memory.bytes().size(), 80U);
  EXPECT_TRUE(std::ranges::all_of(memory.bytes(), [](std::byte byte) { return byte == std::byte{0}; }));
  std::memset(memory.bytes().data(), 'k', 80);
  EXPECT_EQ(as_text(std::as_const(memory).bytes()), std::string(80, 'k'));
}

TEST(LockedMemory, MovesWithoutACopy) {
  LockedMemory first = LockedMemory::allocate(10'000);
  std::byte* const start = first.bytes().data();
  LockedMemory second = std::move(first);
  EXPECT_EQ(second.bytes().data(), start);
  EXPECT_TRUE(first.is_empty());  // NOLINT(bugprone-use-after-move): what the move leaves behind
  LockedMemory third;
  third = std::move(second);
  EXPECT_EQ(third.bytes().data(), start);
}

TEST(LockedMemory, WorksWhereLockingIsNotAllowed) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_MEMLOCK, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &none), 0);
  LockedMemory memory = LockedMemory::allocate(48);
  EXPECT_FALSE(memory.is_empty());
  EXPECT_EQ(setrlimit(RLIMIT_MEMLOCK, &before), 0);
}

}  // namespace
}  // namespace sluice
