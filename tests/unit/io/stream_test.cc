// Streams on the real kernel. What needs a certain order of events is in stream_races_test.cc.
#include "io/stream.h"

#include "real_ring.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/utsname.h>

#include <array>
#include <cstdio>
#include <deque>
#include <functional>
#include <utility>

namespace sluice::io {
namespace {

using test::hear;
using test::say;
using test::TcpPair;
using test::turn_until;
using namespace std::chrono_literals;

// A stream with an owner who does what the test says on each change.
struct Owned {
  explicit Owned(Loop& loop) : stream(loop, on_change, this) {}
  ~Owned() {
    act = nullptr;
    stream.terminate();
    EXPECT_TRUE(turn_until(stream.loop(), [&] { return stream.is_closed() || !was_opened; }));
  }

  static void on_change(void* self) {
    auto& owned = *static_cast<Owned*>(self);
    ++owned.changes;
    if (owned.act) owned.act();
  }
  void adopt(TcpPair& pair) {
    was_opened = true;
    stream.adopt(pair.ours.release());
  }
  std::string take_received() {
    std::string text;
    while (!stream.received().empty()) {
      text += as_text(stream.received());
      stream.consume(stream.received().size());
    }
    return text;
  }

  unsigned changes = 0;
  std::function<void()> act;
  bool was_opened = false;
  Stream stream;
};

uint32_t segments_received(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  return info.tcpi_segs_in;
}

class StreamTest : public testing::Test {
 protected:
  std::unique_ptr<Loop> loop_ = test::small_loop();
  TcpPair pair_;
};

TEST_F(StreamTest, AcknowledgesWithoutAnAnswer) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  say(pair_.theirs.get(), "half of a question");
  ASSERT_TRUE(turn_until(*loop_, [&] { return !owned.take_received().empty(); }));
  owned.stream.acknowledge();
  EXPECT_EQ(unacknowledged_bytes(pair_.theirs.get()), 0U) << "the kernel alone would wait for 40 ms";
}

TEST_F(StreamTest, TheEndGoesWithTheLastBytes) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  const int theirs = pair_.theirs.get();
  const uint32_t before = segments_received(theirs);
  owned.stream.write(as_bytes("answer"));
  owned.stream.finish_writing();
  ASSERT_TRUE(turn_until(*loop_, [&] { return owned.stream.has_sent_all(); }));
  std::array<char, 10> room;
  EXPECT_EQ(recv(theirs, room.data(), room.size(), MSG_WAITALL), 6);  // waits for more bytes, or the end
  EXPECT_EQ(segments_received(theirs) - before, 1U);
}

TEST_F(StreamTest, CarriesBytesBothWays) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  std::string heard;
  owned.act = [&] { heard += owned.take_received(); };
  say(pair_.theirs.get(), "question");
  ASSERT_TRUE(turn_until(*loop_, [&] { return heard == "question"; }));
  owned.stream.write(as_bytes("ans"));
  owned.stream.write(as_bytes("wer"));
  owned.stream.flush();
  ASSERT_TRUE(turn_until(*loop_, [&] { return owned.stream.has_sent_all(); }));
  EXPECT_EQ(hear(pair_.theirs.get()), "answer");
  EXPECT_EQ(owned.stream.bytes_received(), 8U);
  EXPECT_EQ(owned.stream.bytes_sent(), 6U);
}

// A receive that was armed while buffers were plenty took as many as before: connections by the thousand could each
// put four times the bytes on the heap that the bound for scarce buffers allows.
TEST_F(StreamTest, TakesLittleOnceBuffersAreScarceAlsoWhenItWasReceivingBefore) {
  const auto loop = std::move(*Loop::create({.ring_entries = 8, .receive_buffers_max = 32}));
  std::array<TcpPair, 8> other_pairs;
  std::deque<Owned> others;
  Owned owned(*loop);
  owned.adopt(pair_);
  for (TcpPair& pair : other_pairs) {
    others.emplace_back(*loop).adopt(pair);
    say(pair.theirs.get(), std::string(4 * limits::receive_buffer_bytes, 'x'));
  }
  ASSERT_TRUE(turn_until(*loop, [&] { return loop->receive_buffers().are_scarce(); }));
  const std::string piece(limits::receive_buffer_bytes, 'y');
  for (int i = 0; i < 8; ++i) {
    say(pair_.theirs.get(), piece);
    for (int turn = 0; turn < 5; ++turn) loop->turn(2ms);
  }
  EXPECT_GT(owned.stream.receive_queue().size(), 0U);
  EXPECT_LE(owned.stream.receive_queue().size(),
            limits::read_high_when_scarce_bytes + 2 * limits::receive_buffer_bytes);
}

