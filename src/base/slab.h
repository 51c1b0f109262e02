// Objects of one type in chunks of about 64 KiB: create and destroy cost a few instructions, equal
// objects lie together, and chunks whose objects are all gone return to the system with trim().
// Owned and used by one thread. Every object must be destroyed before the slab.
#pragma once

#include "base/check.h"
#include "base/list.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace sluice {

template <typename T>
class Slab {
 public:
  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    CHECK(count_ == 0);
    while (!empty_.empty()) free_chunk(empty_.pop_front());
    CHECK(chunk_count_ == 0);
  }

  template <typename... Args>
  [[nodiscard]] T& create(Args&&... args) {
    if (available_.empty()) available_.push_front(*take_chunk());
    Chunk& chunk = available_.front();
    Slot* slot = chunk.free;
    chunk.free = slot->next_free;
    if (++chunk.used == kSlotsPerChunk) static_cast<ListNode<Chunk>&>(chunk).unlink();
    ++count_;
    return *new (static_cast<void*>(slot)) T(std::forward<Args>(args)...);
  }

  void destroy(T& object) noexcept {
    Chunk& chunk = chunk_of(object);
    object.~T();
    Slot* slot = reinterpret_cast<Slot*>(&object);
    slot->next_free = chunk.free;
    chunk.free = slot;
    if (chunk.used == kSlotsPerChunk) available_.push_front(chunk);
    --chunk.used;
    --count_;
    if (chunk.used == 0) {
      static_cast<ListNode<Chunk>&>(chunk).unlink();
      empty_.push_front(chunk);
      ++empty_count_;
    }
  }

  // Now and then: returns the chunks that were empty all the time since the last call.
  void trim() noexcept {
    for (; least_empty_ > 0; --least_empty_, --empty_count_) free_chunk(empty_.pop_front());
    least_empty_ = empty_count_;
  }

  [[nodiscard]] size_t count() const noexcept { return count_; }
  // Chunks that the system has given, empty ones included.
  [[nodiscard]] size_t chunk_count() const noexcept { return chunk_count_; }

 private:
  union Slot {
    Slot* next_free;
    alignas(T) std::byte storage[sizeof(T)];
  };

  struct Chunk;
  struct ChunkHeader : ListNode<Chunk> {
    Slot* free = nullptr;
    size_t used = 0;
  };

  // A chunk is aligned to its size, so that an object's address gives its chunk.
  static constexpr size_t kChunkBytes =
      std::max<size_t>(64 * 1024, std::size_t{1} << (64 - __builtin_clzll(sizeof(Slot) * 8 + sizeof(ChunkHeader))));
  static constexpr size_t kSlotsPerChunk = (kChunkBytes - sizeof(ChunkHeader) - alignof(Slot)) / sizeof(Slot);

  struct Chunk : ChunkHeader {
    Slot slots[kSlotsPerChunk];
  };

  static Chunk& chunk_of(T& object) noexcept {
    return *reinterpret_cast<Chunk*>(reinterpret_cast<uintptr_t>(&object) & ~(kChunkBytes - 1));
  }

  Chunk* take_chunk() {
    static_assert(kSlotsPerChunk >= 4 && sizeof(Chunk) <= kChunkBytes);
    if (!empty_.empty()) {
      least_empty_ = std::min(least_empty_, --empty_count_);
      return &empty_.pop_front();
    }
    void* memory = ::operator new(kChunkBytes, std::align_val_t{kChunkBytes});
    Chunk* chunk = ::new (memory) Chunk;
    ++chunk_count_;
    // Lowest addresses first: the objects of a chunk that is not full lie together. (Linking the slots touches
    // every page of the chunk at once; its size bounds what that costs.)
    for (size_t i = kSlotsPerChunk; i > 0; --i) {
      chunk->slots[i - 1].next_free = chunk->free;
      chunk->free = &chunk->slots[i - 1];
    }
    return chunk;
  }

  // The heap may keep the block together with others: its memory goes now.
  void free_chunk(Chunk& chunk) noexcept {
    --chunk_count_;
    chunk.~Chunk();
    madvise(&chunk, kChunkBytes, MADV_DONTNEED);
    ::operator delete(&chunk, std::align_val_t{kChunkBytes});
  }

  List<Chunk> available_;  // with free slots and objects
  List<Chunk> empty_;
  size_t empty_count_ = 0;
  size_t least_empty_ = 0;  // since the last trim()
  size_t count_ = 0;
  size_t chunk_count_ = 0;
};

}  // namespace sluice
