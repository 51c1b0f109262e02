#include "accept/listener.h"

#include "io/socket.h"
#include "sim_io/kernel.h"
#include "sim_io/network.h"
#include "sim_io/world.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace sluice::accept {
namespace {

using namespace std::chrono_literals;

const SocketAddress address = *SocketAddress::parse("192.0.2.100:80");

// A listener whose accepted descriptors the test collects.
class ListenerInWorld {
 public:
  explicit ListenerInWorld(uint64_t seed = 1, const sim::Weather& weather = {})
      : world_(seed, weather), loop_(std::move(*io::Loop::create())) {
    listener_ =
        std::make_unique<Listener>(*loop_, *io::open_listener(address), address,
                                   Listener::Events{.on_accepted = on_accepted, .on_closed = on_closed, .owner = this});
  }
  ~ListenerInWorld() {
    listener_->close();
    turn_until([&] { return is_closed; });
    EXPECT_TRUE(is_closed);
    for (int i = 0; i < 3; ++i) loop_->turn(10ms);
    for (const int fd : accepted) io::close_descriptor(fd);
    listener_.reset();
    world_.check_nothing_left();
  }

  template <typename IsDone>
  bool turn_until(IsDone is_done) {
    for (int i = 0; i < 1000 && !is_done(); ++i) loop_->turn(10ms);
    return is_done();
  }
  void connect(unsigned count = 1) {
    for (unsigned i = 0; i < count; ++i) clients.push_back(world_.network().connect(address));
  }
  void turn_for(int turns) {
    for (int i = 0; i < turns; ++i) loop_->turn(1ms);
  }
  void rest() {
    for (int i = 0; i < 50; ++i) loop_->turn(10ms);
  }
  Listener& listener() { return *listener_; }
  sim::World& world() { return world_; }

  std::vector<int> accepted;
  std::vector<sim::Endpoint*> clients;
  bool is_closed = false;

 private:
  static void on_accepted(void* self, Listener&, int fd) {
    static_cast<ListenerInWorld*>(self)->accepted.push_back(fd);
  }
  static void on_closed(void* self, Listener&) { static_cast<ListenerInWorld*>(self)->is_closed = true; }

  sim::World world_;
  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<Listener> listener_;
};

TEST(Listener, AcceptsWhatComesWhileItIsStarted) {
  ListenerInWorld world;
  world.connect(2);
  world.rest();
  EXPECT_TRUE(world.accepted.empty()) << "it was not started";
  world.listener().start(io::AcceptCount::many);
  EXPECT_TRUE(world.turn_until([&] { return world.accepted.size() == 2; })) << "they had waited in the backlog";
  world.connect(100);
  EXPECT_TRUE(world.turn_until([&] { return world.accepted.size() == 102; }));
}

// The kernel may end a multishot accept at any time, also with a success.
TEST(Listener, GoesOnWhenTheKernelEndsItsAccept) {
  ListenerInWorld world(1, {.multishot_ends = 800});
  world.listener().start(io::AcceptCount::many);
  world.connect(50);
  EXPECT_TRUE(world.turn_until([&] { return world.accepted.size() == 50; }));
}

TEST(Listener, ComesBackWhenTheProcessWasOutOfDescriptors) {
  ListenerInWorld world(1, {.descriptors_out = 700});
  world.listener().start(io::AcceptCount::many);
  const Instant begin = world.world().now();
  world.connect(20);
  EXPECT_TRUE(world.turn_until([&] { return world.accepted.size() == 20; }));
  EXPECT_GE(world.world().now() - begin, 100ms) << "trying again at once would only burn the processor";
}

TEST(Listener, LeavesNewConnectionsInTheBacklogWhilePaused) {
  ListenerInWorld world;
  world.listener().start(io::AcceptCount::many);
  world.rest();
  world.listener().pause();
  world.rest();
  world.connect(3);
  world.rest();
  EXPECT_TRUE(world.accepted.empty());
  world.listener().start(io::AcceptCount::one);
  EXPECT_TRUE(world.turn_until([&] { return world.accepted.size() == 3; }));
}

// A cancelled accept may still succeed: whoever was accepted is told of, whatever the listener is about.
TEST(Listener, HandsOverEveryConnectionThatTheKernelHasAccepted) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    ListenerInWorld world(seed);
    world.listener().start(io::AcceptCount::many);
    world.connect(3);
    if (seed % 3 == 0) world.rest();
    world.connect(3);
    if (seed % 2 == 0) {
      world.listener().pause();
    } else {
      world.listener().close();
    }
    world.rest();
  }  // the destructor finds a descriptor that nobody has taken
}

TEST(Listener, ChangesBetweenManyAndOneAndNoneWithoutLosingAnybody) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    ListenerInWorld world(seed);
    for (int round = 0; round < 30; ++round) {
      world.connect(2);
      switch (world.world().random().below(3)) {
        case 0: world.listener().start(io::AcceptCount::many); break;
        case 1: world.listener().start(io::AcceptCount::one); break;
        default: world.listener().pause();
      }
      world.turn_for(5);
    }
    world.listener().start(io::AcceptCount::many);
    EXPECT_TRUE(world.turn_until([&] { return world.accepted.size() == 60; })) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sluice::accept
