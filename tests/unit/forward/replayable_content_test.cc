#include "forward/replayable_content.h"

#include "forward/memory_content.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::forward {
namespace {

using Status = ContentSource::Status;

// Reads at most `room` at a time until the source wants to wait or is done.
std::string read(ContentSource& source, size_t room = 3, size_t bytes_max = 1000) {
  std::string text;
  const http::BodySink to{
      .write = [](void* self, ConstBytes piece) { static_cast<std::string*>(self)->append(as_text(piece)); },
      .owner = &text};
  while (text.size() < bytes_max && source.read_content(room, to) == Status::more) {
  }
  return text;
}

TEST(ReplayableContent, HandsOutTheSameAgain) {
  Arena arena(64);
  MemoryContent content("abcdefgh", arena);
  ContentBudget budget(1000);
  ReplayableContent replayable(content, 8, budget);
  EXPECT_EQ(read(replayable), "abcdefgh");
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(replayable.can_rewind());
    replayable.rewind();
    EXPECT_EQ(read(replayable), "abcdefgh");
  }
  EXPECT_EQ(replayable.bytes_received(), 8U);
}

TEST(ReplayableContent, GoesOnWithTheSourceWhereTheRepetitionEnds) {
  Arena arena(64);
  MemoryContent content("abcdefgh", arena);
  ContentBudget budget(1000);
  ReplayableContent replayable(content, 8, budget);
  EXPECT_EQ(read(replayable, 2, 4), "abcd");
  replayable.rewind();
  EXPECT_EQ(read(replayable, 3, 3), "abc");
  replayable.rewind();
  EXPECT_EQ(read(replayable), "abcdefgh");
}

TEST(ReplayableContent, CannotBeRepeatedBeyondTheBound) {
  Arena arena(64);
  MemoryContent content("abcdefgh", arena);
  ContentBudget budget(1000);
  ReplayableContent replayable(content, 7, budget);
  EXPECT_EQ(replayable.passable_bytes(), 0U);
  EXPECT_EQ(read(replayable, 4, 4), "abcd");
  replayable.rewind();
  EXPECT_EQ(read(replayable), "abcdefgh") << "what is read for the first time gets beyond it";
  EXPECT_FALSE(replayable.can_rewind());
  EXPECT_EQ(replayable.bytes_received(), 8U);
}

TEST(ReplayableContent, ForgetsWhatWillNotBeRepeated) {
  Arena arena(64);
  MemoryContent content("abcdefgh", arena);
  ContentBudget budget(1000);
  ReplayableContent replayable(content, 100, budget);
  EXPECT_EQ(read(replayable, 4, 4), "abcd");
  replayable.forget();
  EXPECT_FALSE(replayable.can_rewind());
  EXPECT_EQ(read(replayable), "efgh");
  EXPECT_EQ(replayable.read_content(0, {}), Status::done);
}

// A response that has come before the repeated request was sent again whole.
TEST(ReplayableContent, IsNotTornByForgettingWithinARepetition) {
  Arena arena(64);
  MemoryContent content("abcdefgh", arena);
  ContentBudget budget(1000);
  ReplayableContent replayable(content, 100, budget);
  EXPECT_EQ(read(replayable), "abcdefgh");
  replayable.rewind();
  EXPECT_EQ(read(replayable, 4, 4), "abcd");
  replayable.forget();
  EXPECT_EQ(read(replayable), "efgh");
}

TEST(ReplayableContent, CannotBeRepeatedWhenTheShardKeepsTooMuchAlready) {
  Arena arena(64);
  ContentBudget budget(10);
  MemoryContent content("abcdefgh", arena);
  ReplayableContent first(content, 100, budget);
  EXPECT_EQ(read(first), "abcdefgh");
  EXPECT_EQ(budget.bytes_taken(), 8U);
  MemoryContent other_content("abcdefgh", arena);
  ReplayableContent second(other_content, 100, budget);
  EXPECT_EQ(read(second), "abcdefgh");
  EXPECT_FALSE(second.can_rewind());
  EXPECT_TRUE(first.can_rewind());
}

TEST(ReplayableContent, GivesBackWhatItHasKept) {
  Arena arena(64);
  ContentBudget budget(10);
  {
    MemoryContent content("abcdefgh", arena);
    ReplayableContent replayable(content, 100, budget);
    EXPECT_EQ(read(replayable), "abcdefgh");
    EXPECT_EQ(replayable.kept(), "abcdefgh");
  }
  EXPECT_EQ(budget.bytes_taken(), 0U);
  MemoryContent content("abcdefgh", arena);
  ReplayableContent replayable(content, 100, budget);
  EXPECT_EQ(read(replayable), "abcdefgh");
  replayable.forget();
  EXPECT_EQ(budget.bytes_taken(), 0U);
}

}  // namespace
}  // namespace sluice::forward
