// What timeouts cost a shard. Each benchmark reports time, calls of malloc and a checksum of what it made.
#include "report.h"
#include "require.h"

#include "base/random.h"
#include "base/timer_wheel.h"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace sluice {
namespace {

using bench::Report;
using bench::require;
using namespace std::chrono_literals;

constexpr Instant kStart{1000s};

// Timers of connections, which do not fire here.
class Timers {
 public:
  explicit Timers(size_t count) {
    for (size_t i = 0; i < count; ++i) timers_.emplace_back([](void*) { require(false); }, nullptr);
  }
  Timer& operator[](size_t index) { return timers_[index]; }
  [[nodiscard]] size_t count() const { return timers_.size(); }

 private:
  std::deque<Timer> timers_;
};

// A timeout of 60 s that is moved with every request, among those of so many connections.
void move_timeout(benchmark::State& state) {
  TimerWheel wheel(kStart);
  Timers timers(static_cast<size_t>(state.range(0)));
  for (size_t i = 0; i < timers.count(); ++i) wheel.arm(timers[i], kStart + 60s);
  Random random(1);
  Report report(state);
  for (auto _ : state) {
    wheel.arm(timers[random.below(static_cast<uint32_t>(timers.count()))], kStart + 60s);
    report.checksum += wheel.armed_count();
  }
  require(wheel.armed_count() == timers.count());
}
BENCHMARK(move_timeout)->Arg(1)->Arg(1000)->Arg(100'000);

// Armed for a request and cancelled when it is answered.
void arm_and_cancel(benchmark::State& state) {
  TimerWheel wheel(kStart);
  Timers timers(1);
  Report report(state);
  for (auto _ : state) {
    wheel.arm(timers[0], kStart + 15s);
    report.checksum += timers[0].is_armed();
    timers[0].cancel();
  }
  require(wheel.armed_count() == 0);
}
BENCHMARK(arm_and_cancel);

// A turn of the loop 50 us after the last one: nothing is due.
void advance_idle(benchmark::State& state) {
  TimerWheel wheel(kStart);
  Timers timers(static_cast<size_t>(state.range(0)));
  for (size_t i = 0; i < timers.count(); ++i) wheel.arm(timers[i], kStart + 240h);
  Instant now = kStart;
  Report report(state);
  for (auto _ : state) {
    now += 50us;
    wheel.advance(now);
    report.checksum += wheel.next_deadline().has_value();
  }
}
BENCHMARK(advance_idle)->Arg(1)->Arg(100'000);

// Arms itself again whenever it fires, for up to a minute.
struct Periodic {
  Periodic(TimerWheel& its_wheel, Random& its_random, Instant& clock)
      : wheel(its_wheel), random(its_random), now(clock) {
    arm();
  }
  void arm() { wheel.arm(timer, now + 1ms * (1 + random.below(60'000))); }

  TimerWheel& wheel;
  Random& random;
  Instant& now;
  uint64_t fired = 0;
  Timer timer{[](void* self) {
                ++static_cast<Periodic*>(self)->fired;
                static_cast<Periodic*>(self)->arm();
              },
              this};
};

// A millisecond in the life of so many timers; the checksum says how many of them have fired in it. Each has come down
// the levels of the wheel before.
void pass_a_millisecond(benchmark::State& state) {
  TimerWheel wheel(kStart);
  Random random(1);
  Instant now = kStart;
  std::deque<Periodic> timers;
  for (int64_t i = 0; i < state.range(0); ++i) timers.emplace_back(wheel, random, now);
  Report report(state);
  for (auto _ : state) {
    now += 1ms;
    wheel.advance(now);
  }
  for (const Periodic& timer : timers) report.checksum += timer.fired;
  require(wheel.armed_count() == timers.size());
}
BENCHMARK(pass_a_millisecond)->Arg(1000)->Arg(100'000);

}  // namespace
}  // namespace sluice

BENCHMARK_MAIN();
