// How much content of requests a shard keeps at a time, so that clients cannot make it grow: for requests that may have
// to be sent again, and for copies. What finds no place is not kept. One thread.
#pragma once

#include "base/check.h"

#include <cstddef>

namespace sluice::forward {

class ContentBudget {
 public:
  explicit ContentBudget(size_t bytes_max) noexcept : bytes_left_(bytes_max) {}

  // False: there is not so much left, and nothing was taken.
  [[nodiscard]] bool take(size_t bytes) noexcept {
    if (bytes > bytes_left_) return false;
    bytes_left_ -= bytes;
    bytes_taken_ += bytes;
    return true;
  }
  void give_back(size_t bytes) noexcept {
    CHECK(bytes <= bytes_taken_);
    bytes_taken_ -= bytes;
    bytes_left_ += bytes;
  }
  [[nodiscard]] size_t bytes_taken() const noexcept { return bytes_taken_; }

 private:
  size_t bytes_left_;
  size_t bytes_taken_ = 0;
};

}  // namespace sluice::forward
