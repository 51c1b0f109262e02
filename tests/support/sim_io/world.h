// A small deterministic world: a virtual clock, a seeded random generator, events in order of their time,
// a network (network.h), a kernel with its ring and descriptors (kernel.h). io::Loop and the functions of
// io/socket.h are linked against it (sim_loop.cc, sim_socket.cc), so that the data plane runs in it
// unchanged, and every run with the same seed is the same to the last byte.
//
// The world is as hostile as a real one may be at its worst: see Weather. What the program under test
// does wrong to its kernel (a descriptor closed with an operation in flight, a buffer given back twice,
// something left over at the end) is a failure of the test, told with its seed.
#pragma once

#include "base/durations.h"
#include "base/random.h"

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice::sim {

class Kernel;
class Network;

// How the world treats the program; the chances are in thousandths. Everything but `descriptors_out` is
// something that a correct program must not even notice.
struct Weather {
  unsigned short_transfer = 300;  // fewer bytes than there are
  unsigned multishot_ends = 30;   // no F_MORE, although the result is a success
  unsigned no_buffers = 10;       // -ENOBUFS, although there are some
  unsigned delayed_completion = 200;
  unsigned late_start = 200;            // a submitted operation looks at its socket only some time later
  unsigned spurious = 10;               // a poll that was wrong, an EAGAIN or EINTR without cause
  unsigned reset_drops_received = 250;  // a reset takes what had arrived and was not read
  unsigned descriptors_out = 0;         // -EMFILE for sockets, pipes, accepted connections
  Duration latency_max = std::chrono::milliseconds(2);  // of one piece on the wire
  size_t socket_buffer_max = 64 * 1024;
  unsigned queue_entries = 8;         // of the submission queue
  bool nonblocking_is_nowait = true;  // an operation on a non-blocking socket gives EAGAIN; some kernels wait
  bool mixes_completions = true;      // they come in any order, and not all that are there at once
};

// Nothing happens by chance.
inline Weather fine_weather() {
  return {.short_transfer = 0,
          .multishot_ends = 0,
          .no_buffers = 0,
          .delayed_completion = 0,
          .late_start = 0,
          .spurious = 0,
          .reset_drops_received = 0};
}

// Everything that a correct program must not notice.
inline Weather rough_weather() {
  return {.short_transfer = 300,
          .multishot_ends = 100,
          .no_buffers = 100,
          .delayed_completion = 400,
          .late_start = 300,
          .spurious = 50};
}

class World {
 public:
  explicit World(uint64_t seed, const Weather& weather = {});
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // The world that io::Loop and io/socket.h live in: one at a time, the last one that was made. Their
  // interfaces have no room for it, since the real ones have but one kernel.
  [[nodiscard]] static World& current();

  // --- chance ---
  [[nodiscard]] Random& random() noexcept { return random_; }
  [[nodiscard]] bool chance(unsigned thousandths) noexcept { return random_.below(1000) < thousandths; }
  // Uniform, both ends included.
  [[nodiscard]] size_t between(size_t least, size_t most) noexcept {
    return least + random_.below(static_cast<uint32_t>(most - least + 1));
  }
  // Mostly a small part of `most`, sometimes all of it; at least 1.
  [[nodiscard]] size_t some_of(size_t most) noexcept;
  [[nodiscard]] Duration delay(Duration most) noexcept {
    return Duration(static_cast<int64_t>(random_.next() % static_cast<uint64_t>(most.count() + 1)));
  }
  [[nodiscard]] const Weather& weather() const noexcept { return weather_; }
  void set_descriptors_out(unsigned chance) noexcept { weather_.descriptors_out = chance; }

  // --- time ---
  [[nodiscard]] Instant now() const noexcept { return now_; }
  // Runs `action` when its time has come. Actions of the same instant run in random order.
  void after(Duration delay, std::function<void()> action);
  // The time of the next event, or the end of time.
  [[nodiscard]] Instant next_event() const noexcept;
  // Lets time pass and runs what is due.
  void advance_to(Instant instant);

  [[nodiscard]] Network& network() noexcept { return *network_; }
  [[nodiscard]] Kernel& kernel() noexcept { return *kernel_; }

  // --- telling ---
  template <typename... Args>
  void trace(fmt::format_string<Args...> format, Args&&... args) {
    if (verbose) write_trace(fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
    fail_with(fmt::format(format, std::forward<Args>(args)...));
  }
  bool verbose = false;

  // Nothing that the program opened is left. Call it when the program has ended.
  void check_nothing_left();

 private:
  struct Event {
    Instant time;
    uint64_t order;
    std::function<void()> action;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const noexcept {
      return a.time != b.time ? a.time > b.time : a.order > b.order;
    }
  };

  void write_trace(const std::string& message) const;
  [[noreturn]] void fail_with(const std::string& message);

  uint64_t seed_;
  Weather weather_;
  Random random_;
  Instant now_;
  std::vector<Event> events_;  // a heap, the next one first
  World* previous_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Kernel> kernel_;
};

}  // namespace sluice::sim
