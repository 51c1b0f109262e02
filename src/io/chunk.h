// Memory for bytes in motion: what waits to be sent, plaintext between a TLS session and its reader. A
// connection holds chunks only while it has such bytes; idle, it holds none. A chunk has room for one
// full TLS record. One pool per shard, one thread.
#pragma once

#include "base/bytes.h"
#include "base/limits.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

namespace sluice::io {

// The header also holds what a vectored send of the queue that starts here needs, since that must stay
// until the kernel has read it.
struct Chunk {
  Chunk* next;
  uint32_t begin;
  uint32_t end;
  uint32_t capacity;
  msghdr message;
  iovec vectors[limits::send_iovecs_max];

  [[nodiscard]] std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

// A shard's chunks of the common size; larger ones (a huge head) come from the heap and return to it.
class ChunkPool {
 public:
  ChunkPool() = default;
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;
  ~ChunkPool();

  [[nodiscard]] Chunk& take(size_t capacity);
  void give(Chunk& chunk) noexcept;
  // Frees the chunks that were not needed since the last call.
  void trim() noexcept;

  [[nodiscard]] size_t taken_count() const noexcept { return taken_count_; }
  [[nodiscard]] size_t free_count() const noexcept { return free_count_; }

 private:
  Chunk* free_ = nullptr;
  size_t free_count_ = 0;
  size_t least_free_ = 0;  // since the last trim()
  size_t taken_count_ = 0;
};

}  // namespace sluice::io
