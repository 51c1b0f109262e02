#include "proxy/tunnel.h"

#include "dialogue.h"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using sim::Dialogue;
using sim::Speaker;
using namespace std::chrono_literals;

// A dialogue whose client and upstream have switched protocols.
class Switched {
 public:
  explicit Switched(uint64_t seed = 1, const sim::Weather& weather = sim::fine_weather())
      : dialogue(seed, weather), client(dialogue.connect()) {
    client.say("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: sim\r\n\r\n");
    EXPECT_TRUE(
        dialogue.until([&] { return dialogue.upstream_count() == 1 && upstream().heard().ends_with("\r\n\r\n"); }));
    upstream().say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: sim\r\n\r\n");
    EXPECT_TRUE(dialogue.until([&] { return client.heard().ends_with("\r\n\r\n"); }));
    EXPECT_TRUE(client.take_heard().starts_with("HTTP/1.1 101 "));
    static_cast<void>(upstream().take_heard());
  }
  Speaker& upstream() { return dialogue.upstream(); }

  Dialogue dialogue;
  Speaker& client;
};

TEST(Tunnel, CarriesBytesBothWays) {
  Switched switched;
  switched.client.say("ping");
  switched.upstream().say("pong");
  switched.dialogue.settle();
  EXPECT_EQ(switched.upstream().heard(), "ping");
  EXPECT_EQ(switched.client.heard(), "pong");
  EXPECT_EQ(switched.dialogue.gateway().counters().tunnels_active.value(), 1U);
}

TEST(Tunnel, PassesOnTheEndOfEachDirectionOnItsOwn) {
  Switched switched;
  switched.client.say("last words");
  switched.client.finish();
  ASSERT_TRUE(switched.dialogue.until([&] { return switched.upstream().has_ended_in_order(); }));
  EXPECT_EQ(switched.upstream().heard(), "last words");
  switched.dialogue.settle();
  EXPECT_FALSE(switched.client.has_ended());
  switched.upstream().say("still here");
  switched.upstream().finish();
  ASSERT_TRUE(switched.dialogue.until([&] { return switched.client.has_ended_in_order(); }));
  EXPECT_EQ(switched.client.heard(), "still here");
}

TEST(Tunnel, SplicesWhenMuchIsMoving) {
  Switched switched;
  const std::string much(1 << 20, 'x');
  switched.client.say(much);
  ASSERT_TRUE(switched.dialogue.until([&] { return switched.upstream().heard().size() == much.size(); }));
  EXPECT_TRUE(switched.upstream().heard() == much);
  EXPECT_GT(switched.dialogue.gateway().counters().spliced_bytes.value(), much.size() / 2);
}

// The change to splicing stops reading on both sides. An upstream that reads only when what it wrote was read
// then waited for us, and we for it to take the last copied bytes: until the tunnel's idle time was over.
TEST(Tunnel, CarriesOnWhenAnEchoBlocksTheChangeToSplicing) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    sim::Weather weather = seed % 2 == 0 ? sim::fine_weather() : sim::rough_weather();
    weather.socket_buffer_max = 3000;
    Switched switched(seed, weather);
    const Instant started = switched.dialogue.world().now();
    const std::string much(500'000, 'e');
    switched.client.say(much);
    ASSERT_TRUE(switched.dialogue.until([&] {
      Speaker& echo = switched.upstream();
      echo.say(echo.take_heard());
      echo.is_interrupted() ? echo.stop_listening() : echo.resume_listening();
      return switched.client.heard().size() == much.size();
    })) << "seed "
        << seed;
    EXPECT_LT(switched.dialogue.world().now() - started, 10min) << "seed " << seed;
  }
}

// Both ends had been seen, so the tunnel was over, and what the upstream had not taken yet was dropped.
TEST(Tunnel, IsOverOnlyWhenTheLastBytesHaveGone) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    sim::Weather weather = seed % 2 == 0 ? sim::fine_weather() : sim::rough_weather();
    weather.socket_buffer_max = 3000;  // much is under way, little arrives
    Switched switched(seed, weather);
    switched.upstream().finish();
    const std::string words(20'000 + 1000 * seed, 'w');
    switched.client.say(words);
    switched.client.finish();
    ASSERT_TRUE(switched.dialogue.until([&] { return switched.upstream().has_ended(); })) << "seed " << seed;
    EXPECT_TRUE(switched.upstream().has_ended_in_order()) << "seed " << seed;
    EXPECT_EQ(switched.upstream().heard().size(), words.size()) << "seed " << seed;
  }
}

// Nothing but the way in which the connection ends tells the upstream that bytes are missing.
TEST(Tunnel, PassesOnAResetAsAReset) {
  for (const bool is_client_gone : {true, false}) {
    Switched switched;
    Speaker& gone = is_client_gone ? switched.client : switched.upstream();
    Speaker& left = is_client_gone ? switched.upstream() : switched.client;
    gone.say("half a mess");
    switched.dialogue.settle();
    gone.reset();
    ASSERT_TRUE(switched.dialogue.until([&] { return left.has_ended(); }));
    EXPECT_FALSE(left.has_ended_in_order());
    EXPECT_EQ(left.heard(), "half a mess");
  }
}

TEST(Tunnel, EndsWhenNothingMovesForLong) {
  Switched switched;
  const Instant begin = switched.dialogue.world().now();
  while (!switched.client.has_ended() && switched.dialogue.world().now() - begin < 3 * limits::tunnel_idle_timeout)
    switched.dialogue.settle(60s);
  EXPECT_TRUE(switched.client.has_ended());
  EXPECT_GE(switched.dialogue.world().now() - begin, limits::tunnel_idle_timeout - 2min);
}

}  // namespace
}  // namespace sluice::proxy
