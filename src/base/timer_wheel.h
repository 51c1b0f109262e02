// Timeouts of one shard: a hierarchical wheel with ticks of one millisecond. Arming, re-arming and
// cancelling are O(1) and allocate nothing; a timer fires at its deadline, rounded up to a tick,
// however long it is. Owned and used by one thread.
//
// Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 7.
#pragma once

#include "base/durations.h"
#include "base/list.h"

#include <array>
#include <cstdint>
#include <optional>

namespace sluice {

// Embedded in the object that waits. Fires once; may be re-armed from its own handler.
class Timer : public ListNode<Timer> {
 public:
  using Handler = void (*)(void* owner);

  Timer(Handler handler, void* owner) noexcept : handler_(handler), owner_(owner) {}
  ~Timer() { cancel(); }

  [[nodiscard]] bool is_armed() const noexcept { return is_linked(); }
  void cancel() noexcept;

 private:
  friend class TimerWheel;

  Handler handler_;
  void* owner_;
  uint64_t deadline_tick_ = 0;
  class TimerWheel* wheel_ = nullptr;  // set exactly while armed
  uint16_t slot_ = 0;                  // level * 64 + position, while armed
};

class TimerWheel {
 public:
  explicit TimerWheel(Instant now) noexcept;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Fires at `deadline`; a timer that is already armed is moved.
  void arm(Timer& timer, Instant deadline) noexcept;

  // Runs the handlers of every timer whose deadline has come; handlers may arm and cancel any timer.
  void advance(Instant now) noexcept;

  // The instant at which advance() next has something to do; nothing when no timer is armed.
  [[nodiscard]] std::optional<Instant> next_deadline() const noexcept;

  [[nodiscard]] size_t armed_count() const noexcept { return armed_count_; }

 private:
  friend class Timer;

  static constexpr unsigned kLevels = 5;  // 64^5 ms is 12 days; longer timers are clamped
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kSlots = 1U << kSlotBits;
  static constexpr uint64_t kNever = ~uint64_t{0};

  [[nodiscard]] static uint64_t tick_of(Instant instant) noexcept;
  void place(Timer& timer) noexcept;
  void cascade(unsigned level) noexcept;
  [[nodiscard]] uint64_t next_tick() const noexcept;  // where advance() has something to do, or kNever

  std::array<List<Timer>, kLevels * kSlots> slots_;
  std::array<uint64_t, kLevels> occupied_{};  // bit i: slot i of the level is not empty
  uint64_t now_tick_;
  size_t armed_count_ = 0;
};

}  // namespace sluice
