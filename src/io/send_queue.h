// Bytes that wait to be sent on one stream, in chunks of the shard's pool: a stream holds chunks only
// while it has something to send. Bytes never move once written, so that more can be appended while
// the kernel sends the first ones. One owner, one thread.
#pragma once

#include "base/byte_sink.h"
#include "base/bytes.h"
#include "io/chunk.h"

#include <cstddef>
#include <cstdint>

namespace sluice::io {

class SendQueue {
 public:
  explicit SendQueue(ChunkPool& pool) noexcept : pool_(&pool) {}
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;
  ~SendQueue() { clear(); }

  // Contiguous room for at least that many bytes at the end; commit() makes the first `used` of it part
  // of the queue.
  [[nodiscard]] MutableBytes reserve(size_t at_least);
  void commit(size_t used) noexcept;
  void append(ConstBytes bytes);

  // The first bytes as a message for sendmsg(2), kept in the queue's first chunk: it and the bytes stay
  // where they are until consume(). Requires a queue that is not empty.
  [[nodiscard]] const msghdr& message() noexcept;
  void consume(size_t size) noexcept;
  void clear() noexcept;

  [[nodiscard]] size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  ChunkPool* pool_;
  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace sluice::io
