#include "shard/shard.h"

#include "loopback.h"

#include "base/limits.h"

#include <cstdint>
#include <optional>
#include <utility>

namespace sluice::shard {
namespace {

using test::call;
using test::get_request;
using test::listening_sockets;
using test::ok_response;
using test::snapshot_of;
using test::Speaker;
using test::Upstream;
using test::wait_until;
using End = test::Speaker::End;
using namespace std::chrono_literals;

class ShardTest : public testing::Test {
 protected:
  ShardTest() {
    const Status started = shard_.start();
    EXPECT_TRUE(started.has_value()) << started.error().message;
  }
  ~ShardTest() override { stop(); }

  void stop() {
    if (shard_.is_running()) shard_.begin_stop();
    shard_.join();
  }
  // A socket for a listener of the next snapshot.
  SocketAddress give_listener(const SocketAddress& wanted = test::any_port) {
    const Result<int> fd = io::open_listener(wanted);
    EXPECT_TRUE(fd.has_value()) << fd.error().message;
    const SocketAddress address = io::local_address(*fd);
    shard_.give_listeners({{.address = address, .fd = *fd}});
    return address;
  }
  // Returns when the shard runs on it.
  void publish(std::unique_ptr<snapshot::Snapshot> snapshot) {
    cell_.publish(std::move(snapshot));
    shard_.wake();
    EXPECT_TRUE(wait_until([&] { return cell_.adopted_by_all(cell_.newest()->version); }));
  }
  // A client that has had its answer, and the upstream's end of the connection over which it came.
  std::pair<Speaker, Speaker> call_and_be_answered(const SocketAddress& address) {
    Speaker client = call(address);
    client.say(get_request);
    Speaker upstream = upstream_.accept();
    EXPECT_TRUE(upstream.hears("\r\n\r\n"));
    upstream.say(ok_response);
    EXPECT_TRUE(client.hears("hello"));
    return {std::move(client), std::move(upstream)};
  }
  // Snapshots that are alive once the shard has reported what it uses.
  bool comes_to_use(size_t snapshot_count) {
    return wait_until([&] {
      shard_.wake();
      cell_.collect();
      return cell_.alive_count() == snapshot_count;
    });
  }
  [[nodiscard]] const observe::ShardCounters& counters() { return shard_.observer().counters; }

  snapshot::Cell cell_{1};
  Shard shard_{0, 1, std::nullopt, cell_};
  Upstream upstream_;
};

// --- Start and stop --------------------------------------------------------------------------------

TEST_F(ShardTest, StartsAndStops) {
  EXPECT_TRUE(shard_.is_running());
  stop();
  EXPECT_FALSE(shard_.is_running());
  stop();  // once more is allowed
}

TEST(Shard, StopsAtOnce) {
  constexpr int kShards = 20;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kShards; ++i) {
    snapshot::Cell cell(1);
    Shard shard(0, 1, std::nullopt, cell);
    ASSERT_TRUE(shard.start().has_value());
    cell.publish(snapshot_of({}));
    shard.wake();
    ASSERT_TRUE(wait_until([&] { return cell.adopted_by_all(1); }));  // and waits for the next event
    shard.begin_stop();
    shard.join();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kShards * 250ms) << "it has slept half a second each time";
}

TEST_F(ShardTest, LeavesTheCellWhenItStops) {
  publish(snapshot_of({}));
  stop();
  EXPECT_TRUE(cell_.adopted_by_all(UINT64_MAX));
  cell_.publish(snapshot_of({}));
  EXPECT_EQ(cell_.alive_count(), 1U) << "who has left uses nothing";
}

TEST(Shard, TellsWhyItCannotStart) {
  for (const rlim_t descriptors : {rlim_t{0}, rlim_t{1}}) {  // no ring; a ring, and no mailbox
    snapshot::Cell cell(1);
    Shard shard(0, 1, std::nullopt, cell);
    const test::DescriptorLimit limit(test::DescriptorLimit::next_number() + descriptors);
    const Status started = shard.start();
    ASSERT_FALSE(started.has_value());
    EXPECT_NE(started.error().message.find("ulimit -n"), std::string::npos) << started.error().message;
    EXPECT_FALSE(shard.is_running());
  }
}

TEST_F(ShardTest, ResetsABusyConnectionAndEndsAnIdleOneWhenItStops) {
  const SocketAddress address = give_listener();
  publish(snapshot_of({address}, &upstream_));
  auto [idle, upstream] = call_and_be_answered(address);

  Speaker busy = call(address);
  busy.say(get_request);
  ASSERT_TRUE(upstream.hears("\r\n\r\n"));
  upstream.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe first part");
  ASSERT_TRUE(busy.hears("the first part"));
  stop();
  EXPECT_EQ(idle.hears_end(), End::orderly);
  EXPECT_EQ(busy.hears_end(), End::reset) << "half a body must not pass for a whole one";
  EXPECT_TRUE(test::is_refused(address));
  EXPECT_EQ(counters().connections_active.value(), 0U);
}

// Sockets on their way to a shard that ends meanwhile.
TEST_F(ShardTest, ClosesTheListenersThatNoSnapshotHasNamedWhenItStops) {
  const SocketAddress address = give_listener();
  const uint64_t turns = counters().loop_turns.value();
  shard_.wake();
  ASSERT_TRUE(wait_until([&] { return counters().loop_turns.value() > turns; }));
  stop();
  EXPECT_TRUE(listening_sockets(address).empty());
}

// --- The mailbox -----------------------------------------------------------------------------------

TEST_F(ShardTest, TurnsAtOnceWhenItIsWoken) {
  const auto begin = std::chrono::steady_clock::now();
  constexpr int kSnapshots = 40;
  for (int i = 0; i < kSnapshots; ++i) publish(snapshot_of({}));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kSnapshots * 250ms) << "it has slept half a second each time";
}

