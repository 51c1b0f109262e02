// The buffers that the kernel fills when bytes arrive (io_uring_register_buf_ring(3)): a shard's
// connections share them, so an idle connection holds none. A stream keeps what it has not consumed as
// a chain of buffers, linked through the table here: no allocation per piece.
//
// Memory is mapped for the maximum and touched only as far as the count goes, which follows the need, up and
// down; running out is flow control (-ENOBUFS), not an error: the stream waits until buffers are free. At the
// maximum they are made free by moving what the longest holders have to the heap, so that no number of streams
// whose bytes nobody takes can stop the others; and once buffers are scarce, a stream takes one at a time and
// pauses sooner (limits::read_high_when_scarce_bytes), so that what is moved stays small. One owner (the Loop),
// one thread.
#pragma once

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/list.h"

#include <algorithm>
#include <cstdint>
#include <memory>

namespace sluice::io {

class Loop;
class ReceiveQueue;

class ReceiveBuffers {
 public:
  using Id = uint16_t;
  static constexpr Id kNone = 0xffff;

  ReceiveBuffers(Loop& loop, unsigned count_max);
  ReceiveBuffers(const ReceiveBuffers&) = delete;
  ReceiveBuffers& operator=(const ReceiveBuffers&) = delete;
  ~ReceiveBuffers();

  [[nodiscard]] std::byte* memory(Id id) const noexcept { return memory_ + size_t{id} * limits::receive_buffer_bytes; }

  // Gives the buffer back to the kernel.
  void release(Id id) noexcept;
  // Provides more buffers; false at the maximum.
  bool grow() noexcept;
  // Takes back what was not needed since the last call, and its memory. Only while no completion waits to be seen.
  void trim() noexcept;
  // Frees the buffers of the queue that has held some for longest; false when none does.
  bool reclaim();

  [[nodiscard]] unsigned count() const noexcept { return count_; }            // that there are
  [[nodiscard]] unsigned held_count() const noexcept { return held_count_; }  // filled and not released
  void on_filled() noexcept { most_held_ = std::max(most_held_, ++held_count_); }
  // More than half of what there may be is in use; what was moved to the heap counts.
  [[nodiscard]] bool are_scarce() const noexcept {
    return held_count_ + moved_bytes_ / limits::receive_buffer_bytes > count_max_ / 2;
  }

 private:
  friend class ReceiveQueue;

  struct Piece {
    uint32_t begin;
    uint32_t end;
    Id next;
  };

  Loop& loop_;
  unsigned count_max_;
  std::byte* memory_;
  std::unique_ptr<Piece[]> pieces_;
  List<ReceiveQueue> holders_;  // the queues that hold buffers, in the order in which they began to
  unsigned count_ = 0;
  unsigned known_count_ = 0;  // the ids below were provided once
  Id taken_back_ = kNone;     // the last one; a chain, as of pieces
  unsigned held_count_ = 0;
  unsigned most_held_ = 0;  // since the last trim()
  size_t moved_bytes_ = 0;  // on the heap, of all queues
};

// Bytes that arrived on one stream and were not consumed yet, in order.
class ReceiveQueue : public ListNode<ReceiveQueue> {
 public:
  explicit ReceiveQueue(ReceiveBuffers& buffers) noexcept : buffers_(&buffers) {}
  ReceiveQueue(const ReceiveQueue&) = delete;
  ReceiveQueue& operator=(const ReceiveQueue&) = delete;
  ~ReceiveQueue() { clear(); }

  // Gathers small pieces in one buffer: a peer that sends byte by byte, faster than they are consumed,
  // would otherwise hold a buffer for each.
  void push(ReceiveBuffers::Id id, size_t size) noexcept;

  // The first contiguous bytes; empty exactly when nothing is queued. They stay until consume() or the end
  // of the turn.
  [[nodiscard]] ConstBytes front() const noexcept;
  // Drops bytes from the front, over as many buffers as it takes.
  void consume(size_t size) noexcept;
  // Copies the first bytes, over buffers, without consuming; returns how many.
  [[nodiscard]] size_t peek(MutableBytes destination) const noexcept;
  void clear() noexcept;

  [[nodiscard]] size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  friend class ReceiveBuffers;

  void move_to_heap();
  void free_moved() noexcept;
  void release_first() noexcept;

  ReceiveBuffers* buffers_;
  uint32_t size_ = 0;
  ReceiveBuffers::Id first_ = ReceiveBuffers::kNone;
  ReceiveBuffers::Id last_ = ReceiveBuffers::kNone;
  std::unique_ptr<std::byte[]> moved_;  // exactly while the first bytes are on the heap
  uint32_t moved_begin_ = 0;
  uint32_t moved_end_ = 0;  // also how much is allocated
};

}  // namespace sluice::io