// Its bytes were all read after both halves had been shut down, which sends no window update: the peer went on
// waiting for room, for a minute.
TEST_F(StreamTest, EndsAPeerThatIsBlockedInWriting) {
  const int peer = pair_.theirs.get();
  const std::string much(1 << 20, 'x');
  pollfd room{.fd = peer, .events = POLLOUT, .revents = 0};
  do {
    while (send(peer, much.data(), much.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
    }
    ASSERT_EQ(errno, EAGAIN);
  } while (poll(&room, 1, 100) > 0);

  {
    Owned owned(*loop_);
    owned.adopt(pair_);  // receives at once: its end comes before the ring has heard of that
  }
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  ssize_t sent = 0;
  while ((sent = send(peer, much.data(), much.size(), MSG_NOSIGNAL | MSG_DONTWAIT)) >= 0 || errno == EAGAIN) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    poll(&room, 1, 100);
  }
  EXPECT_TRUE(errno == EPIPE || errno == ECONNRESET) << errno;
}

TEST_F(StreamTest, ReadsOnAfterItsOwnFinAndWritesOnAfterThePeers) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  say(pair_.theirs.get(), "all I have");
  shutdown_socket(pair_.theirs.get(), ShutdownHow::write);
  ASSERT_TRUE(turn_until(*loop_, [&] { return owned.stream.has_receive_ended(); }));
  EXPECT_FALSE(owned.stream.is_at_end()) << "not everything was consumed";
  EXPECT_EQ(owned.take_received(), "all I have");
  EXPECT_TRUE(owned.stream.is_at_end());
  EXPECT_EQ(owned.stream.receive_error(), 0);
  owned.stream.write(as_bytes("thanks"));
  owned.stream.finish_writing();
  std::string heard;
  ASSERT_TRUE(turn_until(*loop_, [&] {
    heard += hear(pair_.theirs.get());
    return heard == "thanks";
  }));
  char byte;
  EXPECT_EQ(recv(pair_.theirs.get(), &byte, 1, 0), 0) << "FIN after everything that was written";
}

TEST_F(StreamTest, StopsReceivingWhileNobodyConsumes) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  const std::string piece(64 * 1024, 'x');
  size_t sent = 0;
  const auto send_on = [&] {
    const ssize_t count = send(pair_.theirs.get(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<size_t>(count);
    return count <= 0;
  };
  unsigned stuck = 0;
  ASSERT_TRUE(turn_until(*loop_, [&] { return (stuck = send_on() ? stuck + 1 : 0) > 20; }))
      << "the peer is never slowed down";
  // What one round of the kernel may bring beyond the mark.
  EXPECT_LE(owned.stream.receive_queue().size(), limits::read_high_bytes + 64 * limits::receive_buffer_bytes);
  size_t taken = 0;
  EXPECT_TRUE(turn_until(*loop_, [&] {
    taken += owned.take_received().size();
    return taken == sent;
  })) << "receiving does not go on";
}

// Of a long body that could be spliced, the kernel would have copied 32 buffers before anybody heard of the first.
TEST_F(StreamTest, HearsOfABurstBeforeAllOfItIsCopied) {
  utsname kernel{};
  ASSERT_EQ(uname(&kernel), 0);
  unsigned major = 0;
  unsigned minor = 0;
  ASSERT_EQ(std::sscanf(kernel.release, "%u.%u", &major, &minor), 2);
  if (std::pair(major, minor) < std::pair(6U, 17U)) GTEST_SKIP() << "needs Linux 6.17, this is " << kernel.release;
  Owned owned(*loop_);
  owned.adopt(pair_);
  loop_->turn(0ms);
  size_t first = 0;
  owned.act = [&] {
    if (first == 0) first = owned.stream.bytes_received();
  };
  say(pair_.theirs.get(), std::string(8 * limits::receive_buffer_bytes, 'x'));
  ASSERT_TRUE(turn_until(*loop_, [&] { return first > 0; }));
  EXPECT_LE(first, limits::receive_bytes_max + limits::receive_buffer_bytes);
}

TEST_F(StreamTest, SaysHowMuchItsOwnerMayWrite) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  EXPECT_EQ(owned.stream.writable_bytes(), limits::write_high_bytes);
  const std::string much(8 << 20, 'x');
  owned.stream.write(as_bytes(much));
  EXPECT_EQ(owned.stream.writable_bytes(), 0U);
  owned.stream.flush();
  size_t heard = 0;
  ASSERT_TRUE(turn_until(*loop_, [&] {
    heard += hear(pair_.theirs.get()).size();
    return heard == much.size();
  }));
  ASSERT_TRUE(turn_until(*loop_, [&] { return owned.stream.has_sent_all(); }));
  EXPECT_EQ(owned.stream.writable_bytes(), limits::write_high_bytes);
}

// The close protocol with both operations in the kernel.
TEST_F(StreamTest, ClosesOnlyWhenTheKernelOwesNothingMore) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  owned.stream.write(as_bytes(std::string(16 << 20, 'x')));
  owned.stream.flush();
  for (int i = 0; i < 20; ++i) loop_->turn(1ms);
  ASSERT_TRUE(owned.stream.is_sending()) << "the send waits for the peer";
  const int fd = owned.stream.fd();
  owned.stream.terminate();
  EXPECT_TRUE(owned.stream.is_terminating());
  EXPECT_TRUE(test::is_open(fd)) << "operations are still in the kernel";
  ASSERT_TRUE(turn_until(*loop_, [&] { return owned.stream.is_closed(); }));
  EXPECT_FALSE(test::is_open(fd));
  EXPECT_EQ(loop_->chunks().taken_count(), 0U);
  EXPECT_EQ(loop_->receive_buffers().held_count(), 0U);
}

