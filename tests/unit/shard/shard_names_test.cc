// Shards with a resolver: real threads, a real ring, a name of /etc/hosts.
#include "dns/resolver.h"
#include "loopback.h"
#include "shard/shard_set.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace sluice::shard {
namespace {

using test::call;
using test::snapshot_of;
using test::Speaker;
using test::wait_until;

constexpr unsigned kShards = 2;

// To the port of `upstream`, on the host that a request names.
std::unique_ptr<snapshot::Snapshot> requested_snapshot(const SocketAddress& listener, const test::Upstream& upstream,
                                                       AddressScope narrowest) {
  auto made = snapshot_of({listener}, &upstream);
  snapshot::Cluster& cluster = made->clusters[0];
  cluster.endpoints.clear();
  cluster.resolution = snapshot::Resolution::by_request;
  cluster.requested_port = upstream.address().port;
  cluster.guard.named = narrowest;
  return made;
}

class ShardNamesTest : public testing::Test {
 protected:
  ShardNamesTest() {
    const io::BlockingSocket free = std::move(*io::BlockingSocket::listen(test::any_port));
    listener_ = free.local_address();
  }
  void publish(std::unique_ptr<snapshot::Snapshot> snapshot) {
    const Status bound = set_->bind_listeners(*snapshot);
    ASSERT_TRUE(bound.has_value()) << bound.error().message;
    cell_.publish(std::move(snapshot));
    set_->wake_all();
    EXPECT_TRUE(wait_until([&] { return cell_.adopted_by_all(cell_.newest()->version); }));
  }

  snapshot::Cell cell_{kShards};
  // Nobody answers there: what is not in /etc/hosts is not found soon.
  std::unique_ptr<dns::Resolver> resolver_ = std::move(*dns::Resolver::start("127.0.0.1:9"));
  std::unique_ptr<ShardSet> set_ =
      std::move(*ShardSet::start(kShards, cell_, tls::RsaBatching::automatic, resolver_.get()));
  test::Upstream upstream_;
  SocketAddress listener_;
};

TEST_F(ShardNamesTest, ConnectToTheNameThatARequestHas) {
  publish(requested_snapshot(listener_, upstream_, AddressScope::host));
  Speaker client = call(listener_);
  client.say("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  Speaker upstream = upstream_.accept();
  ASSERT_TRUE(upstream.hears("\r\n\r\n"));
  upstream.say(test::ok_response);
  EXPECT_TRUE(client.hears("hello"));
}

TEST_F(ShardNamesTest, RefuseANameOfThisHost) {
  publish(requested_snapshot(listener_, upstream_, AddressScope::global));
  for (int i = 0; i < 10; ++i) {
    Speaker client = call(listener_);
    client.say("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    EXPECT_TRUE(client.hears("HTTP/1.1 403"));
  }
}

TEST_F(ShardNamesTest, EndWhileANameIsLookedUp) {
  publish(requested_snapshot(listener_, upstream_, AddressScope::global));
  Speaker client = call(listener_);
  client.say("GET / HTTP/1.1\r\nhost: nobody.test\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  set_->stop();
  resolver_.reset();
}

TEST_F(ShardNamesTest, EndAfterTheResolverHasAnsweredNobody) {
  publish(requested_snapshot(listener_, upstream_, AddressScope::global));
  Speaker client = call(listener_);
  client.say("GET / HTTP/1.1\r\nhost: nobody.test\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  set_.reset();  // its answer, when it comes, is for nobody
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

}  // namespace
}  // namespace sluice::shard
