// One operation that the kernel may be working on. Embedded in the object that owns its buffer, never
// moved, never on a stack: the kernel writes through it until its last completion.
//
// "In kernel" exactly while a completion without IORING_CQE_F_MORE is owed. The destructor checks that
// nothing is owed any more (docs/kernel_contract.md 1, 3, 10).
#pragma once

#include "base/check.h"

#include <cstdint>

namespace sluice::io {

// What a completion says, in words that do not need liburing.
struct Completion {
  int result = 0;           // >= 0: as the system call; < 0: negative errno
  bool more = false;        // multishot: the operation stays armed. Absent, it has ended, whatever `result` says
  bool has_buffer = false;  // a provided buffer was used
  uint16_t buffer = 0;      // which one (io/receive_buffers.h)
};

class Op {
 public:
  using Handler = void (*)(void* owner, const Completion& completion);

  Op(Handler handler, void* owner) noexcept : handler_(handler), owner_(owner) {}
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  ~Op() { CHECK(!in_kernel_); }

  [[nodiscard]] bool is_idle() const noexcept { return !in_kernel_; }

 private:
  friend class Loop;

  Handler handler_;
  void* owner_;
  uint16_t generation_ = 0;  // counts arm(); the kernel's copy must agree, else the completion is a stale one
  bool in_kernel_ = false;
};

}  // namespace sluice::io