TEST_F(ShardTest, FollowsASnapshotAlthoughNobodyWakesIt) {
  cell_.publish(snapshot_of({}));
  EXPECT_TRUE(wait_until([&] { return cell_.adopted_by_all(1); }));
}

// The control plane wakes shards without asking whether they still run.
TEST_F(ShardTest, MayBeWokenUntilItIsJoined) {
  shard_.begin_stop();
  ASSERT_TRUE(wait_until([&] { return cell_.adopted_by_all(UINT64_MAX); }));
  for (int i = 0; i < 100; ++i) shard_.wake();
  shard_.begin_drain();
  shard_.begin_stop();
}

// --- Snapshots -------------------------------------------------------------------------------------

TEST_F(ShardTest, AdoptsASnapshotAndLetsGoOfTheOneBefore) {
  publish(snapshot_of({}));
  publish(snapshot_of({}));
  EXPECT_EQ(cell_.newest()->version, 2U);
  EXPECT_TRUE(comes_to_use(1));
}

TEST_F(ShardTest, KeepsTheSnapshotOfARequestUntilItsEnd) {
  const SocketAddress address = give_listener();
  publish(snapshot_of({address}, &upstream_));
  Speaker client = call(address);
  client.say(get_request);
  Speaker upstream = upstream_.accept();
  ASSERT_TRUE(upstream.hears("\r\n\r\n"));
  publish(snapshot_of({address}));  // without a cluster
  cell_.collect();
  EXPECT_EQ(cell_.alive_count(), 2U) << "the request still reads the one before";
  upstream.say(ok_response);
  ASSERT_TRUE(client.hears("hello"));
  EXPECT_TRUE(comes_to_use(1));
  client.say(get_request);
  EXPECT_TRUE(client.hears("HTTP/1.1 404")) << "the next request is the new one's";
}

// --- Listeners -------------------------------------------------------------------------------------

TEST_F(ShardTest, AcceptsNobodyBeforeASnapshotSaysWhatForHoweverOftenItIsWoken) {
  const SocketAddress address = give_listener();
  Speaker early = call(address);
  early.say(get_request);
  for (int i = 0; i < 20; ++i) {
    const uint64_t turns = counters().loop_turns.value();
    shard_.wake();
    ASSERT_TRUE(wait_until([&] { return counters().loop_turns.value() > turns; }));
  }
  EXPECT_EQ(counters().connections_accepted.value(), 0U);
  publish(snapshot_of({address}));
  EXPECT_TRUE(early.hears("HTTP/1.1 404")) << "it has waited in the backlog";
}

