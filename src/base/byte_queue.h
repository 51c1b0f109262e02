// Bytes in the order in which they came, contiguous, in memory that exists only while there are some. Its bound is its
// owner's. One owner, one thread.
#pragma once

#include "base/bytes.h"
#include "base/check.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

namespace sluice {

class ByteQueue {
 public:
  // Valid until the next call.
  [[nodiscard]] ConstBytes bytes() const noexcept { return {memory_.get() + begin_, size_}; }
  [[nodiscard]] size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  // `bytes` are not the queue's own.
  void append(ConstBytes bytes) {
    if (bytes.empty()) return;
    make_room(bytes.size());
    std::memcpy(memory_.get() + begin_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  // count <= size().
  void consume(size_t count) noexcept {
    CHECK(count <= size_);
    begin_ += count;
    size_ -= count;
    if (size_ == 0) clear();
  }

  void clear() noexcept {
    memory_.reset();
    begin_ = size_ = capacity_ = 0;
  }

 private:
  // Moving what is there costs at most as much as was consumed before it, or doubles the memory.
  void make_room(size_t count) {
    if (count <= capacity_ - begin_ - size_) return;
    if (size_ + count <= capacity_ && size_ <= begin_) {
      std::memmove(memory_.get(), memory_.get() + begin_, size_);
    } else {
      constexpr size_t least = 1024;
      const size_t capacity = std::max({least, size_ + count, 2 * size_});
      auto memory = std::make_unique_for_overwrite<std::byte[]>(capacity);
      if (size_ > 0) std::memcpy(memory.get(), memory_.get() + begin_, size_);
      memory_ = std::move(memory);
      capacity_ = capacity;
    }
    begin_ = 0;
  }

  std::unique_ptr<std::byte[]> memory_;
  size_t begin_ = 0;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace sluice
