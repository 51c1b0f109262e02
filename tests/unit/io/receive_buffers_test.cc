// On a real ring, since buffers belong to one; the test fills them in the kernel's place.
#include "io/receive_buffers.h"

#include "real_ring.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

namespace sluice::io {
namespace {

class ReceiveQueueTest : public testing::Test {
 protected:
  // As if the kernel had put `text` into buffer `id`.
  void arrive(ReceiveQueue& queue, ReceiveBuffers::Id id, std::string_view text) {
    std::memcpy(buffers().memory(id), text.data(), text.size());
    buffers().on_filled();
    queue.push(id, text.size());
  }
  ReceiveBuffers& buffers() { return loop_->receive_buffers(); }

  static constexpr size_t kWhole = limits::receive_buffer_bytes;
  static inline const size_t kPage = static_cast<size_t>(sysconf(_SC_PAGESIZE));

  std::unique_ptr<Loop> loop_ = test::small_loop();
};

TEST_F(ReceiveQueueTest, GivesBytesInTheOrderOfTheirArrival) {
  ReceiveQueue queue(buffers());
  EXPECT_TRUE(queue.front().empty());
  arrive(queue, 7, std::string(kWhole - 10, 'a'));
  arrive(queue, 3, "bbbbbbbbbbbbbbb");
  EXPECT_EQ(queue.size(), kWhole + 5);
  EXPECT_TRUE(as_text(queue.front()) == std::string(kWhole - 10, 'a'));
  queue.consume(kWhole - 11);
  EXPECT_EQ(as_text(queue.front()), "a");
  queue.consume(2);
  EXPECT_EQ(as_text(queue.front()), "bbbbbbbbbbbbbb");
  queue.consume(14);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(buffers().held_count(), 0U);
}

// A peer that sends byte by byte while nobody reads must not hold a buffer of 4 KiB for every byte.
TEST_F(ReceiveQueueTest, GathersSmallPiecesInOneBuffer) {
  ReceiveQueue queue(buffers());
  std::string all;
  for (unsigned i = 0; i < 500; ++i) {
    const std::string piece(1 + i % 3, static_cast<char>('a' + i % 26));
    arrive(queue, static_cast<ReceiveBuffers::Id>(i), piece);
    all += piece;
  }
  EXPECT_EQ(buffers().held_count(), 1U);
  EXPECT_TRUE(as_text(queue.front()) == all);
}

TEST_F(ReceiveQueueTest, HoldsAtMostTwiceTheBuffersThatItsBytesNeed) {
  ReceiveQueue queue(buffers());
  std::string all;
  for (unsigned i = 0; i < 60; ++i) {
    const std::string piece(i % 2 == 0 ? 1 : kWhole, static_cast<char>('a' + i % 26));
    arrive(queue, static_cast<ReceiveBuffers::Id>(i), piece);
    all += piece;
    EXPECT_LE(buffers().held_count(), 2 * queue.size() / kWhole + 2);
  }
  std::string peeked(all.size(), '\0');
  EXPECT_EQ(queue.peek({reinterpret_cast<std::byte*>(peeked.data()), peeked.size()}), all.size());
  EXPECT_TRUE(peeked == all);
  queue.clear();
  EXPECT_EQ(buffers().held_count(), 0U);
}

TEST_F(ReceiveQueueTest, PeeksOverBuffersWithoutConsuming) {
  ReceiveQueue queue(buffers());
  arrive(queue, 1, std::string(kWhole, 'a'));
  arrive(queue, 2, std::string(kWhole, 'b'));
  std::array<std::byte, kWhole + 7> room;
  EXPECT_EQ(queue.peek(room), room.size());
  EXPECT_TRUE(as_text(room) == std::string(kWhole, 'a') + "bbbbbbb");
  EXPECT_EQ(queue.size(), 2 * kWhole);
}

TEST_F(ReceiveQueueTest, ReleasesItsBuffersWhenItDies) {
  {
    ReceiveQueue queue(buffers());
    arrive(queue, 1, std::string(kWhole, 'a'));
    arrive(queue, 2, std::string(kWhole, 'b'));
    EXPECT_EQ(buffers().held_count(), 2U);
  }
  EXPECT_EQ(buffers().held_count(), 0U);
}

TEST_F(ReceiveQueueTest, KeepsItsBytesWhenItsBuffersAreReclaimed) {
  ReceiveQueue idle(buffers());
  ReceiveQueue queue(buffers());
  const std::string first = std::string(kWhole, 'a') + std::string(100, 'b');
  arrive(queue, 1, first.substr(0, kWhole));
  arrive(queue, 2, first.substr(kWhole));
  queue.consume(5);
  EXPECT_TRUE(buffers().reclaim());
  EXPECT_EQ(buffers().held_count(), 0U);
  EXPECT_FALSE(buffers().reclaim()) << "nobody holds any more";
  EXPECT_TRUE(as_text(queue.front()) == first.substr(5));

  // What arrives later comes later, and may be moved as well.
  arrive(queue, 3, std::string(kWhole, 'c'));
  queue.consume(kWhole - 5);
  EXPECT_EQ(as_text(queue.front()), std::string(100, 'b'));
  std::string peeked(200, '\0');
  EXPECT_EQ(queue.peek({reinterpret_cast<std::byte*>(peeked.data()), peeked.size()}), 200U);
  EXPECT_EQ(peeked, std::string(100, 'b') + std::string(100, 'c'));
  EXPECT_TRUE(buffers().reclaim());
  EXPECT_EQ(queue.size(), 100 + kWhole);
  EXPECT_TRUE(as_text(queue.front()) == std::string(100, 'b') + std::string(kWhole, 'c'));
  queue.consume(50);
  queue.consume(queue.size());
  EXPECT_TRUE(queue.empty() && queue.front().empty());
  arrive(queue, 4, "again");
  EXPECT_EQ(as_text(queue.front()), "again");
}

TEST_F(ReceiveQueueTest, ReclaimsFromTheLongestHolderFirst) {
  ReceiveQueue first(buffers());
  ReceiveQueue second(buffers());
  arrive(first, 1, "first");
  arrive(second, 2, "second");
  first.consume(5);  // holds none meanwhile
  arrive(first, 3, "first again");
  EXPECT_TRUE(buffers().reclaim());
  arrive(second, 4, "more");
  EXPECT_EQ(as_text(first.front()), "first again");
  EXPECT_EQ(as_text(second.front()), "second") << "moved: what follows is another piece";
}

TEST_F(ReceiveQueueTest, BuffersAreScarceWhenMoreThanHalfAreInUseOrOnTheHeap) {
  const auto scarce_loop = Loop::create({.ring_entries = 8, .receive_buffers_max = 4});
  ASSERT_TRUE(scarce_loop.has_value());
  ReceiveBuffers& few = (*scarce_loop)->receive_buffers();
  EXPECT_EQ(few.count(), 4U);
  EXPECT_FALSE(few.grow());
  ReceiveQueue queue(few);
  for (ReceiveBuffers::Id id = 0; id < 2; ++id) {
    few.on_filled();
    queue.push(id, kWhole);
  }
  EXPECT_FALSE(few.are_scarce());
  few.on_filled();
  queue.push(2, kWhole);
  EXPECT_TRUE(few.are_scarce());
  EXPECT_TRUE(few.reclaim());
  EXPECT_TRUE(few.are_scarce());
  queue.clear();
  EXPECT_FALSE(few.are_scarce());
}

TEST_F(ReceiveQueueTest, BuffersGrowToTheMaximumAndNoFurther) {
  EXPECT_EQ(buffers().count(), limits::receive_buffers_min);
  while (buffers().grow()) EXPECT_LE(buffers().count(), limits::receive_buffers_max);
  EXPECT_EQ(buffers().count(), limits::receive_buffers_max);
  EXPECT_FALSE(buffers().grow());
}

TEST_F(ReceiveQueueTest, AreTrimmedToTwiceWhatWasHeldAtOnce) {
  while (buffers().grow()) continue;
  {
    ReceiveQueue queue(buffers());
    for (ReceiveBuffers::Id id = 0; id < 100; ++id) arrive(queue, id, std::string(kWhole, 'a'));
    queue.consume(70 * kWhole);
    buffers().trim();
    EXPECT_EQ(buffers().count(), 200U);
    buffers().trim();
    EXPECT_EQ(buffers().count(), 60U) << "those that are still held count";
    queue.clear();
  }
  buffers().trim();
  buffers().trim();
  EXPECT_EQ(buffers().count(), limits::receive_buffers_min);
}

TEST_F(ReceiveQueueTest, MemoryOfBuffersThatAreTakenBackReturnsToTheSystem) {
  const auto count_resident = [this] {
    std::vector<unsigned char> pages(limits::receive_buffers_max * kWhole / kPage);
    EXPECT_EQ(mincore(buffers().memory(0), pages.size() * kPage, pages.data()), 0);
    return std::ranges::count_if(pages, [](unsigned char page) { return (page & 1) != 0; });
  };
  while (buffers().grow()) continue;
  for (unsigned id = 0; id < buffers().count(); ++id)
    *buffers().memory(static_cast<ReceiveBuffers::Id>(id)) = std::byte{1};
  EXPECT_GE(count_resident(), limits::receive_buffers_max);
  buffers().trim();
  EXPECT_LE(count_resident(), limits::receive_buffers_min);
}

}  // namespace
}  // namespace sluice::io