TEST_F(ShardTest, BeginsToListenAndCeasesToAsSnapshotsSay) {
  const SocketAddress first = give_listener();
  publish(snapshot_of({first}));
  Speaker client = call(first);
  client.say(get_request);
  EXPECT_TRUE(client.hears("HTTP/1.1 404"));

  const SocketAddress second = give_listener();
  publish(snapshot_of({first, second}));
  Speaker other = call(second);
  other.say(get_request);
  EXPECT_TRUE(other.hears("HTTP/1.1 404"));

  publish(snapshot_of({second}));
  EXPECT_TRUE(wait_until([&] { return listening_sockets(first).empty(); }));
  EXPECT_TRUE(test::is_refused(first));
  other.say(get_request);
  EXPECT_TRUE(other.hears("HTTP/1.1 404"));
}

TEST_F(ShardTest, AnswersWhoCameThroughAListenerThatIsGone) {
  const SocketAddress address = give_listener();
  publish(snapshot_of({address}, &upstream_));
  Speaker client = call(address);
  client.say(get_request);
  Speaker upstream = upstream_.accept();
  ASSERT_TRUE(upstream.hears("\r\n\r\n"));
  publish(snapshot_of({}, &upstream_));
  ASSERT_TRUE(wait_until([&] { return listening_sockets(address).empty(); }));
  upstream.say(ok_response);
  EXPECT_TRUE(client.hears("hello"));
  client.say(get_request);
  EXPECT_TRUE(client.hears("HTTP/1.1 404")) << "its server is gone, the connection is not";
}

// Another listener changes, everything else goes on: the same socket, and nobody who waits in its backlog is lost.
TEST_F(ShardTest, KeepsTheListenerOfAnAddressThatStays) {
  const SocketAddress address = give_listener();
  publish(snapshot_of({address}));
  const std::vector<ino_t> before = listening_sockets(address);
  ASSERT_EQ(before.size(), 1U);
  Speaker client = call(address);
  client.say(get_request);
  ASSERT_TRUE(client.hears("\r\n\r\n"));
  for (int i = 0; i < 3; ++i) publish(snapshot_of({address, give_listener()}));
  EXPECT_EQ(listening_sockets(address), before);
  client.say(get_request);
  EXPECT_TRUE(client.hears("HTTP/1.1 404")) << "the connection went on";
}

// An address goes with one snapshot and comes back with the next one. A shard that has slept through the
// first still has the old socket when it is given the new one, and must not die of it, nor keep both.
// The tunnel is as old as the first snapshot, and keeps none.
TEST_F(ShardTest, TakesConnectionsAsTheListenerIsDescribedNow) {
  const SocketAddress address = give_listener();
  publish(test::tcp_snapshot_of(address, upstream_));
  Speaker tunnel = call(address);
  Speaker destination = upstream_.accept();
  destination.say("who speaks first");
  EXPECT_TRUE(tunnel.hears("who speaks first"));

  publish(snapshot_of({address}));
  EXPECT_TRUE(comes_to_use(1)) << "a tunnel that is open keeps the snapshot before";
  Speaker client = call(address);
  client.say(get_request);
  EXPECT_TRUE(client.hears("HTTP/1.1 404"));
  tunnel.say("ping");
  EXPECT_TRUE(destination.hears("ping"));
  destination.say("pong");
  EXPECT_TRUE(tunnel.hears("pong"));
}

TEST_F(ShardTest, ReplacesTheListenerOfAnAddressThatIsGivenTwice) {
  const SocketAddress address = give_listener();
  publish(snapshot_of({address}));
  const std::vector<ino_t> before = listening_sockets(address);
  ASSERT_EQ(before.size(), 1U);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(give_listener(address), address);
    publish(snapshot_of({address}));
    ASSERT_TRUE(wait_until([&] { return listening_sockets(address).size() == 1; })) << "both are there";
    EXPECT_NE(listening_sockets(address), before);
    Speaker client = call(address);
    client.say(get_request);
    EXPECT_TRUE(client.hears("HTTP/1.1 404"));
  }
}

// --- Admission -------------------------------------------------------------------------------------

