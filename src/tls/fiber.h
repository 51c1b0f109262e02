// A call that can stop in the middle and go on later, on a stack of its own. A step of a handshake waits
// so for a signature that another thread makes: the TLS library calls for it from deep inside, and has no
// other way to wait. Nothing else of sluice runs on such stacks. One thread.
#pragma once

#include <cstddef>
#include <vector>

namespace sluice::tls {

// Stacks, each with a page below it that faults. They are few: only handshakes that wait hold one. What a burst of
// handshakes has needed is kept while others follow: making and freeing a stack costs page faults and flushes of
// address translations on every processor of the process.
class FiberStacks {
 public:
  FiberStacks() = default;
  FiberStacks(const FiberStacks&) = delete;
  FiberStacks& operator=(const FiberStacks&) = delete;
  ~FiberStacks();  // all were given back

  // A handshake uses 17 KiB, sanitizers make it several times as much; what is not touched is no memory.
  static constexpr size_t stack_bytes = 128 * 1024;

  // The lowest usable byte; null: no memory.
  [[nodiscard]] std::byte* take() noexcept;
  void give(std::byte* stack) noexcept;
  // Now and then: frees the stacks that were idle all the time since the last call, but for
  // limits::idle_fiber_stacks_kept.
  void trim() noexcept;
  [[nodiscard]] size_t idle_count() const noexcept { return idle_.size(); }
  [[nodiscard]] size_t taken_count() const noexcept { return taken_count_; }

 private:
  std::vector<std::byte*> idle_;  // the one used last at the end
  size_t unneeded_count_ = 0;     // the fewest that were idle at a time since the last trim()
  size_t taken_count_ = 0;
};

class Fiber {
 public:
  using Body = void (*)(void* argument);

  // Begins at the first resume(). `stack` comes from `stacks` and goes back there at the end of the body.
  Fiber(FiberStacks& stacks, std::byte* stack, Body body, void* argument) noexcept;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();  // is_done()

  // Goes on until the body stops or returns.
  void resume() noexcept;
  [[nodiscard]] bool is_done() const noexcept { return stack_ == nullptr; }

  // On the fiber only: stop() returns at the next resume().
  void stop() noexcept;

 private:
  struct Switch;  // knows the assembly and the sanitizers

  FiberStacks& stacks_;
  std::byte* stack_;
  Body body_;
  void* argument_;
  void* other_side_ = nullptr;  // where to jump: to the fiber while it is stopped, else to who resumed it
  bool has_returned_ = false;

  // Of the sanitizers, which follow every change of the stack; unused without them.
  void* resumer_stack_ = nullptr;
  size_t resumer_stack_bytes_ = 0;
  void* fake_stack_ = nullptr;
  void* tsan_fiber_ = nullptr;
  void* tsan_resumer_ = nullptr;
};

}  // namespace sluice::tls
