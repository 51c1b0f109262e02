#include "io/chunk.h"

#include "base/check.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace sluice::io {

namespace {
constexpr size_t kFreeChunksMax = 256;  // kept for reuse; 4 MiB
}

ChunkPool::~ChunkPool() {
  while (free_ != nullptr) std::free(std::exchange(free_, free_->next));
}

Chunk& ChunkPool::take(size_t capacity) {
  Chunk* chunk = nullptr;
  if (capacity <= limits::chunk_bytes) {
    capacity = limits::chunk_bytes;
    if (free_ != nullptr) {
      chunk = std::exchange(free_, free_->next);
      least_free_ = std::min(least_free_, --free_count_);
    }
  }
  if (chunk == nullptr) chunk = static_cast<Chunk*>(std::malloc(sizeof(Chunk) + capacity));
  CHECK(chunk != nullptr);
  ++taken_count_;
  chunk->next = nullptr;
  chunk->begin = chunk->end = 0;
  chunk->capacity = static_cast<uint32_t>(capacity);
  return *chunk;
}

void ChunkPool::give(Chunk& chunk) noexcept {
  DCHECK(taken_count_ > 0);
  --taken_count_;
  if (chunk.capacity != limits::chunk_bytes || free_count_ == kFreeChunksMax) {
    std::free(&chunk);
    return;
  }
  chunk.next = std::exchange(free_, &chunk);
  ++free_count_;
}

void ChunkPool::trim() noexcept {
  for (; least_free_ > 0; --least_free_, --free_count_) std::free(std::exchange(free_, free_->next));
  least_free_ = free_count_;
}

}  // namespace sluice::io
