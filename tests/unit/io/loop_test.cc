// The loop on the real kernel: the traps of docs/kernel_contract.md, where they can be shown. The numbers
// are those of its table.
#include "io/loop.h"

#include "real_ring.h"

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <memory>

namespace sluice::io {
namespace {

using test::hear;
using test::RecordedOp;
using test::say;
using test::small_loop;
using test::TcpPair;
using test::turn_for;
using test::turn_until;
using namespace std::chrono_literals;

msghdr message_of(iovec& vector, std::string_view text) {
  vector = {.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  return message;
}

TEST(Loop, ReceivesIntoItsBuffersAgainAndAgain) {
  const auto loop = small_loop();
  TcpPair pair;
  RecordedOp receive;
  loop->receive(receive.op, pair.ours.get());
  for (const char* text : {"one", "two", "three"}) {
    say(pair.theirs.get(), text);
    const size_t before = receive.completions.size();
    ASSERT_TRUE(turn_until(*loop, [&] { return receive.completions.size() > before; }));
    const Completion& completion = receive.completions.back();
    EXPECT_TRUE(completion.more);
    ASSERT_TRUE(completion.has_buffer);
    EXPECT_EQ(as_text({loop->receive_buffers().memory(completion.buffer), static_cast<size_t>(completion.result)}),
              text);
  }
  receive.release_buffers(*loop);
  EXPECT_EQ(loop->receive_buffers().held_count(), 0U);
  pair.theirs.reset();
  ASSERT_TRUE(turn_until(*loop, [&] { return receive.is_idle(); }));
  EXPECT_EQ(receive.last_result(), 0);
}

// Trap 3. Only shutdown(2), or the peer, ends what is in the kernel.
TEST(Loop, ClosingADescriptorDoesNotEndItsReceive) {
  const auto loop = small_loop();
  TcpPair pair;
  RecordedOp receive;
  loop->receive(receive.op, pair.ours.get());
  loop->turn(0ms);
  pair.ours.reset();
  turn_for(*loop, 20ms);
  EXPECT_FALSE(receive.is_idle()) << "the kernel has begun to end operations of closed descriptors";
  pair.theirs.reset();
  EXPECT_TRUE(turn_until(*loop, [&] { return receive.is_idle(); }));
}

// Trap 3, the other half: how the close protocol ends both operations of a socket.
TEST(Loop, ShutdownEndsAReceiveAndASendThatWait) {
  const auto loop = small_loop();
  TcpPair pair;
  RecordedOp receive;
  RecordedOp send;
  const std::string much(16 << 20, 'x');
  iovec vector;
  const msghdr message = message_of(vector, much);
  loop->receive(receive.op, pair.ours.get());
  loop->send(send.op, pair.ours.get(), message);
  ASSERT_TRUE(turn_until(*loop, [&] { return send.is_idle(); })) << "a send takes what fits";
  EXPECT_LT(send.last_result(), static_cast<int>(much.size()));
  loop->send(send.op, pair.ours.get(), message);
  turn_for(*loop, 10ms);
  while (send.is_idle()) {  // there was room for a little more
    loop->send(send.op, pair.ours.get(), message);
    turn_for(*loop, 10ms);
  }
  shutdown_socket(pair.ours.get(), ShutdownHow::both);
  EXPECT_TRUE(turn_until(*loop, [&] { return receive.is_idle() && send.is_idle(); }));
  EXPECT_EQ(receive.last_result(), 0);
  EXPECT_EQ(send.last_result(), -EPIPE);
}

// Trap 4.
TEST(Loop, ACancelledReceiveIsRetiredByItsOwnLastCompletion) {
  for (int round = 0; round < 50; ++round) {
    const auto loop = small_loop();
    TcpPair pair;
    RecordedOp receive;
    loop->receive(receive.op, pair.ours.get());
    if (round % 2 == 1) loop->turn(0ms);
    say(pair.theirs.get(), "just in time, or not");
    loop->cancel(receive.op);
    ASSERT_TRUE(turn_until(*loop, [&] { return receive.is_idle(); }));
    for (size_t i = 0; i < receive.completions.size(); ++i) {
      EXPECT_EQ(receive.completions[i].more, i + 1 < receive.completions.size());
      EXPECT_TRUE(receive.completions[i].result > 0 || receive.completions[i].result == -ECANCELED);
    }
    receive.release_buffers(*loop);
  }
}

// Trap 4: whoever cancels an accept must be ready to own one more connection.
TEST(Loop, AnAcceptMayYieldADescriptorAlthoughItWasCancelled) {
  const auto loop = small_loop();
  SocketAddress address;
  const test::OwnedFd listener = test::loopback_listener(address);
  const test::OwnedFd client = test::connect_to(address);
  RecordedOp accept;
  loop->accept(accept.op, listener.get(), AcceptCount::many);
  loop->cancel(accept.op);
  ASSERT_TRUE(turn_until(*loop, [&] { return accept.is_idle(); }));
  ASSERT_EQ(accept.completions.size(), 2U);
  EXPECT_GE(accept.completions[0].result, 0);
  EXPECT_TRUE(accept.completions[0].more);
  EXPECT_EQ(accept.completions[1].result, -ECANCELED);
  close_descriptor(accept.completions[0].result);
}

// Trap 5: the name of an arming has its generation in it, so that a cancel of the one before, which comes
// too late, does not hit the next.
TEST(Loop, ALateCancelDoesNotHitTheNextUseOfTheSameOp) {
  struct Rearming {
    Loop& loop;
    int fd;
    Op op{on_completion, this};
    std::vector<int> results;

    static void on_completion(void* self, const Completion& completion) {
      auto& rearming = *static_cast<Rearming*>(self);
      rearming.results.push_back(completion.result);
      if (rearming.results.size() == 1) rearming.loop.poll(rearming.op, rearming.fd, PollFor::readable);
    }
  };
  const auto loop = small_loop();
  TcpPair pair;
  Rearming poll{.loop = *loop, .fd = pair.ours.get()};
  loop->poll(poll.op, pair.ours.get(), PollFor::writable);  // ready at once
  loop->cancel(poll.op);                                    // submitted with it: finds it done
  turn_for(*loop, 30ms);
  ASSERT_EQ(poll.results.size(), 1U);
  EXPECT_FALSE(poll.op.is_idle()) << "the cancel has hit the second use";
  say(pair.theirs.get(), "x");
  ASSERT_TRUE(turn_until(*loop, [&] { return poll.op.is_idle(); }));
  EXPECT_GT(poll.results.back(), 0);
}

// Trap 6: the end shows in `more` alone; here with a result that is a success, since the completion queue
// was full.
TEST(Loop, AMultishotReceiveMayEndWithASuccess) {
  const auto loop = small_loop(/*completion_entries=*/8);
  TcpPair pair;
  RecordedOp receive;
  const std::string much(40 * limits::receive_buffer_bytes, 'x');
  std::string heard;
  loop->receive(receive.op, pair.ours.get());
  loop->turn(0ms);
  say(pair.theirs.get(), much);
  unsigned silent_ends = 0;
  size_t seen = 0;
  ASSERT_TRUE(turn_until(*loop, [&] {
    for (; seen < receive.completions.size(); ++seen) {
      const Completion& completion = receive.completions[seen];
      if (completion.result > 0)
        heard += as_text({loop->receive_buffers().memory(completion.buffer), static_cast<size_t>(completion.result)});
      if (completion.result > 0 && !completion.more) ++silent_ends;
    }
    receive.release_buffers(*loop);
    if (receive.is_idle() && heard.size() < much.size()) loop->receive(receive.op, pair.ours.get());
    return heard.size() == much.size();
  }));
  EXPECT_EQ(heard, much);
  EXPECT_GT(silent_ends, 0U) << "nothing forces it any more: the test has lost its sense";
  if (!receive.is_idle()) loop->cancel(receive.op);
  EXPECT_TRUE(turn_until(*loop, [&] { return receive.is_idle(); }));
}

// Trap 7.
TEST(Loop, RunningOutOfBuffersIsFlowControl) {
  const auto created =
      Loop::create({.ring_entries = 8, .completion_entries = 4096, .receive_buffers_max = limits::receive_buffers_min});
  ASSERT_TRUE(created.has_value()) << created.error().message;
  Loop* const loop = created->get();
  std::array<TcpPair, 16> pairs;  // a socket's own buffer is too small for all of them
  std::array<RecordedOp, 16> receives;
  const auto held_back = [&] {
    for (const RecordedOp& receive : receives) {
      if (receive.last_result() == -ENOBUFS) return true;
    }
    return false;
  };
  for (size_t i = 0; i < pairs.size(); ++i) loop->receive(receives[i].op, pairs[i].ours.get());
  const std::string piece(256 * 1024, 'x');
  size_t sent = 0;
  ASSERT_TRUE(turn_until(*loop, [&] {
    for (const TcpPair& pair : pairs) {
      const ssize_t count = send(pair.theirs.get(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count > 0) sent += static_cast<size_t>(count);
    }
    for (size_t i = 0; i < pairs.size(); ++i) {
      if (receives[i].is_idle() && receives[i].last_result() > 0) loop->receive(receives[i].op, pairs[i].ours.get());
    }
    return held_back();
  }));
  EXPECT_EQ(loop->receive_buffers().held_count(), loop->receive_buffers().count());

  // Once buffers are back, whoever waits for them is told, and everything arrives.
  bool was_told = false;
  Task waiter([](void* told) { *static_cast<bool*>(told) = true; }, &was_told);
  loop->wait_for_buffers(waiter);
  loop->turn(0ms);
  EXPECT_FALSE(was_told);
  size_t received = 0;
  const auto take = [&](RecordedOp& receive) {
    for (const Completion& completion : receive.completions)
      received += completion.result > 0 ? static_cast<size_t>(completion.result) : 0;
    receive.release_buffers(*loop);
    receive.completions.clear();
  };
  ASSERT_TRUE(turn_until(*loop, [&] {
    for (size_t i = 0; i < pairs.size(); ++i) {
      take(receives[i]);
      if (receives[i].is_idle() && received < sent) loop->receive(receives[i].op, pairs[i].ours.get());
    }
    return received == sent;
  }));
  EXPECT_TRUE(was_told);
  EXPECT_GT(loop->statistics().buffers_exhausted, 0U);
  for (RecordedOp& receive : receives) {
    if (!receive.is_idle()) loop->cancel(receive.op);
    EXPECT_TRUE(turn_until(*loop, [&] { return receive.is_idle(); }));
    receive.release_buffers(*loop);
  }
}

// 23: the kernel fills those that were provided first, and no more than are left.
TEST(Loop, ReceivesGoOnAfterBuffersWereTakenBack) {
  constexpr size_t kBuffers = 4 * limits::receive_buffers_min;
  const auto loop = small_loop();
  ReceiveBuffers& buffers = loop->receive_buffers();
  while (buffers.count() < kBuffers) ASSERT_TRUE(buffers.grow());
  TcpPair pair;
  RecordedOp receive;
  const auto hear_all = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      if (receive.is_idle()) loop->receive(receive.op, pair.ours.get());
      const std::string text = "text " + std::to_string(i);
      say(pair.theirs.get(), text);
      const size_t before = receive.completions.size();
      ASSERT_TRUE(turn_until(*loop, [&] { return receive.completions.size() > before; }));
      const Completion& completion = receive.completions.back();
      ASSERT_TRUE(completion.has_buffer);
      ASSERT_EQ(as_text({buffers.memory(completion.buffer), static_cast<size_t>(completion.result)}), text);
      if (i % 2 == 0) receive.release_buffers(*loop);
    }
    receive.release_buffers(*loop);
  };
  hear_all(kBuffers);
  loop->tidy();
  loop->tidy();
  EXPECT_EQ(buffers.count(), limits::receive_buffers_min);
  hear_all(kBuffers);

  // Those that are left, to the last; then there are none.
  std::vector<TcpPair> pairs(limits::receive_buffers_min + 1);
  std::deque<RecordedOp> receives(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    loop->receive(receives[i].op, pairs[i].ours.get());
    say(pairs[i].theirs.get(), "x");
  }
  ASSERT_TRUE(turn_until(*loop, [&] {
    return std::ranges::all_of(receives, [](const RecordedOp& each) { return !each.completions.empty(); });
  }));
  EXPECT_EQ(std::ranges::count_if(receives, [](const RecordedOp& each) { return each.completions[0].result == 1; }),
            limits::receive_buffers_min);
  EXPECT_EQ(
      std::ranges::count_if(receives, [](const RecordedOp& each) { return each.completions[0].result == -ENOBUFS; }),
      1);
  ASSERT_TRUE(buffers.grow());
  hear_all(kBuffers);
  const auto end = [&](RecordedOp& each) {
    if (!each.is_idle()) loop->cancel(each.op);
    EXPECT_TRUE(turn_until(*loop, [&] { return each.is_idle(); }));
    each.release_buffers(*loop);
  };
  std::ranges::for_each(receives, end);
  end(receive);
}

// Whoever waits for buffers gets as many as are free, in the order of coming; the others go on waiting, and
// are not woken in vain. The test holds the buffers in the kernel's place.
TEST(Loop, FeedsWhoWaitsForBuffersInOrderAsSoonAsSomeAreFree) {
  constexpr unsigned kBuffers = 4;
  const auto created = Loop::create({.ring_entries = 8, .completion_entries = 64, .receive_buffers_max = kBuffers});
  ASSERT_TRUE(created.has_value()) << created.error().message;
  Loop& loop = **created;
  ReceiveBuffers& buffers = loop.receive_buffers();
  for (unsigned i = 0; i < kBuffers; ++i) buffers.on_filled();

  std::string fed;
  struct Waiter {
    Waiter(std::string& fed_names, char its_name) : fed(fed_names), name(its_name) {}
    std::string& fed;
    char name;
    Task task{[](void* self) { static_cast<Waiter*>(self)->fed += static_cast<Waiter*>(self)->name; }, this};
  };
  std::deque<Waiter> waiters;
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) loop.wait_for_buffers(waiters.emplace_back(fed, name).task);
  loop.turn(0ms);
  EXPECT_EQ(fed, "") << "all buffers are held, and there can be no more";
  EXPECT_EQ(loop.statistics().buffers_exhausted, 1U);

