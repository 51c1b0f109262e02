// The buffers that the kernel fills when bytes arrive (io_uring_register_buf_ring(3)): a shard's
// connections share them, so an idle connection holds none. A stream keeps what it has not consumed as
// a chain of buffers, linked through the table here: no allocation per piece.
//
// Memory is mapped for the maximum and touched only as the count grows; running out is flow control
// (-ENOBUFS), not an error: the stream waits until others release. One owner (the Loop), one thread.
#pragma once

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"

#include <cstdint>
#include <memory>

namespace sluice::io {

class Loop;

class ReceiveBuffers {
 public:
  using Id = uint16_t;
  static constexpr Id kNone = 0xffff;

  explicit ReceiveBuffers(Loop& loop);
  ReceiveBuffers(const ReceiveBuffers&) = delete;
  ReceiveBuffers& operator=(const ReceiveBuffers&) = delete;
  ~ReceiveBuffers();

  [[nodiscard]] std::byte* memory(Id id) const noexcept { return memory_ + size_t{id} * limits::receive_buffer_bytes; }

  // Gives the buffer back to the kernel.
  void release(Id id) noexcept;
  // Provides more buffers; false at the maximum.
  bool grow() noexcept;

  [[nodiscard]] unsigned count() const noexcept { return count_; }            // provided so far
  [[nodiscard]] unsigned held_count() const noexcept { return held_count_; }  // filled and not released
  void on_filled() noexcept { ++held_count_; }

 private:
  friend class ReceiveQueue;

  struct Piece {
    uint32_t begin;
    uint32_t end;
    Id next;
  };

  Loop& loop_;
  std::byte* memory_;
  std::unique_ptr<Piece[]> pieces_;
  unsigned count_ = 0;
  unsigned held_count_ = 0;
};

// Bytes that arrived on one stream and were not consumed yet, in order.
class ReceiveQueue {
 public:
  explicit ReceiveQueue(ReceiveBuffers& buffers) noexcept : buffers_(&buffers) {}
  ReceiveQueue(const ReceiveQueue&) = delete;
  ReceiveQueue& operator=(const ReceiveQueue&) = delete;
  ~ReceiveQueue() { clear(); }

  // Gathers small pieces in one buffer: a peer that sends byte by byte, faster than they are consumed,
  // would otherwise hold a buffer for each.
  void push(ReceiveBuffers::Id id, size_t size) noexcept;

  // The first contiguous bytes; empty exactly when nothing is queued.
  [[nodiscard]] ConstBytes front() const noexcept;
  // Drops bytes from the front, over as many buffers as it takes.
  void consume(size_t size) noexcept;
  // Copies the first bytes, over buffers, without consuming; returns how many.
  [[nodiscard]] size_t peek(MutableBytes destination) const noexcept;
  void clear() noexcept;

  [[nodiscard]] size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  ReceiveBuffers* buffers_;
  uint32_t size_ = 0;
  ReceiveBuffers::Id first_ = ReceiveBuffers::kNone;
  ReceiveBuffers::Id last_ = ReceiveBuffers::kNone;
};

}  // namespace sluice::io
