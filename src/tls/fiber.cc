#include "tls/fiber.h"

#include "base/check.h"
#include "base/limits.h"

#include <boost/context/detail/fcontext.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLUICE_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define SLUICE_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SLUICE_ASAN
#endif
#if defined(__SANITIZE_THREAD__)
#define SLUICE_TSAN
#endif
#if defined(SLUICE_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(SLUICE_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace sluice::tls {

namespace context = boost::context::detail;

// --- Stacks ----------------------------------------------------------------------------------------

namespace {

size_t guard_bytes() noexcept {
  static const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return page;
}

void unmap(std::byte* stack) noexcept {
  CHECK(munmap(stack - guard_bytes(), guard_bytes() + FiberStacks::stack_bytes) == 0);
}

}  // namespace

FiberStacks::~FiberStacks() {
  CHECK(taken_count_ == 0);
  for (std::byte* stack : idle_) unmap(stack);
}

std::byte* FiberStacks::take() noexcept {
  std::byte* stack = nullptr;
  if (!idle_.empty()) {
    stack = idle_.back();  // the one that is still in the caches
    idle_.pop_back();
    unneeded_count_ = std::min(unneeded_count_, idle_.size());
  } else {
    void* memory = mmap(nullptr, guard_bytes() + stack_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    CHECK(mprotect(memory, guard_bytes(), PROT_NONE) == 0);
    // Keys pass over it.
    madvise(memory, guard_bytes() + stack_bytes, MADV_DONTDUMP);
    stack = static_cast<std::byte*>(memory) + guard_bytes();
  }
  ++taken_count_;
  return stack;
}

void FiberStacks::give(std::byte* stack) noexcept {
  --taken_count_;
  idle_.push_back(stack);
}

void FiberStacks::trim() noexcept {
  const size_t kept = std::max(limits::idle_fiber_stacks_kept, idle_.size() - unneeded_count_);
  if (idle_.size() > kept) {
    const auto end = idle_.end() - static_cast<ptrdiff_t>(kept);
    std::for_each(idle_.begin(), end, unmap);
    idle_.erase(idle_.begin(), end);
  }
  unneeded_count_ = idle_.size();
}

// --- Switching -------------------------------------------------------------------------------------

struct Fiber::Switch {
  static void enter(context::transfer_t from) {
    Fiber& fiber = *static_cast<Fiber*>(from.data);
    fiber.other_side_ = from.fctx;
    arrived_on_fiber(fiber);
    fiber.body_(fiber.argument_);
    fiber.has_returned_ = true;
    leaves_fiber(fiber);
    context::jump_fcontext(std::exchange(fiber.other_side_, nullptr), nullptr);
    UNREACHABLE();
  }

  static void to_fiber(Fiber& fiber) noexcept {
#if defined(SLUICE_ASAN)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, fiber.stack_, FiberStacks::stack_bytes);
#endif
#if defined(SLUICE_TSAN)
    fiber.tsan_resumer_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber.tsan_fiber_, 0);
#endif
    fiber.other_side_ = context::jump_fcontext(fiber.other_side_, &fiber).fctx;
#if defined(SLUICE_ASAN)
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  }

  static void to_resumer(Fiber& fiber) noexcept {
    leaves_fiber(fiber);
    fiber.other_side_ = context::jump_fcontext(fiber.other_side_, nullptr).fctx;
    arrived_on_fiber(fiber);
  }

 private:
  // Inline, always: a function that TSan saw being entered on one side must not be left on the other.
  [[gnu::always_inline]] static void arrived_on_fiber([[maybe_unused]] Fiber& fiber) noexcept {
#if defined(SLUICE_ASAN)
    __sanitizer_finish_switch_fiber(fiber.fake_stack_, const_cast<const void**>(&fiber.resumer_stack_),
                                    &fiber.resumer_stack_bytes_);
#endif
  }

  [[gnu::always_inline]] static void leaves_fiber([[maybe_unused]] Fiber& fiber) noexcept {
#if defined(SLUICE_ASAN)
    // Without a place to keep it, the fake stack ends: the body has returned.
    __sanitizer_start_switch_fiber(fiber.has_returned_ ? nullptr : &fiber.fake_stack_, fiber.resumer_stack_,
                                   fiber.resumer_stack_bytes_);
#endif
#if defined(SLUICE_TSAN)
    __tsan_switch_to_fiber(fiber.tsan_resumer_, 0);
#endif
  }
};

Fiber::Fiber(FiberStacks& stacks, std::byte* stack, Body body, void* argument) noexcept
    : stacks_(stacks), stack_(stack), body_(body), argument_(argument) {
  other_side_ = context::make_fcontext(stack + FiberStacks::stack_bytes, FiberStacks::stack_bytes, Switch::enter);
#if defined(SLUICE_TSAN)
  tsan_fiber_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() { CHECK(is_done()); }

void Fiber::resume() noexcept {
  CHECK(!is_done());
  Switch::to_fiber(*this);
  if (!has_returned_) return;
#if defined(SLUICE_TSAN)
  __tsan_destroy_fiber(tsan_fiber_);
#endif
  stacks_.give(std::exchange(stack_, nullptr));
}

void Fiber::stop() noexcept { Switch::to_resumer(*this); }

}  // namespace sluice::tls
