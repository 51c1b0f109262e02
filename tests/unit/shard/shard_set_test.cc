#include "shard/shard_set.h"

#include "loopback.h"

#include <algorithm>
#include <vector>

namespace sluice::shard {
namespace {

using test::call;
using test::get_request;
using test::listening_sockets;
using test::snapshot_of;
using test::Speaker;
using test::wait_until;

constexpr unsigned kShards = 2;

// A port that is free for the sockets of the shards and for nobody else: bound, and never listened on.
class ReservedPort {
 public:
  ReservedPort() : fd_(io::open_stream_socket(SocketAddress::Family::ipv4)) {
    const int yes = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    sockaddr_storage storage;
    const unsigned length = io::to_sockaddr(test::any_port, storage);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&storage), length), 0);
  }
  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;
  ~ReservedPort() { close(fd_); }

  [[nodiscard]] SocketAddress address() const { return io::local_address(fd_); }

 private:
  int fd_;
};

class ShardSetTest : public testing::Test {
 protected:
  // As the control plane does it; returns when the shards run on it.
  void publish(std::unique_ptr<snapshot::Snapshot> snapshot) {
    const Status bound = set_->bind_listeners(*snapshot);
    ASSERT_TRUE(bound.has_value()) << bound.error().message;
    cell_.publish(std::move(snapshot));
    set_->wake_all();
    EXPECT_TRUE(wait_until([&] { return cell_.adopted_by_all(cell_.newest()->version); }));
  }
  static std::vector<ino_t> sorted_listening_sockets(const SocketAddress& address) {
    std::vector<ino_t> sockets = listening_sockets(address);
    std::ranges::sort(sockets);
    return sockets;
  }

  snapshot::Cell cell_{kShards};
  std::unique_ptr<ShardSet> set_ = std::move(*ShardSet::start(kShards, cell_));
  ReservedPort port_;
  ReservedPort other_port_;
};

TEST_F(ShardSetTest, StartsAllShardsAndStopsThemOnce) {
  EXPECT_EQ(set_->count(), kShards);
  publish(snapshot_of({port_.address()}));
  set_->stop();
  set_->stop();
  EXPECT_TRUE(listening_sockets(port_.address()).empty());
  for (unsigned i = 0; i < kShards; ++i) EXPECT_GT(set_->observer(i).counters.loop_turns.value(), 0U) << "still there";
}

TEST(ShardSet, StartsAllShardsOrNone) {
  snapshot::Cell cell(8);
  // Enough for two shards: each has a ring and a mailbox.
  const rlim_t descriptors = test::DescriptorLimit::next_number() + 5;
  {
    const test::DescriptorLimit limit(descriptors);
    const Result<std::unique_ptr<ShardSet>> set = ShardSet::start(8, cell);
    ASSERT_FALSE(set.has_value());
    EXPECT_NE(set.error().message.find("ulimit -n"), std::string::npos) << set.error().message;
  }
  const test::DescriptorLimit limit(descriptors);
  snapshot::Cell smaller_cell(2);
  EXPECT_TRUE(ShardSet::start(2, smaller_cell).has_value()) << "what had been started was not ended";
}

// What a watchdog looks for.
TEST_F(ShardSetTest, TurnsAlsoWhenNothingHappens) {
  for (unsigned i = 0; i < kShards; ++i) {
    const uint64_t before = set_->turns(i);
    EXPECT_TRUE(wait_until([&] { return set_->turns(i) >= before + 2; }));
  }
}

TEST_F(ShardSetTest, EveryShardListensOnEveryAddress) {
  publish(snapshot_of({port_.address(), other_port_.address()}));
  EXPECT_EQ(listening_sockets(port_.address()).size(), kShards);
  EXPECT_EQ(listening_sockets(other_port_.address()).size(), kShards);

  // The kernel chooses by the client's port.
  std::vector<Speaker> clients;
  const auto accepted = [&](unsigned i) { return set_->observer(i).counters.connections_accepted.value(); };
  for (unsigned i = 0; i < 200 && (accepted(0) == 0 || accepted(1) == 0); ++i) {
    Speaker& client = clients.emplace_back(call(port_.address()));
    client.say(get_request);
    ASSERT_TRUE(client.hears("HTTP/1.1 404"));
  }
  EXPECT_GT(accepted(0), 0U);
  EXPECT_GT(accepted(1), 0U);
  EXPECT_EQ(set_->open_connections(), clients.size());
  clients.clear();
  EXPECT_TRUE(wait_until([&] { return set_->open_connections() == 0; }));
}

// A second socket would take connections that nobody accepts, and lose the first one's backlog.
TEST_F(ShardSetTest, BindsAnAddressThatStaysInTheSnapshotNotAgain) {
  publish(snapshot_of({port_.address()}));
  const std::vector<ino_t> before = sorted_listening_sockets(port_.address());
  publish(snapshot_of({port_.address(), port_.address()}));
  publish(snapshot_of({port_.address(), other_port_.address()}));
  EXPECT_EQ(sorted_listening_sockets(port_.address()), before);
  EXPECT_EQ(listening_sockets(other_port_.address()).size(), kShards);
}

TEST_F(ShardSetTest, ClosesAnAddressThatHasGoneAndBindsItWhenItComesBack) {
  publish(snapshot_of({port_.address()}));
  publish(snapshot_of({other_port_.address()}));
  ASSERT_TRUE(wait_until([&] { return listening_sockets(port_.address()).empty(); }));
  EXPECT_TRUE(test::is_refused(port_.address()));
  publish(snapshot_of({port_.address()}));
  EXPECT_TRUE(wait_until([&] { return listening_sockets(other_port_.address()).empty(); }));
  EXPECT_EQ(listening_sockets(port_.address()).size(), kShards);
  Speaker client = call(port_.address());
  client.say(get_request);
  EXPECT_TRUE(client.hears("HTTP/1.1 404"));
}

TEST_F(ShardSetTest, BindsEverythingOrNothing) {
  publish(snapshot_of({other_port_.address()}));
  const auto taken = io::BlockingSocket::listen(*SocketAddress::parse("127.0.0.2:0"));
  ASSERT_TRUE(taken.has_value());
  // In the order of addresses: the free one is bound before the other one fails.
  const auto refused = snapshot_of({port_.address(), taken->local_address()});
  const Status bound = set_->bind_listeners(*refused);
  ASSERT_FALSE(bound.has_value());
  EXPECT_NE(bound.error().message.find(taken->local_address().to_string()), std::string::npos) << bound.error().message;
  EXPECT_TRUE(listening_sockets(port_.address()).empty());

  Speaker client = call(other_port_.address());
  client.say(get_request);
  EXPECT_TRUE(client.hears("HTTP/1.1 404")) << "what was served is served on";
  publish(snapshot_of({port_.address(), other_port_.address()}));
  EXPECT_EQ(listening_sockets(port_.address()).size(), kShards);
  EXPECT_EQ(listening_sockets(other_port_.address()).size(), kShards);
}

TEST_F(ShardSetTest, DrainsAllShards) {
  publish(snapshot_of({port_.address()}));
  std::vector<Speaker> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(call(port_.address()));
  ASSERT_TRUE(wait_until([&] { return set_->open_connections() == 20; }));
  set_->begin_drain();
  for (Speaker& client : clients) EXPECT_EQ(client.hears_end(), Speaker::End::orderly);
  clients.clear();
  EXPECT_TRUE(wait_until([&] { return listening_sockets(port_.address()).empty(); }));
  EXPECT_TRUE(wait_until([&] { return set_->open_connections() == 0; }));
}

}  // namespace
}  // namespace sluice::shard
