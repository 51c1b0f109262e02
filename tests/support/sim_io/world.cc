#include "sim_io/world.h"

#include "sim_io/kernel.h"
#include "sim_io/network.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace sluice::sim {

namespace {

// See World::current().
World* current_world = nullptr;

}  // namespace

World::World(uint64_t seed, const Weather& weather)
    : seed_(seed),
      weather_(weather),
      random_(seed),
      now_(std::chrono::seconds(1000) + std::chrono::nanoseconds(random_.below(1'000'000'000))),
      previous_(std::exchange(current_world, this)),
      network_(std::make_unique<Network>(*this)),
      kernel_(std::make_unique<Kernel>(*this)) {}

World::~World() {
  events_.clear();
  current_world = previous_;
}

World& World::current() {
  if (current_world == nullptr) {
    std::fprintf(stderr, "sim: there is no world: make a sim::World before an io::Loop\n");
    std::abort();
  }
  return *current_world;
}

size_t World::some_of(size_t most) noexcept {
  if (most <= 1) return most;
  switch (random_.below(4)) {
    case 0: return between(1, std::min<size_t>(most, 16));
    case 1: return between(1, most);
    default: return most;
  }
}

void World::after(Duration delay, std::function<void()> action) {
  events_.push_back({.time = now_ + delay, .order = random_.next(), .action = std::move(action)});
  std::ranges::push_heap(events_, Later{});
}

Instant World::next_event() const noexcept { return events_.empty() ? Instant::max() : events_.front().time; }

void World::advance_to(Instant instant) {
  while (next_event() <= instant) {
    std::ranges::pop_heap(events_, Later{});
    const Event event = std::move(events_.back());
    events_.pop_back();
    now_ = std::max(now_, event.time);
    event.action();
  }
  now_ = std::max(now_, instant);
}

void World::check_nothing_left() { kernel_->check_nothing_left(); }

void World::write_trace(const std::string& message) const {
  fmt::print(stderr, "[{:12.6f}] {}\n", std::chrono::duration<double>(now_.time_since_epoch()).count(), message);
}

void World::fail_with(const std::string& message) {
  fmt::print(stderr, "sim: seed {}, at {:.6f} s: {}\n", seed_,
             std::chrono::duration<double>(now_.time_since_epoch()).count(), message);
  if (verbose) fmt::print(stderr, "{}", kernel_->describe());
  std::abort();
}

}  // namespace sluice::sim