  const auto before = std::chrono::steady_clock::now();
  buffers.release(0);
  loop.turn(5s);
  EXPECT_EQ(fed, "a");
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s) << "it had waited for something else to happen";
  // "a" fills its buffer.
  buffers.on_filled();
  loop.turn(0ms);
  EXPECT_EQ(fed, "a");

  buffers.release(0);
  buffers.release(1);
  buffers.release(2);
  loop.turn(5s);
  EXPECT_EQ(fed, "abcd");
  loop.turn(5s);
  EXPECT_EQ(fed, "abcde") << "nobody has used what is free";
}

// Trap 10.
TEST(Loop, WhatIsRetiredDiesOnlyAfterTheBatch) {
  struct Victim {
    Op op{[](void* self, const Completion&) { static_cast<Victim*>(self)->was_told = true; }, this};
    Task retire{
        [](void* self) { static_cast<Victim*>(self)->was_told_before_its_end = static_cast<Victim*>(self)->was_told; },
        this};
    bool was_told = false;
    bool was_told_before_its_end = false;
  };
  struct Killer {
    Loop& loop;
    Victim& victim;
    Op op{[](void* self, const Completion&) {
            auto& killer = *static_cast<Killer*>(self);
            killer.loop.retire(killer.victim.retire);
          },
          this};
  };
  const auto loop = small_loop();
  TcpPair pair;
  Victim victim;
  Killer killer{.loop = *loop, .victim = victim};
  loop->poll(killer.op, pair.ours.get(), PollFor::writable);
  loop->poll(victim.op, pair.ours.get(), PollFor::writable);
  ASSERT_TRUE(turn_until(*loop, [&] { return killer.op.is_idle() && victim.op.is_idle(); }));
  EXPECT_TRUE(victim.was_told_before_its_end);
}

