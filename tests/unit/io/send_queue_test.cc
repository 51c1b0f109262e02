#include "io/send_queue.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace sluice::io {
namespace {

std::string text_of(const msghdr& message) {
  std::string text;
  for (size_t i = 0; i < message.msg_iovlen; ++i)
    text.append(static_cast<const char*>(message.msg_iov[i].iov_base), message.msg_iov[i].iov_len);
  return text;
}

std::string some_text(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

TEST(SendQueue, GathersWhatWasAppended) {
  ChunkPool pool;
  SendQueue queue(pool);
  EXPECT_TRUE(queue.empty());
  queue.append(as_bytes("hello, "));
  queue.append(as_bytes("world"));
  EXPECT_EQ(queue.size(), 12U);
  EXPECT_EQ(text_of(queue.message()), "hello, world");
  EXPECT_EQ(queue.message().msg_iovlen, 1U);
}

TEST(SendQueue, GoesOnWhereASendStopped) {
  ChunkPool pool;
  SendQueue queue(pool);
  const std::string text = some_text(5 * limits::chunk_bytes);
  queue.append(as_bytes(text));
  std::string sent;
  for (size_t step = 1; !queue.empty(); step = step * 3 % 10'007) {
    const std::string offered = text_of(queue.message());
    const size_t count = std::min(step, offered.size());
    sent += offered.substr(0, count);
    queue.consume(count);
  }
  EXPECT_EQ(sent, text);
  EXPECT_EQ(pool.taken_count(), 0U) << "an empty queue holds no chunk";
}

// The kernel may be sending the first bytes.
TEST(SendQueue, DoesNotMoveBytesWhenMoreIsAppended) {
  ChunkPool pool;
  SendQueue queue(pool);
  queue.append(as_bytes("first"));
  const msghdr& message = queue.message();
  const void* const where = message.msg_iov[0].iov_base;
  queue.append(as_bytes(some_text(3 * limits::chunk_bytes)));
  EXPECT_EQ(message.msg_iov[0].iov_base, where);
  EXPECT_EQ(message.msg_iov[0].iov_len, 5U);
  EXPECT_EQ(text_of(message), "first");
}

TEST(SendQueue, OffersABoundedNumberOfPieces) {
  ChunkPool pool;
  SendQueue queue(pool);
  queue.append(as_bytes(some_text(20 * limits::chunk_bytes)));
  EXPECT_EQ(queue.message().msg_iovlen, limits::send_iovecs_max);
  queue.clear();
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(pool.taken_count(), 0U);
}

TEST(SendQueue, ReservesContiguousRoomOfAnySize) {
  ChunkPool pool;
  SendQueue queue(pool);
  queue.append(as_bytes("x"));
  const MutableBytes room = queue.reserve(limits::head_bytes_max);
  ASSERT_GE(room.size(), limits::head_bytes_max);
  std::ranges::fill(room, std::byte{'y'});
  queue.commit(limits::head_bytes_max);
  EXPECT_EQ(text_of(queue.message()), "x" + std::string(limits::head_bytes_max, 'y'));
}

TEST(SendQueue, ReservingWithoutCommittingAddsNothing) {
  ChunkPool pool;
  SendQueue queue(pool);
  static_cast<void>(queue.reserve(10));
  queue.commit(0);
  EXPECT_TRUE(queue.empty());
  queue.append(as_bytes("z"));
  EXPECT_EQ(text_of(queue.message()), "z");
}

TEST(SendQueue, ReturnsItsChunksWhenItDies) {
  ChunkPool pool;
  {
    SendQueue queue(pool);
    queue.append(as_bytes(some_text(100'000)));
    EXPECT_GT(pool.taken_count(), 0U);
  }
  EXPECT_EQ(pool.taken_count(), 0U);
}

}  // namespace
}  // namespace sluice::io
