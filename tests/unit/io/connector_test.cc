// Connecting to one of several addresses on the real kernel, with a ring of depth 8.
#include "io/stream.h"

#include "real_ring.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

namespace sluice::io {
namespace {

using namespace sluice::test;

// Bound, and nobody listens: connecting is refused.
SocketAddress refusing_address() {
  SocketAddress address;
  const OwnedFd listener = loopback_listener(address);
  return address;
}

// A listener whose backlog is full: connecting to it stays without an answer.
class SilentListener {
 public:
  SilentListener() : fd_(loopback_listener(address_)) {
    listen(fd_.get(), 0);
    sockaddr_storage storage;
    const unsigned length = to_sockaddr(address_, storage);
    for (int i = 0; i < 3; ++i) {
      OwnedFd& filler = fillers_.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      connect(filler.get(), reinterpret_cast<const sockaddr*>(&storage), length);
    }
    usleep(50'000);
  }
  const SocketAddress& address() const { return address_; }

 private:
  SocketAddress address_;
  OwnedFd fd_;
  std::vector<OwnedFd> fillers_;
};

class ConnectorTest : public testing::Test {
 protected:
  ~ConnectorTest() override {
    stream_.terminate();
    EXPECT_TRUE(turn_until(*loop_, [&] { return stream_.is_closed(); }));
    loop_->turn(1ms);
  }
  bool connect(const std::vector<SocketAddress>& addresses) {
    loop_->turn(0ms);  // which tells the time
    stream_.connect(addresses);
    return turn_until(*loop_, [&] { return stream_.is_open() || stream_.connect_error() != 0; });
  }

  std::unique_ptr<Loop> loop_ = small_loop();
  SocketAddress tried_;
  Stream stream_{*loop_,
                 [](void* self) {
                   auto& test = *static_cast<ConnectorTest*>(self);
                   const bool is_outcome =
                       test.stream_.is_open() || (test.stream_.is_connecting() && test.stream_.connect_error() != 0);
                   if (is_outcome && !test.tried_.is_known()) test.tried_ = test.stream_.tried_address();
                 },
                 this};
};

TEST_F(ConnectorTest, GoesOnToTheNextAddressWhenOneRefuses) {
  SocketAddress there;
  const OwnedFd listener = loopback_listener(there);
  ASSERT_TRUE(connect({refusing_address(), refusing_address(), there}));
  EXPECT_TRUE(stream_.is_open());
  EXPECT_TRUE(turn_until(*loop_, [&] { return tried_.is_known(); }));
  EXPECT_EQ(tried_, there);
  EXPECT_EQ(peer_address(stream_.fd()), there);
}

TEST_F(ConnectorTest, TellsTheErrorOfTheLastWhenAllHaveRefused) {
  const SocketAddress last = refusing_address();
  ASSERT_TRUE(connect({refusing_address(), last}));
  EXPECT_EQ(stream_.connect_error(), ECONNREFUSED);
  EXPECT_TRUE(turn_until(*loop_, [&] { return tried_.is_known(); }));
  EXPECT_EQ(tried_, last);
}

TEST_F(ConnectorTest, DoesNotWaitForOneThatDoesNotAnswer) {
  const SilentListener silent;
  SocketAddress there;
  const OwnedFd listener = loopback_listener(there);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(connect({silent.address(), silent.address(), there}));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 2 * limits::connect_attempt_delay - 20ms);
  EXPECT_TRUE(stream_.is_open());
  EXPECT_EQ(peer_address(stream_.fd()), there);
  // The others are ended, and the stream goes on.
  const OwnedFd theirs(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  turn_for(*loop_, 50ms);
  say(theirs.get(), "hello");
  EXPECT_TRUE(turn_until(*loop_, [&] { return stream_.receive_queue().size() == 5; }));
}

TEST_F(ConnectorTest, MayBeEndedInTheMiddle) {
  const SilentListener silent;
  stream_.connect(std::vector<SocketAddress>(limits::connect_race_max, silent.address()));
  turn_for(*loop_, 600ms);
  EXPECT_TRUE(stream_.is_connecting());
}  // the destructor waits until it is closed

TEST_F(ConnectorTest, ConnectsWhereTheKernelHasNoIPv6) {
  SocketAddress there;
  const OwnedFd listener = loopback_listener(there);
  // Of the documentation's block: nobody has a route to it, or nobody answers.
  ASSERT_TRUE(connect({*SocketAddress::parse("[2001:db8::1]:9"), there}));
  EXPECT_EQ(peer_address(stream_.fd()), there);
}

TEST_F(ConnectorTest, FailsWithoutAnyAddress) {
  ASSERT_TRUE(connect({}));
  EXPECT_EQ(stream_.connect_error(), EDESTADDRREQ);
}

}  // namespace
}  // namespace sluice::io
