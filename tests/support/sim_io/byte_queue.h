// A first-in-first-out of bytes: a socket's buffer, a pipe's content.
#pragma once

#include "base/bytes.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace sluice::sim {

class ByteQueue {
 public:
  [[nodiscard]] size_t size() const noexcept { return bytes_.size() - begin_; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] ConstBytes view() const noexcept { return ConstBytes(bytes_).subspan(begin_); }

  void push(ConstBytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

  void drop(size_t count) {
    begin_ += count;
    if (begin_ == bytes_.size()) {
      clear();
    } else if (begin_ > bytes_.size() / 2) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
    }
  }

  // The first bytes, as many as there are and fit; returns how many.
  size_t pop(MutableBytes room) {
    const size_t count = std::min(room.size(), size());
    if (count > 0) std::memcpy(room.data(), bytes_.data() + begin_, count);
    drop(count);
    return count;
  }

  void clear() noexcept {
    bytes_.clear();
    begin_ = 0;
  }

 private:
  std::vector<std::byte> bytes_;
  size_t begin_ = 0;
};

}  // namespace sluice::sim
