#include "upstream/connection_pool.h"

#include "sim_io/kernel.h"
#include "sim_io/network.h"
#include "sim_io/world.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace sluice::upstream {
namespace {

using namespace std::chrono_literals;

const SocketAddress address = *SocketAddress::parse("192.0.2.1:80");

class ConnectionPoolTest : public testing::Test {
 protected:
  ConnectionPoolTest() {
    world_.network().serve(address, {.answer = [this] { return answer_; },
                                     .on_connection = [this](sim::Endpoint& peer) { peers_.push_back(&peer); }});
  }
  ~ConnectionPoolTest() override {
    endpoint_.reset();  // ends the idle ones
    EXPECT_TRUE(turn_until([&] { return pool_->connection_count() == 0; }));
    for (int i = 0; i < 3; ++i) loop_->turn(10ms);
    pool_.reset();
    world_.check_nothing_left();
    EXPECT_EQ(loop_->timers().armed_count(), 0U);
  }

  template <typename IsDone>
  bool turn_until(IsDone is_done) {
    for (int i = 0; i < 10'000 && !is_done(); ++i) loop_->turn(1s);
    return is_done();
  }
  Connection& borrow(bool fresh = false) {
    return *pool_->borrow(
        *endpoint_, 3s, {}, fresh,
        {.on_change = [](void* self) { ++static_cast<ConnectionPoolTest*>(self)->changes_; }, .owner = this},
        /*waiter=*/nullptr);
  }
  Connection& borrow_connected(bool fresh = false) {
    Connection& connection = borrow(fresh);
    EXPECT_TRUE(turn_until([&] { return connection.is_ready(); }));
    return connection;
  }

  sim::World world_{1};
  std::unique_ptr<io::Loop> loop_{std::move(*io::Loop::create())};
  tls::HandshakePool handshakes_;
  std::unique_ptr<ConnectionPool> pool_ = std::make_unique<ConnectionPool>(*loop_, handshakes_);
  std::unique_ptr<Endpoint> endpoint_ = std::make_unique<Endpoint>(address);
  sim::Network::Answer answer_;
  std::vector<sim::Endpoint*> peers_;
  unsigned changes_ = 0;
};

TEST_F(ConnectionPoolTest, LendsTheSameConnectionAgain) {
  Connection& first = borrow_connected();
  EXPECT_FALSE(first.is_reused());
  first.give_back();
  Connection& second = borrow();
  EXPECT_EQ(&first, &second);
  EXPECT_TRUE(second.is_ready());
  EXPECT_TRUE(second.is_reused());
  EXPECT_EQ(pool_->reuse_count, 1U);
  second.give_back();
}

TEST_F(ConnectionPoolTest, LendsTheOneThatWasUsedLast) {
  Connection& first = borrow_connected();
  Connection& second = borrow_connected();
  first.give_back();
  second.give_back();
  Connection& again = borrow();
  EXPECT_EQ(&again, &second);
  again.discard();
}

TEST_F(ConnectionPoolTest, MakesANewOneWhenAskedToOrWhenAllAreLent) {
  Connection& first = borrow_connected();
  Connection& second = borrow_connected();
  EXPECT_NE(&first, &second);
  first.give_back();
  Connection& third = borrow_connected(/*fresh=*/true);
  EXPECT_NE(&third, &first);
  EXPECT_EQ(pool_->opened_count, 3U);
  second.discard();
  third.discard();
}

TEST_F(ConnectionPoolTest, EndsAnIdleConnectionThatItsUpstreamEnds) {
  borrow_connected().give_back();
  peers_[0]->close();
  EXPECT_TRUE(turn_until([&] { return pool_->connection_count() == 0; }));
  Connection& next = borrow_connected();
  EXPECT_FALSE(next.is_reused());
  next.discard();
}

TEST_F(ConnectionPoolTest, EndsAnIdleConnectionOnWhichSomethingComes) {
  borrow_connected().give_back();
  peers_[0]->write(as_bytes("HTTP/1.1 200 OK\r\n\r\nfor nobody"));
  EXPECT_TRUE(turn_until([&] { return pool_->connection_count() == 0; }));
}

// The completion has come, the connection's owner is not told yet, and in between somebody borrows: the
// bytes would have been the answer to a request that they do not belong to, the end would have cost a retry.
TEST_F(ConnectionPoolTest, LendsNoConnectionOfWhichSomethingIsKnownThatWasNotToldYet) {
  for (const bool by_bytes : {true, false}) {
    Connection& idle = borrow_connected();
    idle.give_back();
    const uint64_t reuses_before = pool_->reuse_count;
    if (by_bytes) {
      peers_.back()->write(as_bytes("HTTP/1.1 200 OK\r\n\r\nfor nobody"));
    } else {
      peers_.back()->shutdown_write();
    }
    // Runs when a turn's completions are in, before the streams tell of them.
    Connection* borrowed = nullptr;
    std::function<void()> look = [&] {
      const io::Stream& stream = idle.transport().stream();
      if (stream.has_receive_ended() || !stream.receive_queue().empty()) borrowed = &borrow();
    };
    io::Task look_task([](void* call) { (*static_cast<std::function<void()>*>(call))(); }, &look);
    for (int i = 0; i < 10'000 && borrowed == nullptr; ++i) {
      loop_->run_after_completions(look_task);
      loop_->turn(1s);
    }
    ASSERT_NE(borrowed, nullptr);
    EXPECT_NE(borrowed, &idle);
    EXPECT_EQ(pool_->reuse_count, reuses_before);
    EXPECT_TRUE(turn_until([&] { return borrowed->is_ready() && pool_->connection_count() == 1; }))
        << "the other one was not ended";
    borrowed->discard();
    ASSERT_TRUE(turn_until([&] { return pool_->connection_count() == 0; }));
  }
}

TEST_F(ConnectionPoolTest, DoesNotKeepAConnectionWithBytesThatNobodyHasRead) {
  Connection& connection = borrow_connected();
  peers_[0]->write(as_bytes("surplus"));
  ASSERT_TRUE(turn_until([&] { return connection.transport().stream().receive_queue().size() == 7; }));
  connection.give_back();
  EXPECT_TRUE(turn_until([&] { return pool_->connection_count() == 0; }));
}

TEST_F(ConnectionPoolTest, EndsAConnectionThatIsIdleForLong) {
  borrow_connected().give_back();
  const Instant begin = loop_->now();
  ASSERT_TRUE(turn_until([&] { return pool_->connection_count() == 0; }));
  EXPECT_GE(loop_->now() - begin, limits::upstream_idle_timeout);
  EXPECT_LE(loop_->now() - begin, limits::upstream_idle_timeout + 2s);
}

TEST_F(ConnectionPoolTest, TellsARefusal) {
  answer_.error = ECONNREFUSED;
  Connection& connection = borrow();
  ASSERT_TRUE(turn_until([&] { return changes_ > 0; }));
  EXPECT_EQ(connection.connect_error(), ECONNREFUSED);
  EXPECT_FALSE(connection.is_ready());
  EXPECT_EQ(pool_->connect_failure_count, 1U);
  connection.discard();
}

TEST_F(ConnectionPoolTest, GivesUpAConnectAfterItsTime) {
  answer_.delay = -1s;
  Connection& connection = borrow();
  const Instant begin = loop_->now();
  ASSERT_TRUE(turn_until([&] { return changes_ > 0; }));
  EXPECT_EQ(connection.connect_error(), ETIMEDOUT);
  EXPECT_GE(loop_->now() - begin, 3s);
  EXPECT_LE(loop_->now() - begin, 5s);
  connection.discard();
}

TEST_F(ConnectionPoolTest, TellsTheBorrowerNothingMoreOnceDiscarded) {
  Connection& connection = borrow();
  connection.discard();
  EXPECT_TRUE(turn_until([&] { return pool_->connection_count() == 0; }));
  EXPECT_EQ(changes_, 0U);
}

}  // namespace
}  // namespace sluice::upstream