TEST_F(StreamTest, ReportsItsCloseInALaterTurnNeverWithinTheCall) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  loop_->turn(0ms);
  const unsigned before = owned.changes;
  owned.stream.terminate();
  EXPECT_EQ(owned.changes, before);
  ASSERT_TRUE(turn_until(*loop_, [&] { return owned.stream.is_closed(); }));
  EXPECT_GT(owned.changes, before);
}

TEST_F(StreamTest, EndsWithAResetWhenAsked) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  owned.stream.write(as_bytes("half"));
  owned.stream.flush();
  ASSERT_TRUE(turn_until(*loop_, [&] { return owned.stream.has_sent_all(); }));
  owned.stream.terminate(Stream::Ending::reset);
  ASSERT_TRUE(turn_until(*loop_, [&] { return owned.stream.is_closed(); }));
  std::string room(64, '\0');
  ssize_t count = 1;
  while (count > 0) count = recv(pair_.theirs.get(), room.data(), room.size(), 0);
  EXPECT_EQ(count, -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(StreamTest, TellsAResetFromAnOrderlyEnd) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  loop_->turn(0ms);
  reset_on_close(pair_.theirs.get());
  pair_.theirs.reset();
  ASSERT_TRUE(turn_until(*loop_, [&] { return owned.stream.has_receive_ended(); }));
  EXPECT_EQ(owned.stream.receive_error(), ECONNRESET);
  owned.stream.write(as_bytes("anybody there?"));
  owned.stream.flush();
  ASSERT_TRUE(turn_until(*loop_, [&] { return owned.stream.send_error() != 0; }));
  EXPECT_EQ(owned.stream.unsent_bytes(), 0U) << "what nobody takes is dropped";
}

TEST_F(StreamTest, ConnectsAndTellsTheOutcome) {
  SocketAddress address;
  test::OwnedFd listener = test::loopback_listener(address);
  for (const bool is_served : {true, false}) {
    Owned owned(*loop_);
    owned.was_opened = true;
    owned.stream.connect(address);
    EXPECT_TRUE(owned.stream.is_connecting());
    ASSERT_TRUE(turn_until(*loop_, [&] { return owned.changes > 0; }));
    EXPECT_EQ(owned.stream.is_open(), is_served);
    EXPECT_EQ(owned.stream.connect_error(), is_served ? 0 : ECONNREFUSED);
    listener.reset();
  }
}

TEST_F(StreamTest, EndsAConnectThatIsStillUnderWay) {
  // An address that answers nothing: TEST-NET-1 has no route back. Where there is no route at all, the
  // connect fails at once, which ends as well.
  Owned owned(*loop_);
  owned.was_opened = true;
  owned.stream.connect(*SocketAddress::parse("192.0.2.1:9"));
  loop_->turn(1ms);
  owned.stream.terminate();
  EXPECT_TRUE(turn_until(*loop_, [&] { return owned.stream.is_closed(); }));
}

TEST_F(StreamTest, IsNonBlockingExactlyWhileInSpliceMode) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  loop_->turn(0ms);
  const auto is_nonblocking = [&] { return (fcntl(owned.stream.fd(), F_GETFL) & O_NONBLOCK) != 0; };
  owned.stream.request_splice_mode();
  ASSERT_TRUE(turn_until(*loop_, [&] { return owned.stream.is_spliceable(); }));
  EXPECT_FALSE(is_nonblocking());
  owned.stream.enter_splice_mode();
  EXPECT_TRUE(is_nonblocking());

  owned.stream.await_readable();
  loop_->turn(1ms);
  EXPECT_FALSE(owned.stream.take_readable());
  say(pair_.theirs.get(), "hello");
  bool was_readable = false;
  ASSERT_TRUE(turn_until(*loop_, [&] { return was_readable = was_readable || owned.stream.take_readable(); }));
  EXPECT_TRUE(owned.stream.receive_queue().empty()) << "the bytes stay in the socket";

  owned.stream.await_readable();  // pending polls are cancelled
  owned.stream.leave_splice_mode();
  EXPECT_FALSE(is_nonblocking());
  std::string heard;
  EXPECT_TRUE(turn_until(*loop_, [&] { return (heard += owned.take_received()) == "hello"; }));
}

TEST_F(StreamTest, BecomesSpliceableOnlyWhenEverythingIsSent) {
  Owned owned(*loop_);
  owned.adopt(pair_);
  owned.stream.write(as_bytes(std::string(16 << 20, 'x')));
  owned.stream.flush();
  owned.stream.request_splice_mode();
  for (int i = 0; i < 20; ++i) loop_->turn(1ms);
  EXPECT_FALSE(owned.stream.is_spliceable());
  EXPECT_TRUE(turn_until(*loop_, [&] {
    static_cast<void>(hear(pair_.theirs.get()));
    return owned.stream.is_spliceable();
  }));
}

}  // namespace
}  // namespace sluice::io
