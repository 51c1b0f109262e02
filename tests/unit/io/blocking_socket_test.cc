#include "io/blocking_socket.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace sluice::io {
namespace {

using namespace std::chrono_literals;

struct Pair {
  BlockingSocket client;
  BlockingSocket server;
};

const SocketAddress any_port = *SocketAddress::parse("127.0.0.1:0");

Pair connected_pair(const SocketAddress& address = any_port) {
  const auto listener = BlockingSocket::listen(address);
  EXPECT_TRUE(listener.has_value());
  Pair pair;
  pair.client = std::move(*BlockingSocket::connect(listener->local_address(), deadline_in(5s)));
  pair.server = std::move(**listener->accept(deadline_in(5s)));
  return pair;
}

template <typename Call>
Duration time_of(Call call) {
  const auto started = std::chrono::steady_clock::now();
  call();
  return std::chrono::steady_clock::now() - started;
}

TEST(BlockingSocket, MovesBytesBothWaysAndSeesTheEnd) {
  for (const char* address : {"127.0.0.1:0", "[::1]:0"}) {
    const Pair pair = connected_pair(*SocketAddress::parse(address));
    EXPECT_EQ(pair.client.peer_address(), pair.server.local_address());
    EXPECT_EQ(pair.client.local_address(), pair.server.peer_address());
    ASSERT_TRUE(pair.client.write_all(as_bytes("hello"), deadline_in(5s)));
    pair.client.shutdown_write();
    std::byte room[16];
    const auto count = pair.server.read(room, deadline_in(5s));
    ASSERT_TRUE(count.has_value());
    EXPECT_EQ(as_text(ConstBytes(room).first(*count)), "hello");
    EXPECT_EQ(pair.server.read(room, deadline_in(5s)), 0U);
    EXPECT_TRUE(pair.server.write_all(as_bytes("still open"), deadline_in(5s)));
  }
}

TEST(BlockingSocket, GivesUpAtItsDeadline) {
  const Pair pair = connected_pair();
  std::byte room[16];
  EXPECT_GE(time_of([&] { EXPECT_FALSE(pair.server.read(room, deadline_in(50ms))); }), 50ms);
  const std::vector<std::byte> much(64'000'000);
  EXPECT_LT(time_of([&] { EXPECT_FALSE(pair.server.write_all(much, deadline_in(50ms))); }), 5s);
  const auto listener = BlockingSocket::listen(any_port);
  EXPECT_GE(time_of([&] { EXPECT_FALSE(listener->accept(deadline_in(50ms))->has_value()); }), 50ms);
}

TEST(BlockingSocket, WakesWhoeverWaitsWhenItIsShutDown) {
  const Pair pair = connected_pair();
  std::thread waker([&pair] {
    std::this_thread::sleep_for(30ms);
    pair.server.shutdown();
  });
  std::byte room[16];
  EXPECT_LT(time_of([&] { EXPECT_EQ(pair.server.read(room, deadline_in(20s)), 0U); }), 10s);
  waker.join();

  const auto listener = BlockingSocket::listen(any_port);
  std::thread stopper([&listener] {
    std::this_thread::sleep_for(30ms);
    listener->shutdown();
  });
  EXPECT_LT(time_of([&] { EXPECT_FALSE(listener->accept(deadline_in(20s))); }), 10s);
  stopper.join();
}

TEST(BlockingSocket, NoticesThatThePeerHasClosed) {
  Pair pair = connected_pair();
  EXPECT_FALSE(pair.server.wait_until_closed(deadline_in(20ms)));
  ASSERT_TRUE(pair.client.write_all(as_bytes("data is no end"), deadline_in(5s)));
  EXPECT_FALSE(pair.server.wait_until_closed(deadline_in(20ms)));
  pair.client = {};
  EXPECT_TRUE(pair.server.wait_until_closed(deadline_in(5s)));
}

TEST(BlockingSocket, SaysWhyItCannotListenOrConnect) {
  const auto first = BlockingSocket::listen(any_port);
  const auto second = BlockingSocket::listen(first->local_address());
  ASSERT_FALSE(second.has_value());
  EXPECT_TRUE(second.error().message.contains("EADDRINUSE")) << second.error().message;

  const auto elsewhere = BlockingSocket::listen(*SocketAddress::parse("192.0.2.1:0"));
  ASSERT_FALSE(elsewhere.has_value());
  EXPECT_TRUE(elsewhere.error().message.contains("EADDRNOTAVAIL")) << elsewhere.error().message;

  SocketAddress closed = BlockingSocket::listen(any_port)->local_address();
  const auto refused = BlockingSocket::connect(closed, deadline_in(5s));
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().message.contains("ECONNREFUSED")) << refused.error().message;
}

TEST(WaitReady, TellsWhichDescriptorIsReadyForWhat) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  Watch watches[] = {{.fd = fds[0], .wants_read = true}, {.fd = fds[1], .wants_read = true, .wants_write = true}};
  EXPECT_TRUE(wait_ready(watches, deadline_in(5s)));
  EXPECT_FALSE(watches[0].is_readable);
  EXPECT_TRUE(watches[1].is_writable);
  EXPECT_FALSE(watches[1].is_readable);

  EXPECT_FALSE(wait_ready(std::span(watches).first(1), deadline_in(10ms)));
  ASSERT_EQ(write(fds[1], "x", 1), 1);
  EXPECT_TRUE(wait_ready(std::span(watches).first(1), deadline_in(5s)));
  EXPECT_TRUE(watches[0].is_readable);
  close(fds[0]);
  close(fds[1]);
}

}  // namespace
}  // namespace sluice::io