// A shard has as many connections as its share of the descriptors allows; the next one waits in the backlog.
TEST(Shard, TakesTheNextConnectionOnlyWhenOneOfTheAllowedHasEnded) {
  constexpr uint32_t kConnectionsMax = 2;
  snapshot::Cell cell(1);
  std::optional<Shard> shard;
  {
    const test::DescriptorLimit limit(limits::reserved_descriptors + 3 * kConnectionsMax);
    shard.emplace(0U, 1U, std::nullopt, cell);
  }
  ASSERT_TRUE(shard->start().has_value());
  const Result<int> fd = io::open_listener(test::any_port);
  ASSERT_TRUE(fd.has_value());
  const SocketAddress address = io::local_address(*fd);
  shard->give_listeners({{.address = address, .fd = *fd}});
  cell.publish(snapshot_of({address}));
  shard->wake();
  const observe::ShardCounters& counters = shard->observer().counters;
  {
    std::optional<Speaker> first = call(address);
    Speaker second = call(address);
    for (Speaker* client : {&*first, &second}) {
      client->say(get_request);
      ASSERT_TRUE(client->hears("HTTP/1.1 404"));
    }
    Speaker third = call(address);
    third.say(get_request);
    for (int i = 0; i < 20; ++i) {
      second.say(get_request);
      ASSERT_TRUE(second.hears("HTTP/1.1 404")) << "who is in is served";
    }
    EXPECT_EQ(counters.connections_accepted.value(), kConnectionsMax);
    EXPECT_EQ(counters.admission_pauses.value(), 1U);
    first.reset();
    EXPECT_TRUE(third.hears("HTTP/1.1 404"));
  }
  shard->begin_stop();
  shard->join();
}

// --- Draining --------------------------------------------------------------------------------------

TEST_F(ShardTest, DrainingEndsIdleConnectionsAndFinishesBusyOnes) {
  const SocketAddress address = give_listener();
  publish(snapshot_of({address}, &upstream_));
  {
    Speaker silent = call(address);
    auto [idle, upstream] = call_and_be_answered(address);
    Speaker busy = call(address);
    busy.say(get_request);
    ASSERT_TRUE(upstream.hears("\r\n\r\n"));
    ASSERT_TRUE(wait_until([&] { return counters().connections_active.value() == 3; }));

    shard_.begin_drain();
    EXPECT_EQ(silent.hears_end(), End::orderly);
    EXPECT_EQ(idle.hears_end(), End::orderly);
    EXPECT_TRUE(wait_until([&] { return listening_sockets(address).empty(); }));
    EXPECT_TRUE(test::is_refused(address));
    upstream.say(ok_response);
    EXPECT_EQ(busy.hears_end(), End::orderly);
    EXPECT_NE(busy.heard().find("connection: close\r\n"), std::string::npos) << busy.heard();
    EXPECT_TRUE(busy.heard().ends_with("hello"));
  }
  EXPECT_TRUE(wait_until([&] { return counters().connections_active.value() == 0; }));
  EXPECT_TRUE(shard_.is_running()) << "draining does not stop it";
}

// Some of them are accepted between the drain and the end of accepting. To a client of plain TCP an end in order would
// be an answer: nothing, and all of it.
TEST(Shard, ResetsConnectionsThatComeAsItDrains) {
  constexpr int kShards = 20;
  constexpr int kClients = 20;
  const Upstream upstream;
  for (int i = 0; i < kShards; ++i) {
    snapshot::Cell cell(1);
    Shard shard(0, 1, std::nullopt, cell);
    ASSERT_TRUE(shard.start().has_value());
    const Result<int> fd = io::open_listener(test::any_port);
    ASSERT_TRUE(fd.has_value()) << fd.error().message;
    const SocketAddress address = io::local_address(*fd);
    shard.give_listeners({{.address = address, .fd = *fd}});
    cell.publish(test::tcp_snapshot_of(address, upstream));
    shard.wake();
    ASSERT_TRUE(wait_until([&] { return cell.adopted_by_all(1); }));

    std::vector<Speaker> clients;
    for (int k = 0; k < kClients; ++k) {
      if (k == kClients / 4) shard.begin_drain();
      auto socket = io::BlockingSocket::connect(address, io::deadline_in(test::patience));
      if (!socket) break;  // refused: it listens no more
      clients.emplace_back(std::move(*socket));
    }
    shard.begin_stop();
    shard.join();
    for (Speaker& client : clients) EXPECT_EQ(client.hears_end(), End::reset);
  }
}

TEST_F(ShardTest, ClosesSocketsThatItIsGivenWhileItDrains) {
  publish(snapshot_of({}));
  shard_.begin_drain();
  for (int i = 0; i < 5; ++i) {
    const uint64_t turns = counters().loop_turns.value();
    shard_.wake();
    ASSERT_TRUE(wait_until([&] { return counters().loop_turns.value() > turns; }));
  }
  const SocketAddress address = give_listener();
  publish(snapshot_of({address}));
  stop();
  EXPECT_TRUE(listening_sockets(address).empty());
}

}  // namespace
}  // namespace sluice::shard
