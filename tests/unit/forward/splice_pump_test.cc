#include "forward/splice_pump.h"

#include "base/limits.h"
#include "stream_pair.h"

#include <cerrno>
#include <limits>
#include <optional>

namespace sluice::forward {
namespace {

using test::StreamPair;
using namespace std::chrono_literals;

constexpr uint64_t kUnbounded = std::numeric_limits<uint64_t>::max();

std::string some_text(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

// A pair whose streams are quiet, with a pump that has started.
class Splicing {
 public:
  explicit Splicing(uint64_t bytes_max, uint64_t seed = 1, const sim::Weather& weather = {}) : pair(seed, weather) {
    pair.source().stream().request_splice_mode();
    pair.sink().stream().request_splice_mode();
    EXPECT_TRUE(pair.turn_until([&] { return SplicePump::is_ready(pair.source().stream(), pair.sink().stream()); }));
    pump.emplace(pipes, pair.source().stream(), pair.sink().stream(), bytes_max);
    EXPECT_TRUE(pump->start());
  }
  ~Splicing() {
    pump.reset();
    if (pair.source().stream().in_splice_mode()) pair.source().stream().leave_splice_mode();
    if (pair.sink().stream().in_splice_mode()) pair.sink().stream().leave_splice_mode();
  }

  SpliceStatus advance_until_over(SplicePump::WatchSink watch = SplicePump::WatchSink::no) {
    SpliceStatus status = SpliceStatus::waiting;
    EXPECT_TRUE(pair.turn_until([&] {
      status = pump->advance(watch);
      return status != SpliceStatus::waiting && status != SpliceStatus::yield;
    }));
    return status;
  }

  StreamPair pair;
  io::PipePool pipes;
  std::optional<SplicePump> pump;
};

TEST(SplicePump, MovesExactlyItsBudgetAndLeavesWhatFollows) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Splicing splicing(100'000, seed);
    const std::string text = some_text(100'016);
    splicing.pair.say(text);
    EXPECT_EQ(splicing.advance_until_over(), SpliceStatus::done) << "seed " << seed;
    EXPECT_EQ(splicing.pump->bytes_taken(), 100'000U);
    splicing.pump.reset();
    splicing.pair.source().stream().leave_splice_mode();
    splicing.pair.sink().stream().leave_splice_mode();
    EXPECT_TRUE(splicing.pair.turn_until([&] {
      return splicing.pair.heard().size() == 100'000 && splicing.pair.source().stream().receive_queue().size() == 16;
    })) << "seed "
        << seed;
    EXPECT_TRUE(splicing.pair.heard() == text.substr(0, 100'000)) << "seed " << seed;
  }
}

TEST(SplicePump, TellsTheEndOfItsSourceOnceEverythingIsWritten) {
  Splicing splicing(kUnbounded);
  splicing.pair.say(some_text(50'000));
  splicing.pair.finish();
  EXPECT_EQ(splicing.advance_until_over(), SpliceStatus::source_ended);
  EXPECT_TRUE(splicing.pair.turn_until([&] { return splicing.pair.heard().size() == 50'000; }));
  EXPECT_EQ(splicing.pair.source().stream().receive_error(), 0);
}

TEST(SplicePump, TellsABrokenSourceAndABrokenSink) {
  {
    Splicing splicing(kUnbounded);
    splicing.pair.source_peer().reset();
    EXPECT_EQ(splicing.advance_until_over(), SpliceStatus::source_failed);
    EXPECT_EQ(splicing.pair.source().stream().receive_error(), ECONNRESET);
  }
  Splicing splicing(kUnbounded);
  splicing.pair.sink_peer().reset();
  splicing.pair.say(some_text(50'000));
  EXPECT_EQ(splicing.advance_until_over(), SpliceStatus::sink_failed);
  EXPECT_NE(splicing.pair.sink().stream().send_error(), 0);
}

// An early response, or a client that leaves, must not wait for the end of the body.
TEST(SplicePump, IsInterruptedWhenTheSinkHasSomethingToSay) {
  Splicing splicing(kUnbounded);
  splicing.pair.is_listening = false;  // the pipe fills
  const std::string text = some_text(500'000);
  splicing.pair.say(text);
  for (int i = 0; i < 200; ++i) {
    splicing.pair.turn_until([&, is_second = false]() mutable { return std::exchange(is_second, true); });
    ASSERT_NE(splicing.pump->advance(SplicePump::WatchSink::yes), SpliceStatus::done);
  }
  splicing.pair.sink_peer().write(as_bytes("early"));
  EXPECT_EQ(splicing.advance_until_over(SplicePump::WatchSink::yes), SpliceStatus::interrupted);

  // What had been taken from the source arrives all the same, in front of what is copied from then on.
  const uint64_t taken = splicing.pump->bytes_taken();
  splicing.pump.reset();
  splicing.pair.source().stream().leave_splice_mode();
  splicing.pair.sink().stream().leave_splice_mode();
  splicing.pair.is_listening = true;
  EXPECT_TRUE(splicing.pair.turn_until([&] { return splicing.pair.heard().size() == taken; }));
  EXPECT_TRUE(splicing.pair.heard() == text.substr(0, taken));
}

// One client's bytes must never come out of another's pipe.
TEST(SplicePump, AnUnfinishedPumpDoesNotGiveItsPipeBack) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    sim::Weather weather;
    weather.socket_buffer_max = 1000;
    Splicing splicing(kUnbounded, seed, weather);
    splicing.pair.is_listening = false;
    splicing.pair.say(std::string(10'000, 's'));
    for (int i = 0; i < 50; ++i) {
      splicing.pair.turn_until([&, is_second = false]() mutable { return std::exchange(is_second, true); });
      static_cast<void>(splicing.pump->advance(SplicePump::WatchSink::no));
    }
    splicing.pump.reset();
    const io::Pipe next = splicing.pipes.take();
    std::array<std::byte, 16> room;
    EXPECT_EQ(io::read_pipe(next, room), -EAGAIN) << "seed " << seed;
    splicing.pipes.give(next, true);
  }
}

TEST(SplicePump, CannotStartWithoutDescriptors) {
  StreamPair pair;
  pair.source().stream().request_splice_mode();
  pair.sink().stream().request_splice_mode();
  ASSERT_TRUE(pair.turn_until([&] { return SplicePump::is_ready(pair.source().stream(), pair.sink().stream()); }));
  io::PipePool pipes;
  pair.set_descriptors_out(1000);
  SplicePump pump(pipes, pair.source().stream(), pair.sink().stream(), kUnbounded);
  EXPECT_FALSE(pump.start());
  EXPECT_FALSE(pair.source().stream().in_splice_mode()) << "nothing has changed: copying goes on";
  pair.set_descriptors_out(0);
  pair.source().stream().leave_splice_mode();
  pair.sink().stream().leave_splice_mode();
}

}  // namespace
}  // namespace sluice::forward
