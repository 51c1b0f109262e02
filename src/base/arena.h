// Memory of one request: bump allocation, everything freed at once. Given a first block by its owner,
// a request that fits into it allocates nothing; without one, the first block is taken on first use and
// kept by reset(). Further blocks are freed. Bounded: allocate() returns nullptr beyond `bytes_max`, which callers turn
// into 431 or 502. One owner, one thread. Destructors of what lies in it are not run: plain data only.
#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice {

class Arena {
 public:
  // `owned_by_caller`, when not empty, is the first block; it must outlive the arena.
  explicit Arena(size_t bytes_max, MutableBytes owned_by_caller = {}) noexcept
      : cursor_(owned_by_caller.data()),
        end_(owned_by_caller.data() + owned_by_caller.size()),
        bytes_max_(bytes_max),
        given_(owned_by_caller) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { release(); }

  // Nullptr when the bound is reached. Alignment at most alignof(std::max_align_t).
  [[nodiscard]] void* allocate(size_t size, size_t alignment = alignof(std::max_align_t)) noexcept;

  template <typename T>
  [[nodiscard]] T* allocate_array(size_t count) noexcept {
    if (count > bytes_max_ / sizeof(T)) return nullptr;
    return static_cast<T*>(allocate(count * sizeof(T), alignof(T)));
  }

  // A copy of `text` in the arena; .data() is nullptr (and size 0) when the bound is reached.
  [[nodiscard]] std::string_view copy(std::string_view text) noexcept;

  // Grows the array that was allocated last in place when it lies at the end, else by copying.
  // Returns the (possibly moved) text `head` + `tail`; .data() nullptr beyond the bound.
  [[nodiscard]] std::string_view append(std::string_view head, std::string_view tail) noexcept;

  void reset() noexcept;    // forgets everything, keeps the first block
  void release() noexcept;  // forgets everything, frees every block

  [[nodiscard]] size_t used_bytes() const noexcept { return used_; }

 private:
  struct Block {
    Block* next;
    size_t size;  // bytes that follow this header
  };

  [[nodiscard]] size_t bytes_left() const noexcept { return used_ < bytes_max_ ? bytes_max_ - used_ : 0; }
  bool add_block(size_t at_least) noexcept;
  void free_blocks_after_first() noexcept;

  Block* first_ = nullptr;
  Block* last_ = nullptr;
  std::byte* cursor_ = nullptr;
  std::byte* end_ = nullptr;
  size_t used_ = 0;
  size_t bytes_max_;
  MutableBytes given_;
};

}  // namespace sluice
