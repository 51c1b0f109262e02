#include "base/byte_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice {
namespace {

TEST(ByteQueue, GivesWhatItTookInOrder) {
  ByteQueue queue;
  std::string expected;
  uint64_t seed = 1;
  for (int i = 0; i < 10'000; ++i) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    const std::string piece((seed >> 33) % 300, static_cast<char>('a' + i % 26));
    queue.append(as_bytes(piece));
    expected += piece;
    const size_t count = (seed >> 43) % (expected.size() + 1);
    queue.consume(count);
    expected.erase(0, count);
    ASSERT_EQ(as_text(queue.bytes()), expected);
    ASSERT_EQ(queue.size(), expected.size());
    ASSERT_EQ(queue.empty(), expected.empty());
  }
}

TEST(ByteQueue, HasNoMemoryWhileItIsEmpty) {
  ByteQueue queue;
  EXPECT_EQ(queue.bytes().data(), nullptr);
  queue.append(as_bytes("abc"));
  queue.append({});
  queue.consume(3);
  EXPECT_EQ(queue.bytes().data(), nullptr);
  queue.append(as_bytes("abc"));
  queue.clear();
  EXPECT_EQ(queue.bytes().data(), nullptr);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace sluice
