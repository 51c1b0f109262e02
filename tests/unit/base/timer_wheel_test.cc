#include "base/timer_wheel.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

namespace sluice {
namespace {

using namespace std::chrono_literals;

Instant at(Duration since_start) { return Instant(since_start); }

// A timer that tells when it fired and may do something about it.
struct Alarm : Timer {
  Alarm() : Timer([](void* self) { static_cast<Alarm*>(self)->fired(); }, this) {}

  void fired() {
    ++fired_count;
    if (on_fire) on_fire();
  }

  int fired_count = 0;
  std::function<void()> on_fire;
};

TEST(TimerWheel, FiresATimerAtItsDeadlineAndNotBefore) {
  TimerWheel wheel(at(0ms));
  Alarm alarm;
  wheel.arm(alarm, at(10ms));
  EXPECT_TRUE(alarm.is_armed());
  wheel.advance(at(9ms));
  EXPECT_EQ(alarm.fired_count, 0);
  wheel.advance(at(10ms));
  EXPECT_EQ(alarm.fired_count, 1);
  EXPECT_FALSE(alarm.is_armed());
  wheel.advance(at(1h));
  EXPECT_EQ(alarm.fired_count, 1);
}

TEST(TimerWheel, RoundsADeadlineBetweenTwoTicksUp) {
  TimerWheel wheel(at(0ms));
  Alarm alarm;
  wheel.arm(alarm, at(10ms + 1ns));
  wheel.advance(at(10ms + 500us));
  EXPECT_EQ(alarm.fired_count, 0);
  wheel.advance(at(11ms));
  EXPECT_EQ(alarm.fired_count, 1);
}

TEST(TimerWheel, IsExactForLongTimersToo) {
  for (const Duration length :
       {63ms, 64ms, 65ms, 4095ms, 4096ms, 4097ms, 262'144ms, 3'600'000ms, 16'777'215ms, 16'777'216ms, 200'000'000ms}) {
    for (const Duration start : {0ms, 1ms, 63ms, 4095ms, 123'456'789ms}) {
      TimerWheel wheel(at(start));
      Alarm alarm;
      wheel.arm(alarm, at(start + length));
      wheel.advance(at(start + length - 1ms));
      EXPECT_EQ(alarm.fired_count, 0) << length.count() << " ns from " << start.count();
      wheel.advance(at(start + length));
      EXPECT_EQ(alarm.fired_count, 1) << length.count() << " ns from " << start.count();
    }
  }
}

TEST(TimerWheel, KeepsATimerThatIsLongerThanTheWheel) {
  TimerWheel wheel(at(5ms));
  Alarm alarm;
  wheel.arm(alarm, at(24h * 40));
  wheel.advance(at(24h * 40 - 1ms));
  EXPECT_EQ(alarm.fired_count, 0);
  wheel.advance(at(24h * 40));
  EXPECT_EQ(alarm.fired_count, 1);
}

TEST(TimerWheel, KeepsATimerThatNeverEnds) {
  TimerWheel wheel(at(0ms));
  Alarm alarm;
  wheel.arm(alarm, Instant::max());
  wheel.advance(at(24h * 30));
  EXPECT_EQ(alarm.fired_count, 0);
  EXPECT_TRUE(alarm.is_armed());
  alarm.cancel();
  EXPECT_EQ(wheel.armed_count(), 0U);
}

TEST(TimerWheel, FiresADeadlineThatHasPassedAtTheNextTick) {
  TimerWheel wheel(at(100ms));
  Alarm past, present, before_the_clock;
  wheel.arm(past, at(1ms));
  wheel.arm(present, at(100ms));
  wheel.arm(before_the_clock, at(-5s));
  wheel.advance(at(100ms));
  EXPECT_EQ(past.fired_count + present.fired_count + before_the_clock.fired_count, 0);
  wheel.advance(at(101ms));
  EXPECT_EQ(past.fired_count, 1);
  EXPECT_EQ(present.fired_count, 1);
  EXPECT_EQ(before_the_clock.fired_count, 1);
}

TEST(TimerWheel, MovesATimerThatIsArmedAgain) {
  TimerWheel wheel(at(0ms));
  Alarm alarm;
  wheel.arm(alarm, at(10ms));
  wheel.arm(alarm, at(5000ms));
  EXPECT_EQ(wheel.armed_count(), 1U);
  wheel.advance(at(4999ms));
  EXPECT_EQ(alarm.fired_count, 0);
  wheel.arm(alarm, at(5001ms));
  wheel.advance(at(5001ms));
  EXPECT_EQ(alarm.fired_count, 1);
}

TEST(TimerWheel, ForgetsATimerThatIsCancelled) {
  TimerWheel wheel(at(0ms));
  Alarm alarm;
  wheel.arm(alarm, at(10ms));
  alarm.cancel();
  EXPECT_FALSE(alarm.is_armed());
  EXPECT_EQ(wheel.armed_count(), 0U);
  EXPECT_FALSE(wheel.next_deadline());
  wheel.advance(at(1s));
  EXPECT_EQ(alarm.fired_count, 0);
  alarm.cancel();  // of an idle timer: nothing
}

TEST(TimerWheel, ForgetsATimerThatDies) {
  TimerWheel wheel(at(0ms));
  {
    Alarm alarm;
    wheel.arm(alarm, at(10ms));
  }
  EXPECT_EQ(wheel.armed_count(), 0U);
  wheel.advance(at(1s));
}

TEST(TimerWheel, LetsAHandlerArmItsOwnTimer) {
  TimerWheel wheel(at(0ms));
  Alarm alarm;
  alarm.on_fire = [&] {
    if (alarm.fired_count < 5) wheel.arm(alarm, at(alarm.fired_count * 100ms));
  };
  wheel.arm(alarm, at(10ms));
  wheel.advance(at(250ms));
  EXPECT_EQ(alarm.fired_count, 3);  // at 10, 100 and 200
  wheel.advance(at(1s));
  EXPECT_EQ(alarm.fired_count, 5);
}

TEST(TimerWheel, FiresAtMostOncePerTickWhenAHandlerArmsForNow) {
  TimerWheel wheel(at(0ms));
  Alarm alarm;
  alarm.on_fire = [&] { wheel.arm(alarm, at(0ms)); };
  wheel.arm(alarm, at(1ms));
  wheel.advance(at(100ms));
  EXPECT_EQ(alarm.fired_count, 100);
  alarm.cancel();
}

TEST(TimerWheel, LetsAHandlerCancelATimerOfTheSameTick) {
  TimerWheel wheel(at(0ms));
  Alarm one, two;
  one.on_fire = [&] { two.cancel(); };
  two.on_fire = [&] { one.cancel(); };
  wheel.arm(one, at(10ms));
  wheel.arm(two, at(10ms));
  wheel.advance(at(20ms));
  EXPECT_EQ(one.fired_count + two.fired_count, 1);
  EXPECT_EQ(wheel.armed_count(), 0U);
}

TEST(TimerWheel, LetsAHandlerDestroyItsOwnTimer) {
  TimerWheel wheel(at(0ms));
  int fired = 0;
  struct Suicidal : Timer {
    Suicidal(std::unique_ptr<Suicidal>& self_, int& fired_) : Timer(on_timer, this), self(self_), fired(fired_) {}
    static void on_timer(void* owner) {
      auto& me = *static_cast<Suicidal*>(owner);
      ++me.fired;
      me.self.reset();
    }
    std::unique_ptr<Suicidal>& self;
    int& fired;
  };
  std::unique_ptr<Suicidal> timer;
  timer = std::make_unique<Suicidal>(timer, fired);
  wheel.arm(*timer, at(5ms));
  wheel.advance(at(6ms));
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(timer, nullptr);
}

TEST(TimerWheel, FiresTimersInTheOrderOfTheirTicks) {
  TimerWheel wheel(at(0ms));
  std::vector<int> order;
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (const int length : {5000, 3, 70, 69, 4096, 300'000, 64, 1}) {
    alarms.push_back(std::make_unique<Alarm>());
    alarms.back()->on_fire = [&order, length] { order.push_back(length); };
    wheel.arm(*alarms.back(), at(length * 1ms));
  }
  wheel.advance(at(1h));
  EXPECT_EQ(order, (std::vector{1, 3, 64, 69, 70, 4096, 5000, 300'000}));
}

TEST(TimerWheel, HasNoNextDeadlineWhileNothingIsArmed) {
  TimerWheel wheel(at(0ms));
  EXPECT_FALSE(wheel.next_deadline());
  wheel.advance(at(1h));
  EXPECT_FALSE(wheel.next_deadline());
}

TEST(TimerWheel, NamesTheExactNextDeadlineOfAShortTimer) {
  TimerWheel wheel(at(0ms));
  Alarm soon, later;
  wheel.arm(later, at(50ms));
  wheel.arm(soon, at(20ms));
  EXPECT_EQ(wheel.next_deadline(), at(20ms));
}

// Sleeping until next_deadline() and advancing to it must reach every timer in time and in few steps:
// one per level at most, however long the timer is.
TEST(TimerWheel, ReachesALongTimerInAFewSleeps) {
  for (const Duration length : std::initializer_list<Duration>{1ms, 64ms, 5s, 60s, 1h, 24h, 240h}) {
    TimerWheel wheel(at(987'654ms));
    Alarm alarm;
    const Instant deadline = at(987'654ms + length);
    wheel.arm(alarm, deadline);
    int sleeps = 0;
    while (alarm.fired_count == 0) {
      const auto next = wheel.next_deadline();
      ASSERT_TRUE(next);
      ASSERT_LE(*next, deadline);
      wheel.advance(*next);
      ASSERT_LE(++sleeps, 10) << length.count();
    }
  }
}

// --- Against a plain list --------------------------------------------------------------------------

// What the wheel must do, in the most obvious way: every alarm with its tick, searched linearly.
class Reference {
 public:
  explicit Reference(size_t count, int64_t now_ms) : ticks_(count, kIdle), now_(now_ms) {}

  void arm(size_t index, Duration deadline) {
    ticks_[index] = std::max(std::chrono::ceil<std::chrono::milliseconds>(deadline).count(), now_ + 1);
  }
  void cancel(size_t index) { ticks_[index] = kIdle; }
  [[nodiscard]] bool is_armed(size_t index) const { return ticks_[index] != kIdle; }
  [[nodiscard]] int64_t tick(size_t index) const { return ticks_[index]; }
  [[nodiscard]] int64_t earliest() const { return *std::ranges::min_element(ticks_); }
  [[nodiscard]] size_t armed_count() const {
    return static_cast<size_t>(std::ranges::count_if(ticks_, [](int64_t tick) { return tick != kIdle; }));
  }
  void set_now(int64_t now_ms) { now_ = now_ms; }

  static constexpr int64_t kIdle = std::numeric_limits<int64_t>::max();

 private:
  std::vector<int64_t> ticks_;
  int64_t now_;
};

// Runs both side by side. Each alarm that fires checks that it was due, that nothing earlier is left
// behind, and then arms or cancels others at random.
class Race {
 public:
  explicit Race(uint64_t seed)
      : random_(seed), now_(random_start()), wheel_(at(now_)), reference_(kCount, now_ms()), alarms_(kCount) {
    for (size_t i = 0; i < kCount; ++i) alarms_[i].on_fire = [this, i] { on_fire(i); };
  }

  void run() {
    for (int step = 0; step < 2000 && !testing::Test::HasFailure(); ++step) {
      for (unsigned i = random_.below(4); i > 0; --i) arm_or_cancel();
      const auto next = wheel_.next_deadline();
      ASSERT_EQ(next.has_value(), reference_.armed_count() > 0);
      if (next) {
        ASSERT_GT(*next, at(now_)) << "would spin";
        ASSERT_LE(*next, at(std::chrono::milliseconds(reference_.earliest())))
            << "would sleep too long: now " << now_ms() << ", next " << to_milliseconds(next->time_since_epoch())
            << ", earliest " << reference_.earliest();
      }
      advance(now_ + random_jump(next));
    }
    for (Alarm& alarm : alarms_) alarm.cancel();
    EXPECT_EQ(wheel_.armed_count(), 0U);
    EXPECT_GT(fired_, 500U) << "the race exercised too little";
  }

 private:
  static constexpr size_t kCount = 60;

  Duration random_start() { return std::chrono::milliseconds(random_.next() % 100'000'000'000); }
  int64_t now_ms() const { return std::chrono::floor<std::chrono::milliseconds>(now_).count(); }

  // Lengths of every level, with many short ones.
  Duration random_length() {
    const uint64_t most = uint64_t{1} << (6 * random_.below(6) + random_.below(7));
    return std::chrono::microseconds(random_.next() % (most * 1000));
  }

  Duration random_jump(std::optional<Instant> next) {
    switch (random_.below(8)) {
      case 0: return 0ms;
      case 1: return random_length() / 64;
      case 2: return random_.below(20) == 0 ? random_length() : Duration(1ms);
      case 3: return 700us;
      default: return next ? next->time_since_epoch() - now_ : Duration(1ms);
    }
  }

  void arm_or_cancel() {
    const size_t index = random_.below(kCount);
    if (random_.below(5) == 0) {
      alarms_[index].cancel();
      reference_.cancel(index);
    } else {
      const Duration deadline = now_ + (random_.below(10) == 0 ? -random_length() : random_length());
      wheel_.arm(alarms_[index], at(deadline));
      reference_.arm(index, deadline);
    }
  }

  void on_fire(size_t index) {
    ++fired_;
    const int64_t tick = reference_.tick(index);
    ASSERT_EQ(tick, reference_.earliest()) << "alarm " << index << " fired out of order, or is not armed";
    ASSERT_LE(tick, target_ms_) << "fired too early";
    reference_.cancel(index);
    reference_.set_now(tick);  // what handlers arm counts from the tick that is being run
    for (unsigned i = random_.below(3); i > 0; --i) arm_or_cancel();
  }

  void advance(Duration to) {
    now_ = to;
    target_ms_ = now_ms();
    wheel_.advance(at(to));
    reference_.set_now(now_ms());
    ASSERT_GT(reference_.earliest(), now_ms()) << "an alarm was left behind";
    ASSERT_EQ(wheel_.armed_count(), reference_.armed_count());
    for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(alarms_[i].is_armed(), reference_.is_armed(i)) << "alarm " << i;
  }

  Random random_;
  Duration now_;
  TimerWheel wheel_;
  Reference reference_;
  std::vector<Alarm> alarms_;
  int64_t target_ms_ = 0;
  unsigned fired_ = 0;
};

TEST(TimerWheel, AgreesWithASortedListUnderRandomArmingCancellingAndJumping) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Race(seed).run();
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace sluice