// Traps 11 and 12: neither queue loses anything.
TEST(Loop, MoreOperationsThanBothQueuesHoldAllComplete) {
  const auto loop = small_loop(/*completion_entries=*/8);
  TcpPair pair;
  std::deque<RecordedOp> polls(100);
  for (RecordedOp& poll : polls) loop->poll(poll.op, pair.ours.get(), PollFor::writable);
  EXPECT_TRUE(turn_until(
      *loop, [&] { return std::ranges::all_of(polls, [](const RecordedOp& poll) { return poll.is_idle(); }); }));
  for (const RecordedOp& poll : polls) EXPECT_GT(poll.last_result(), 0);
}

// Trap 13.
TEST(Loop, NothingCompletesBetweenTurns) {
  const auto loop = small_loop();
  TcpPair pair;
  RecordedOp receive;
  loop->receive(receive.op, pair.ours.get());
  loop->turn(0ms);
  say(pair.theirs.get(), "hello");
  usleep(20'000);
  EXPECT_TRUE(receive.completions.empty());
  EXPECT_TRUE(turn_until(*loop, [&] { return !receive.completions.empty(); }));
  receive.release_buffers(*loop);
  pair.theirs.reset();
  EXPECT_TRUE(turn_until(*loop, [&] { return receive.is_idle(); }));
}

// Trap 14. Which it is depends on the kernel (6.18 waits): a stream uses neither, it is blocking whenever it
// has a receive in the kernel.
TEST(Loop, ReceivingFromANonBlockingSocketWaitsOrSaysThatItWouldHaveTo) {
  const auto loop = small_loop();
  TcpPair pair;
  RecordedOp receive;
  set_nonblocking(pair.ours.get(), true);
  loop->receive(receive.op, pair.ours.get());
  turn_for(*loop, 10ms);
  if (receive.is_idle()) {
    EXPECT_EQ(receive.last_result(), -EAGAIN);
    set_nonblocking(pair.ours.get(), false);
    loop->receive(receive.op, pair.ours.get());
    turn_for(*loop, 10ms);
  }
  EXPECT_FALSE(receive.is_idle());
  pair.theirs.reset();
  ASSERT_TRUE(turn_until(*loop, [&] { return receive.is_idle(); }));
  EXPECT_EQ(receive.last_result(), 0);
}

TEST(Loop, PollTellsOfReadinessAndOfTheEnd) {
  const auto loop = small_loop();
  TcpPair pair;
  RecordedOp readable;
  RecordedOp writable;
  loop->poll(readable.op, pair.ours.get(), PollFor::readable);
  loop->poll(writable.op, pair.ours.get(), PollFor::writable);
  ASSERT_TRUE(turn_until(*loop, [&] { return writable.is_idle(); }));
  EXPECT_FALSE(readable.is_idle());
  pair.theirs.reset();
  ASSERT_TRUE(turn_until(*loop, [&] { return readable.is_idle(); }));
  EXPECT_GT(readable.last_result(), 0);
}

TEST(Loop, SendsAMessageOfSeveralPieces) {
  const auto loop = small_loop();
  TcpPair pair;
  RecordedOp send;
  std::string first = "hello, ";
  std::string second = "world";
  iovec vectors[] = {{.iov_base = first.data(), .iov_len = first.size()},
                     {.iov_base = second.data(), .iov_len = second.size()}};
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = 2;
  loop->send(send.op, pair.ours.get(), message);
  ASSERT_TRUE(turn_until(*loop, [&] { return send.is_idle(); }));
  EXPECT_EQ(send.last_result(), 12);
  EXPECT_EQ(hear(pair.theirs.get()), "hello, world");
}

TEST(Loop, ConnectsAndTellsOfARefusal) {
  const auto loop = small_loop();
  SocketAddress address;
  test::OwnedFd listener = test::loopback_listener(address);
  for (const int expected : {0, -ECONNREFUSED}) {
    RecordedOp connect;
    const test::OwnedFd fd(open_stream_socket(SocketAddress::Family::ipv4));
    sockaddr_storage storage;
    const unsigned length = to_sockaddr(address, storage);
    loop->connect(connect.op, fd.get(), storage, length);
    ASSERT_TRUE(turn_until(*loop, [&] { return connect.is_idle(); }));
    EXPECT_EQ(connect.last_result(), expected);
    listener.reset();
  }
}

TEST(Loop, AcceptsOneConnectionWhenAskedForOne) {
  const auto loop = small_loop();
  SocketAddress address;
  const test::OwnedFd listener = test::loopback_listener(address);
  const test::OwnedFd first = test::connect_to(address);
  const test::OwnedFd second = test::connect_to(address);
  RecordedOp accept;
  loop->accept(accept.op, listener.get(), AcceptCount::one);
  ASSERT_TRUE(turn_until(*loop, [&] { return accept.is_idle(); }));
  ASSERT_EQ(accept.completions.size(), 1U);
  const test::OwnedFd accepted(accept.completions[0].result);
  EXPECT_GE(accepted.get(), 0);
  EXPECT_EQ(fcntl(accepted.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(accepted.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(Loop, WakesForATimer) {
  const auto loop = small_loop();
  static bool has_fired = false;
  has_fired = false;
  Timer timer([](void*) { has_fired = true; }, nullptr);
  const Instant before = loop->now();
  loop->timers().arm(timer, loop->now() + 20ms);
  loop->turn(5s);
  while (!has_fired && loop->now() - before < 5s) loop->turn(5s);
  EXPECT_TRUE(has_fired);
  EXPECT_GE(loop->now() - before, 20ms);
  EXPECT_LT(loop->now() - before, 4s);
}

// One timeout of the ring serves all of them.
TEST(Loop, WakesForATimerThatIsEarlierThanTheOneItWaitsFor) {
  const auto loop = small_loop();
  Timer late([](void*) { FAIL(); }, nullptr);
  loop->timers().arm(late, loop->now() + 60s);
  loop->turn(1ms);
  for (const Duration delay : {30ms, 10ms, 20ms}) {
    bool has_fired = false;
    Timer early([](void* fired) { *static_cast<bool*>(fired) = true; }, &has_fired);
    const Instant before = loop->now();
    loop->timers().arm(early, before + delay);
    for (int turns = 0; turns < 10 && !has_fired; ++turns) loop->turn(5s);
    EXPECT_TRUE(has_fired);
    EXPECT_GE(loop->now() - before, delay);
    EXPECT_LT(loop->now() - before, 4s);
  }
  late.cancel();
}

TEST(Loop, WorkLeftByWorkWaitsForTheNextTurnAndThatTurnDoesNotWait) {
  struct Repeating {
    Loop& loop;
    unsigned runs = 0;
    Task task{[](void* self) {
                auto& repeating = *static_cast<Repeating*>(self);
                if (++repeating.runs < 3) repeating.loop.run_later(repeating.task);
              },
              this};
  };
  const auto loop = small_loop();
  Repeating work{.loop = *loop};
  loop->run_later(work.task);
  const auto before = std::chrono::steady_clock::now();
  for (unsigned turn = 1; turn <= 3; ++turn) {
    loop->turn(5s);
    EXPECT_EQ(work.runs, turn);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s);
}

// Trap 19.
TEST(LoopDeathTest, ArmingAnOpTwiceIsAnErrorOfTheProgram) {
  const auto loop = small_loop();
  TcpPair pair;
  RecordedOp receive;
  loop->receive(receive.op, pair.ours.get());
  EXPECT_DEATH(loop->receive(receive.op, pair.ours.get()), "CHECK");
  loop->cancel(receive.op);
  EXPECT_TRUE(turn_until(*loop, [&] { return receive.is_idle(); }));
}

// Trap 1: an op must not die while the kernel may write through it.
TEST(LoopDeathTest, AnOpThatDiesInTheKernelIsAnErrorOfTheProgram) {
  const auto loop = small_loop();
  TcpPair pair;
  EXPECT_DEATH(
      {
        RecordedOp receive;
        loop->receive(receive.op, pair.ours.get());
      },
      "CHECK");
}

}  // namespace
}  // namespace sluice::io
