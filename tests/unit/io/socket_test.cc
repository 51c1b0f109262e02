#include "io/socket.h"

#include "base/limits.h"
#include "real_ring.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <array>
#include <cstddef>

namespace sluice::io {
namespace {

TEST(Socket, ConvertsAddressesToTheKernelsFormAndBack) {
  for (const char* text : {"1.2.3.4:80", "[::1]:443", "[2001:db8::1]:65535", "0.0.0.0:0"}) {
    const SocketAddress address = *SocketAddress::parse(text);
    sockaddr_storage storage;
    static_cast<void>(to_sockaddr(address, storage));
    EXPECT_EQ(from_sockaddr(storage).to_string(), text);
  }
  sockaddr_storage storage;
  static_cast<void>(to_sockaddr(*SocketAddress::parse("[::ffff:1.2.3.4]:80"), storage));
  EXPECT_EQ(from_sockaddr(storage).to_string(), "1.2.3.4:80")
      << "a client of a dual-stack listener is known by its IPv4 address";
}

TEST(Socket, ConvertsTheNamesOfUnixSocketsAndReadsNone) {
  sockaddr_storage storage;
  const auto& un = reinterpret_cast<const sockaddr_un&>(storage);
  EXPECT_EQ(to_sockaddr(*SocketAddress::from_unix("unix:///run/x"), storage), offsetof(sockaddr_un, sun_path) + 7);
  EXPECT_EQ(un.sun_family, AF_UNIX);
  EXPECT_STREQ(un.sun_path, "/run/x");
  EXPECT_EQ(from_sockaddr(storage), SocketAddress{.family = SocketAddress::Family::unix_socket});
  EXPECT_EQ(to_sockaddr(*SocketAddress::from_unix("unix://@abc"), storage), offsetof(sockaddr_un, sun_path) + 4);
  EXPECT_EQ(un.sun_path[0], '\0');
  EXPECT_STREQ(un.sun_path + 1, "abc");
  const std::string longest = "unix:///" + std::string(106, 'x');
  EXPECT_EQ(to_sockaddr(*SocketAddress::from_unix(longest), storage), sizeof(sockaddr_un));
}

TEST(Socket, ListenersShareAPort) {
  SocketAddress address;
  const test::OwnedFd first = test::loopback_listener(address);
  const auto second = open_listener(address);
  ASSERT_TRUE(second.has_value()) << second.error().message;
  close_descriptor(*second);
}

TEST(Socket, KnowsTheMachinesOwnAddresses) {
  const auto own = *SocketAddress::parse("127.0.0.1:80");
  const auto of_nobody = *SocketAddress::parse("192.0.2.1:80");  // RFC 5737
  EXPECT_TRUE(has_address(own));
  EXPECT_FALSE(has_address(of_nobody));
  EXPECT_TRUE(leads_here(own));
  EXPECT_FALSE(leads_here(of_nobody));
}

TEST(Socket, WhatAListenerAcceptsSendsWithoutDelay) {
  const auto listener = open_listener(*SocketAddress::parse("127.0.0.1:0"));
  ASSERT_TRUE(listener.has_value()) << listener.error().message;
  const test::OwnedFd listening(*listener);
  sockaddr_storage storage;
  const unsigned length = to_sockaddr(local_address(listening.get()), storage);
  const test::OwnedFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0);
  const test::OwnedFd accepted(accept(listening.get(), nullptr, nullptr));
  int on = 0;
  socklen_t size = sizeof on;
  ASSERT_EQ(getsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
  EXPECT_NE(on, 0);
}

TEST(Socket, WhatAListenerAcceptsIsAcknowledgedByTheAnswer) {
  const test::TcpPair pair;
  int acknowledges_at_once = 1;
  socklen_t size = sizeof acknowledges_at_once;
  ASSERT_EQ(getsockopt(pair.ours.get(), IPPROTO_TCP, TCP_QUICKACK, &acknowledges_at_once, &size), 0);
  EXPECT_EQ(acknowledges_at_once, 0);
}

TEST(Socket, APortThatIsTakenIsToldWithTheRemedy) {
  const test::OwnedFd taken(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage;
  const unsigned length = to_sockaddr(*SocketAddress::parse("127.0.0.1:0"), storage);
  ASSERT_EQ(bind(taken.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0);
  ASSERT_EQ(listen(taken.get(), 1), 0);
  const SocketAddress address = local_address(taken.get());
  const auto listener = open_listener(address);
  ASSERT_FALSE(listener.has_value());
  EXPECT_NE(listener.error().message.find("cannot listen on " + address.to_string()), std::string::npos)
      << listener.error().message;
  EXPECT_NE(listener.error().message.find("another process has this port"), std::string::npos)
      << listener.error().message;
}

TEST(Socket, AnAddressOfAnotherMachineIsToldAsSuch) {
  const auto listener = open_listener(*SocketAddress::parse("192.0.2.1:0"));
  ASSERT_FALSE(listener.has_value());
  EXPECT_NE(listener.error().message.find("no interface of this machine has this address"), std::string::npos)
      << listener.error().message;
}

TEST(Socket, KnowsBothEndsOfAConnection) {
  const test::TcpPair pair;
  EXPECT_EQ(local_address(pair.ours.get()), peer_address(pair.theirs.get()));
  EXPECT_EQ(peer_address(pair.ours.get()), local_address(pair.theirs.get()));
}

TEST(Socket, ResetOnCloseTellsThePeerThatSomethingIsMissing) {
  test::TcpPair pair;
  test::say(pair.ours.get(), "half of it");
  reset_on_close(pair.ours.get());
  pair.ours.reset();
  std::array<char, 64> room;
  ssize_t count = 1;
  while (count > 0) count = recv(pair.theirs.get(), room.data(), room.size(), 0);
  EXPECT_EQ(count, -1);
  EXPECT_EQ(errno, ECONNRESET);
}

// docs/kernel_contract.md 14 and 16.
TEST(Socket, SplicesBetweenNonBlockingSocketsWithoutWaiting) {
  test::TcpPair from;
  test::TcpPair to;
  set_nonblocking(from.ours.get(), true);
  set_nonblocking(to.ours.get(), true);
  const Pipe pipe = open_pipe();
  ASSERT_GE(pipe.read_fd, 0);

  EXPECT_EQ(splice_bytes(from.ours.get(), pipe.write_fd, 100), -EAGAIN) << "the source is empty";
  test::say(from.theirs.get(), "hello");
  EXPECT_EQ(splice_bytes(from.ours.get(), pipe.write_fd, 3), 3) << "not more than was asked for";
  EXPECT_EQ(splice_bytes(pipe.read_fd, to.ours.get(), 3), 3);
  EXPECT_EQ(test::hear(to.theirs.get()), "hel");

  // A sink whose buffer is full says so instead of stopping the thread.
  const std::string much(1 << 20, 'x');
  long moved = 0;
  for (int i = 0; i < 1000 && moved >= 0; ++i) {
    static_cast<void>(send(from.theirs.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
    static_cast<void>(splice_bytes(from.ours.get(), pipe.write_fd, 1 << 20));
    moved = splice_bytes(pipe.read_fd, to.ours.get(), 1 << 20);
  }
  EXPECT_EQ(moved, -EAGAIN);
  close_descriptor(pipe.read_fd);
  close_descriptor(pipe.write_fd);
}

TEST(Socket, SpliceSeesTheEndOfItsSource) {
  test::TcpPair from;
  set_nonblocking(from.ours.get(), true);
  const Pipe pipe = open_pipe();
  from.theirs.reset();
  usleep(10'000);
  EXPECT_EQ(splice_bytes(from.ours.get(), pipe.write_fd, 100), 0);
  close_descriptor(pipe.read_fd);
  close_descriptor(pipe.write_fd);
}

}  // namespace
}  // namespace sluice::io
