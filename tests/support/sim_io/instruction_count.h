// Which instructions valgrind's callgrind counts (tests/instructions): those of the program, and not those of the
// simulated world, which runs in the same thread. The seam between the two says who runs: SimGateway calls the program,
// sim_loop.cc and sim_socket.cc take its calls into the kernel, as loop.cc and socket.cc would.
//
// Not by names of functions (callgrind's --toggle-collect): the compiler inlines and clones those. Without valgrind a
// toggle is a handful of instructions that do nothing.
#pragma once

#include <valgrind/callgrind.h>

#include <cstdint>
#include <utility>

namespace sluice::sim {

class InstructionCount {
 public:
  enum class Of : uint8_t { world, program };

  // From now on, or not any more. Called by the world. Until then callgrind need not look at what runs at all
  // (--instr-atstart=no), which is ten times as fast.
  static void set_wanted(bool wanted) noexcept {
    wanted_ = wanted;
    if (wanted) CALLGRIND_START_INSTRUMENTATION;
    if (!wanted) CALLGRIND_STOP_INSTRUMENTATION;
  }

  // Who runs while it lives; then goes on who ran before.
  class Scope {
   public:
    explicit Scope(Of who) noexcept : before_(running_) { change_to(who); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { change_to(before_); }

   private:
    Of before_;
  };

 private:
  static void change_to(Of who) noexcept {
    if (std::exchange(running_, who) != who && wanted_) CALLGRIND_TOGGLE_COLLECT;
  }

  inline static Of running_ = Of::world;
  inline static bool wanted_ = false;
};

class WorldRuns : InstructionCount::Scope {
 public:
  WorldRuns() noexcept : Scope(InstructionCount::Of::world) {}
};

class ProgramRuns : InstructionCount::Scope {
 public:
  ProgramRuns() noexcept : Scope(InstructionCount::Of::program) {}
};

}  // namespace sluice::sim
