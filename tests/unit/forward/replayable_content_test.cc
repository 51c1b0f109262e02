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
  ReplayableContent replayable(content, 8);
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
  ReplayableContent replayable(content, 8);
  EXPECT_EQ(read(replayable, 2, 4), "abcd");
  replayable.rewind();
  EXPECT_EQ(read(replayable, 3, 3), "abc");
  replayable.rewind();
  EXPECT_EQ(read(replayable), "abcdefgh");
}

TEST(ReplayableContent, CannotBeRepeatedBeyondTheBound) {
  Arena arena(64);
  MemoryContent content("abcdefgh", arena);
  ReplayableContent replayable(content, 7);
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
  ReplayableContent replayable(content, 100);
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
  ReplayableContent replayable(content, 100);
  EXPECT_EQ(read(replayable), "abcdefgh");
  replayable.rewind();
  EXPECT_EQ(read(replayable, 4, 4), "abcd");
  replayable.forget();
  EXPECT_EQ(read(replayable), "efgh");
}

}  // namespace
}  // namespace sluice::forward
