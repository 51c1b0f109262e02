// Memory for keys: whole pages of their own, which are locked (never written to swap), left out of core
// dumps, and wiped before they are given back. For a few long-lived secrets, not for many small ones: each
// object is at least a page of the process's RLIMIT_MEMLOCK. Where locking is not allowed the memory works
// all the same; that is logged once. One owner; any thread.
#pragma once

#include "base/bytes.h"

namespace sluice {

class LockedMemory {
 public:
  // `size` > 0 bytes, all zero. Empty when the kernel gives no memory.
  [[nodiscard]] static LockedMemory allocate(size_t size) noexcept;

  LockedMemory() noexcept = default;
  LockedMemory(LockedMemory&& other) noexcept;
  LockedMemory& operator=(LockedMemory&& other) noexcept;
  ~LockedMemory();

  [[nodiscard]] bool is_empty() const noexcept { return bytes_.empty(); }
  [[nodiscard]] MutableBytes bytes() noexcept { return bytes_; }
  [[nodiscard]] ConstBytes bytes() const noexcept { return bytes_; }

 private:
  explicit LockedMemory(MutableBytes bytes) noexcept : bytes_(bytes) {}

  MutableBytes bytes_;  // at the start of a mapping of as many whole pages as it takes
};

}  // namespace sluice
