// Streams in the simulated world: what happens when events come in an order that a real kernel shows once
// in a million runs. Each test tells of a bug that the simulation has found.
#include "io/stream.h"

#include "sim_io/kernel.h"
#include "sim_io/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice::io {
namespace {

using namespace std::chrono_literals;

// A stream that has connected to the test.
class StreamInWorld {
 public:
  StreamInWorld(uint64_t seed, const sim::Weather& weather) : world_(seed, weather), loop_(std::move(*Loop::create())) {
    const SocketAddress address = *SocketAddress::parse("192.0.2.1:80");
    world_.network().serve(address, {.answer = [] { return sim::Network::Answer{}; },
                                     .on_connection = [this](sim::Endpoint& endpoint) { peer_ = &endpoint; }});
    stream_ = std::make_unique<Stream>(*loop_, [](void* self) { ++static_cast<StreamInWorld*>(self)->changes; }, this);
    stream_->connect(address);
    while (!stream_->is_open()) loop_->turn(1s);
  }
  ~StreamInWorld() {
    stream_->terminate();
    while (!stream_->is_closed()) loop_->turn(1s);
    loop_->turn(1ms);
    stream_.reset();
    world_.check_nothing_left();
  }

  // False: it does not come to that.
  template <typename IsDone>
  bool turn_until(IsDone is_done) {
    for (int i = 0; i < 10'000 && !is_done(); ++i) loop_->turn(10ms);
    return is_done();
  }
  Stream& stream() { return *stream_; }
  sim::Endpoint& peer() { return *peer_; }
  Loop& loop() { return *loop_; }

  unsigned changes = 0;

 private:
  sim::World world_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Stream> stream_;
  sim::Endpoint* peer_ = nullptr;
};

// Linux tells the error of a reset once. A send took it, receiving then ended with 0, and the first half of a
// body that ends with its connection went on as a whole one.
TEST(StreamRaces, AResetThatWasToldToASendIsNoOrderlyEnd) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    sim::Weather weather = sim::fine_weather();
    weather.late_start = 500;
    weather.delayed_completion = 300;
    weather.socket_buffer_max = 2000;
    StreamInWorld world(seed, weather);
    Stream& stream = world.stream();
    world.peer().write(as_bytes("the first half"));
    stream.write(as_bytes(std::string(100'000, 'x')));
    stream.flush();
    world.loop().turn(1ms);
    world.peer().reset();
    ASSERT_TRUE(world.turn_until([&] {
      while (!stream.received().empty()) stream.consume(stream.received().size());
      return stream.has_receive_ended();
    }));
    EXPECT_NE(stream.receive_error(), 0) << "seed " << seed;
  }
}

// The stream was asked to become quiet just as its receive ended for want of buffers. It waited for buffers,
// its owner for word that it was quiet.
TEST(StreamRaces, AskedToBecomeQuietItTellsSoAlsoWhenItHadNoBuffers) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    sim::Weather weather = sim::fine_weather();
    weather.no_buffers = 500;
    weather.delayed_completion = 500;
    StreamInWorld world(seed, weather);
    Stream& stream = world.stream();
    world.peer().write(as_bytes("hello"));
    world.loop().turn(100us);
    stream.request_splice_mode();
    // The owner looks only when it is told of a change.
    unsigned seen = world.changes;
    bool was_found_quiet = stream.is_spliceable();
    for (int i = 0; i < 1000 && !was_found_quiet; ++i) {
      world.loop().turn(10ms);
      if (std::exchange(seen, world.changes) != world.changes) was_found_quiet = stream.is_spliceable();
    }
    EXPECT_TRUE(was_found_quiet) << "seed " << seed;
    stream.leave_splice_mode();
    EXPECT_TRUE(world.turn_until([&] { return stream.receive_queue().size() == 5; })) << "seed " << seed;
  }
}

// Few buffers, many streams that nobody consumes: each hears its peer all the same, since the longest holders
// give up their buffers, and none is forgotten among those that wait for some.
TEST(StreamRaces, ManyStreamsHearTheirPeersWithFewBuffers) {
  constexpr unsigned kStreams = 40;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    sim::Weather weather;
    weather.no_buffers = 200;
    sim::World world(seed, weather);
    const auto loop = std::move(*Loop::create({.receive_buffers_max = 4}));
    const SocketAddress address = *SocketAddress::parse("192.0.2.1:80");
    world.network().serve(
        address, {.answer = [] { return sim::Network::Answer{}; },
                  .on_connection = [](sim::Endpoint& endpoint) { endpoint.write(as_bytes(std::string(3000, 'x'))); }});
    std::deque<Stream> streams;
    for (unsigned i = 0; i < kStreams; ++i) streams.emplace_back(*loop, [](void*) {}, nullptr).connect(address);
    const auto turn_until_all = [&](auto is_done) {
      for (int i = 0; i < 10'000 && !std::ranges::all_of(streams, is_done); ++i) loop->turn(10ms);
      return std::ranges::all_of(streams, is_done);
    };
    EXPECT_TRUE(turn_until_all([](const Stream& stream) { return stream.receive_queue().size() == 3000; }))
        << "seed " << seed;
    EXPECT_GT(loop->statistics().buffers_exhausted, 0U) << "seed " << seed;
    for (Stream& stream : streams) stream.terminate();
    EXPECT_TRUE(turn_until_all([](const Stream& stream) { return stream.is_closed(); })) << "seed " << seed;
    for (int i = 0; i < 3; ++i) loop->turn(10ms);  // late completions of cancellations
    EXPECT_EQ(loop->receive_buffers().held_count(), 0U);
    streams.clear();
    world.check_nothing_left();
  }
}

// Whatever is in the kernel, and however its completions come: the stream closes, once.
TEST(StreamRaces, ClosesInAnyWeatherAtAnyMoment) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    sim::Weather weather;
    weather.no_buffers = weather.multishot_ends = weather.spurious = 200;
    weather.late_start = weather.delayed_completion = 500;
    StreamInWorld world(seed, weather);
    Random random(seed);
    world.peer().write(as_bytes(std::string(random.below(100'000), 'y')));
    world.stream().write(as_bytes(std::string(random.below(200'000) + 1, 'x')));
    world.stream().flush();
    if (seed % 3 == 0) world.stream().request_splice_mode();
    for (uint32_t turn = random.below(6); turn > 0; --turn) world.loop().turn(Duration(random.below(2'000'000)));
    if (seed % 3 == 0 && world.stream().is_spliceable()) {
      world.stream().enter_splice_mode();
      world.stream().await_readable();
      world.stream().await_writable();
    }
    world.stream().terminate(seed % 2 == 0 ? Stream::Ending::orderly : Stream::Ending::reset);
  }  // the destructor looks at what is left
}

// Several addresses, of which some refuse, some are silent and some answer late, and the owner who gives up at any
// moment: the stream closes, with all that its attempts have left in the kernel.
TEST(StreamRaces, AConnectToSeveralAddressesEndsInAnyWeatherAtAnyMoment) {
  unsigned opened = 0;
  unsigned failed = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    sim::Weather weather = sim::rough_weather();
    weather.descriptors_out = seed % 5 == 0 ? 300 : 0;
    sim::World world(seed, weather);
    const auto loop = std::move(*Loop::create());
    Random random(seed);
    std::vector<SocketAddress> addresses;
    for (uint32_t i = random.below(limits::connect_race_max + 3); i > 0; --i) {
      addresses.push_back(*SocketAddress::parse("192.0.2." + std::to_string(i) + ":80"));
      sim::Network::Answer answer{.error = random.below(3) == 0 ? 0 : ECONNREFUSED,
                                  .delay = std::chrono::milliseconds(random.below(700))};
      if (random.below(3) == 0) answer.delay = -1s;
      world.network().serve(addresses.back(),
                            {.answer = [answer] { return answer; }, .on_connection = [](sim::Endpoint&) {}});
    }
    {
      unsigned changes = 0;
      Stream stream(*loop, [](void* count) { ++*static_cast<unsigned*>(count); }, &changes);
      stream.connect(addresses);
      const Instant give_up = world.now() + std::chrono::milliseconds(random.below(2500));
      while (world.now() < give_up && !stream.is_open() && stream.connect_error() == 0)
        loop->turn(give_up - world.now());
      if (seed % 2 == 0) loop->turn(Duration(random.below(3'000'000)));
      opened += stream.is_open() ? 1 : 0;
      failed += stream.connect_error() != 0 ? 1 : 0;
      stream.terminate(seed % 3 == 0 ? Stream::Ending::reset : Stream::Ending::orderly);
      for (int i = 0; i < 10'000 && !stream.is_closed(); ++i) loop->turn(10ms);
      ASSERT_TRUE(stream.is_closed()) << "seed " << seed;
      loop->turn(1ms);
    }
    for (int i = 0; i < 3; ++i) loop->turn(10ms);  // late completions of cancellations
    world.check_nothing_left();
    EXPECT_EQ(loop->timers().armed_count(), 0U) << "seed " << seed;
  }
  EXPECT_GT(opened, 30U);
  EXPECT_GT(failed, 30U);
}

// Two have connected in the same batch of completions: one is the stream's, the other one is closed.
TEST(StreamRaces, ASecondConnectThatSucceedsLateIsClosed) {
  unsigned both = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    sim::World world(seed, sim::rough_weather());
    const auto loop = std::move(*Loop::create());
    std::vector<SocketAddress> addresses;
    unsigned connections = 0;
    for (int i = 1; i <= 2; ++i) {
      addresses.push_back(*SocketAddress::parse("192.0.2." + std::to_string(i) + ":80"));
      const Duration delay = limits::connect_attempt_delay * (3 - i) + 5ms;  // both at about the same time
      world.network().serve(addresses.back(), {.answer = [delay] { return sim::Network::Answer{.delay = delay}; },
                                               .on_connection = [&](sim::Endpoint&) { ++connections; }});
    }
    {
      Stream stream(*loop, [](void*) {}, nullptr);
      stream.connect(addresses);
      for (int i = 0; i < 10'000 && !stream.is_open(); ++i) loop->turn(10ms);
      ASSERT_TRUE(stream.is_open()) << "seed " << seed;
      for (int i = 0; i < 10; ++i) loop->turn(10ms);
      EXPECT_EQ(world.kernel().open_descriptor_count(), 1U) << "seed " << seed;
      both += connections == 2 ? 1 : 0;
      stream.terminate();
      for (int i = 0; i < 10'000 && !stream.is_closed(); ++i) loop->turn(10ms);
      loop->turn(1ms);
    }
    for (int i = 0; i < 3; ++i) loop->turn(10ms);
    world.check_nothing_left();
  }
  EXPECT_GT(both, 10U);
}

// A client hung up by RST just as the connect on its behalf had succeeded, and nobody had been told of it yet: the
// other side was sent FIN, which says that there was nothing to say.
TEST(StreamRaces, AConnectThatIsResetBeforeItWasToldEndsInNoOrder) {
  unsigned connected = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    sim::World world(seed, sim::rough_weather());
    const auto loop = std::move(*Loop::create());
    const SocketAddress address = *SocketAddress::parse("192.0.2.1:80");
    sim::Endpoint* peer = nullptr;
    world.network().serve(address, {.answer = [] { return sim::Network::Answer{.delay = 1ms}; },
                                    .on_connection = [&](sim::Endpoint& endpoint) { peer = &endpoint; }});
    {
      Stream stream(*loop, [](void*) {}, nullptr);
      stream.connect(address);
      while (peer == nullptr) loop->turn(100us);
      connected += stream.is_open() ? 0 : 1;
      stream.terminate(Stream::Ending::reset);
      for (int i = 0; i < 10'000 && !stream.is_closed(); ++i) loop->turn(10ms);
      for (int i = 0; i < 3; ++i) loop->turn(10ms);
    }
    EXPECT_FALSE(peer->has_peer_finished()) << "seed " << seed;
    EXPECT_TRUE(peer->is_dead()) << "seed " << seed;
    world.check_nothing_left();
  }
  EXPECT_GT(connected, 50U) << "and not told";
}

}  // namespace
}  // namespace sluice::io
