#include "base/timer_wheel.h"

#include "base/check.h"

#include <algorithm>
#include <bit>

namespace sluice {

using std::chrono::milliseconds;

void Timer::cancel() noexcept {
  if (!is_armed()) return;
  unlink();
  const unsigned level = slot_ / TimerWheel::kSlots;
  if (wheel_->slots_[slot_].empty()) wheel_->occupied_[level] &= ~(uint64_t{1} << (slot_ % TimerWheel::kSlots));
  --wheel_->armed_count_;
  wheel_ = nullptr;
}

TimerWheel::TimerWheel(Instant now) noexcept : now_tick_(tick_of(now)) {}

uint64_t TimerWheel::tick_of(Instant instant) noexcept {
  return static_cast<uint64_t>(std::chrono::floor<milliseconds>(instant.time_since_epoch()).count());
}

void TimerWheel::arm(Timer& timer, Instant deadline) noexcept {
  timer.cancel();
  // Rounded up: never early. Compared as signed: a deadline may lie before the clock's origin.
  const int64_t tick = std::chrono::ceil<milliseconds>(deadline.time_since_epoch()).count();
  timer.deadline_tick_ = static_cast<uint64_t>(std::max(tick, static_cast<int64_t>(now_tick_ + 1)));
  timer.wheel_ = this;
  place(timer);
  ++armed_count_;
}

// The level is that of the highest slot digit in which the deadline differs from now: every timer of
// a lower level fires before the digit changes, and the change cascades this one down.
void TimerWheel::place(Timer& timer) noexcept {
  constexpr uint64_t kTicksMax = (uint64_t{1} << (kLevels * kSlotBits)) - 1;
  uint64_t tick = timer.deadline_tick_;
  if (tick - now_tick_ > kTicksMax / 2) tick = now_tick_ + kTicksMax / 2;  // cascades again later
  const uint64_t differing = tick ^ now_tick_;
  const unsigned level =
      differing == 0
          ? 0
          : std::min<unsigned>((static_cast<unsigned>(std::bit_width(differing)) - 1) / kSlotBits, kLevels - 1);
  const auto position = static_cast<unsigned>(tick >> (level * kSlotBits)) % kSlots;
  timer.slot_ = static_cast<uint16_t>(level * kSlots + position);
  slots_[timer.slot_].push_back(timer);
  occupied_[level] |= uint64_t{1} << position;
}

void TimerWheel::cascade(unsigned level) noexcept {
  const auto position = static_cast<unsigned>(now_tick_ >> (level * kSlotBits)) % kSlots;
  if ((occupied_[level] & (uint64_t{1} << position)) == 0) return;
  occupied_[level] &= ~(uint64_t{1} << position);
  List<Timer> moving;
  moving.append(slots_[level * kSlots + position]);
  while (!moving.empty()) place(moving.pop_front());
}

void TimerWheel::advance(Instant now) noexcept {
  const uint64_t target = tick_of(now);
  while (now_tick_ < target) {
    // Straight to the next occupied slot: a long sleep costs no more than a short one.
    const uint64_t next = next_tick();
    if (next > target) {
      now_tick_ = target;
      return;
    }
    now_tick_ = next;
    for (unsigned level = 1; level < kLevels && now_tick_ % (uint64_t{1} << (level * kSlotBits)) == 0; ++level)
      cascade(level);

    List<Timer>& due = slots_[now_tick_ % kSlots];
    while (!due.empty()) {
      Timer& timer = due.front();
      DCHECK(timer.deadline_tick_ == now_tick_);
      timer.cancel();
      timer.handler_(timer.owner_);
    }
  }
}

// Timers of a lower level are all earlier than those of a higher one, and a slot begins with its
// earliest: the first occupied slot of the first occupied level is next.
uint64_t TimerWheel::next_tick() const noexcept {
  for (unsigned level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const unsigned shift = level * kSlotBits;
    const auto position = static_cast<int>((now_tick_ >> shift) % kSlots);
    const auto steps = static_cast<uint64_t>(std::countr_zero(std::rotr(occupied_[level], position)));
    return ((now_tick_ >> shift) + steps) << shift;
  }
  return kNever;
}

std::optional<Instant> TimerWheel::next_deadline() const noexcept {
  const uint64_t tick = next_tick();
  if (tick == kNever) return std::nullopt;
  return Instant(
      milliseconds(std::max(tick, now_tick_ + 1)));  // inside a handler, the slot that runs is still occupied
}

}  // namespace sluice
