// One exchange after the other, from both of its ends, in the simulated world.
#include "proxy/exchange.h"

#include "dialogue.h"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using sim::Dialogue;
using sim::Speaker;
using namespace std::chrono_literals;

const std::string get = "GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n";

std::string post(size_t length) {
  return "POST /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}
std::string ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

bool ends_with_body(const std::string& message, std::string_view body) {
  return message.ends_with("\r\n\r\n" + std::string(body));
}

TEST(Exchange, CarriesARequestAndItsResponse) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say(post(5) + "hello");
  dialogue.settle();
  ASSERT_EQ(dialogue.upstream_count(), 1U);
  EXPECT_TRUE(dialogue.upstream().heard().starts_with("POST /a HTTP/1.1\r\n")) << dialogue.upstream().heard();
  EXPECT_TRUE(ends_with_body(dialogue.upstream().heard(), "hello")) << dialogue.upstream().heard();
  dialogue.upstream().say(ok("world"));
  dialogue.settle();
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 200 OK\r\n")) << client.heard();
  EXPECT_TRUE(ends_with_body(client.heard(), "world")) << client.heard();
  EXPECT_FALSE(client.has_ended());
}

TEST(Exchange, UsesTheUpstreamsConnectionAgain) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  for (int i = 0; i < 3; ++i) {
    client.say(get);
    dialogue.settle();
    dialogue.upstream().say(ok("x"));
    dialogue.settle();
  }
  EXPECT_EQ(dialogue.upstream_count(), 1U);
  EXPECT_EQ(dialogue.gateway().services().upstreams.reuse_count, 2U);
}

TEST(Exchange, AnswersPipelinedRequestsInTheirOrder) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
  dialogue.settle();
  EXPECT_EQ(dialogue.upstream().take_heard().find("/2"), std::string::npos) << "one request at a time";
  dialogue.upstream().say(ok("first"));
  dialogue.settle();
  EXPECT_TRUE(dialogue.upstream().heard().starts_with("GET /2 "));
  dialogue.upstream().say(ok("second"));
  dialogue.settle();
  EXPECT_LT(client.heard().find("first"), client.heard().find("second"));
}

TEST(Exchange, AsksForTheBodyThatTheClientHoldsBack) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  dialogue.settle();
  EXPECT_EQ(client.heard(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.say("hello");
  dialogue.settle();
  EXPECT_TRUE(ends_with_body(dialogue.upstream().heard(), "hello"));
  dialogue.upstream().say(ok(""));
  dialogue.settle();
}

// A pooled connection may end just as it is taken; only a request that cannot have been acted upon, or may
// be acted upon twice, is sent again.
TEST(Exchange, RepeatsAGetOnANewConnectionWhenThePooledOneWasStale) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say(get);
  dialogue.settle();
  dialogue.upstream().say(ok("x"));
  dialogue.settle();
  static_cast<void>(dialogue.upstream().take_heard());
  client.say(get);
  ASSERT_TRUE(dialogue.until([&] { return !dialogue.upstream().heard().empty(); }));
  dialogue.upstream().close();
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 2; }));
  dialogue.settle();
  dialogue.upstream(1).say(ok("again"));
  dialogue.settle();
  EXPECT_TRUE(ends_with_body(client.heard(), "again"));
  EXPECT_EQ(dialogue.gateway().counters().upstream_retries.value(), 1U);
}

// The upstream's close was seen before the completion of the send that had carried the request: "nothing
// was sent yet", and a POST was executed twice.
TEST(Exchange, NeverRepeatsAPostThatMayHaveArrived) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Dialogue dialogue(seed, sim::rough_weather());
    Speaker& client = dialogue.connect();
    client.say(get);
    ASSERT_TRUE(dialogue.until(
        [&] { return dialogue.upstream_count() == 1 && dialogue.upstream().heard().ends_with("\r\n\r\n"); }));
    dialogue.upstream().say(ok("x"));
    ASSERT_TRUE(dialogue.until([&] { return client.heard().ends_with("x"); }));
    static_cast<void>(dialogue.upstream().take_heard());
    static_cast<void>(client.take_heard());
    client.say(post(0));
    const bool is_closed_early = seed % 2 == 0;
    ASSERT_TRUE(dialogue.until([&] { return is_closed_early || dialogue.upstream().heard().ends_with("\r\n\r\n"); }));
    dialogue.upstream().close();
    ASSERT_TRUE(dialogue.until([&] { return !client.heard().empty() || dialogue.upstream_count() == 2; }));
    const size_t connections_max = is_closed_early ? 2 : 1;
    EXPECT_LE(dialogue.upstream_count(), connections_max) << "seed " << seed << ": sent again";
  }
}

// --- truncation ------------------------------------------------------------------------------------

TEST(Exchange, ResetsTheClientWhenTheResponseIsCutShort) {
  for (const std::string_view framing : {"Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"}) {
    Dialogue dialogue;
    Speaker& client = dialogue.connect();
    client.say(get);
    dialogue.settle();
    dialogue.upstream().say("HTTP/1.1 200 OK\r\n" + std::string(framing) + "\r\n5\r\nhello\r\n");
    dialogue.settle();
    dialogue.upstream().close();
    ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
    EXPECT_FALSE(client.has_ended_in_order());
  }
}

// An HTTP/1.0 client knows the end of such a body by the end of the connection alone. A shard that stopped
// ended it in order, half way.
TEST(Exchange, AShardThatStopsDoesNotPassHalfABodyForAWholeOne) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say("GET /a HTTP/1.0\r\n\r\n");
  dialogue.settle();
  dialogue.upstream().say("HTTP/1.1 200 OK\r\n\r\nthe first half");
  dialogue.settle();
  ASSERT_TRUE(ends_with_body(client.heard(), "the first half"));
  dialogue.gateway().end();
  dialogue.world().advance_to(dialogue.world().now() + 1s);
  client.listen();
  EXPECT_TRUE(client.has_ended());
  EXPECT_FALSE(client.has_ended_in_order());
}

// --- splicing --------------------------------------------------------------------------------------

// Everything, and the end, was in the socket when splicing began: it was over at once, and nobody went on.
TEST(Exchange, GoesOnWhenSplicingIsOverAsSoonAsItHasBegun) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    for (const bool is_until_close : {false, true}) {
      Dialogue dialogue(seed, seed % 2 == 0 ? sim::fine_weather() : sim::rough_weather());
      Speaker& client = dialogue.connect();
      client.say(is_until_close ? "GET /a HTTP/1.0\r\n\r\n" : get);
      ASSERT_TRUE(dialogue.until(
          [&] { return dialogue.upstream_count() == 1 && dialogue.upstream().heard().ends_with("\r\n\r\n"); }));
      const std::string body(limits::splice_threshold_bytes + 100 * seed, 'b');
      if (is_until_close) {
        dialogue.upstream().say("HTTP/1.1 200 OK\r\n\r\n");
        dialogue.settle(5ms);
        dialogue.upstream().say(body.substr(0, 500 * (seed % 4)));
        dialogue.upstream().finish();
        ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); })) << "seed " << seed;
        EXPECT_TRUE(client.has_ended_in_order());
      } else {
        dialogue.upstream().say(ok(body));
        ASSERT_TRUE(dialogue.until([&] { return client.heard().ends_with(body); })) << "seed " << seed;
      }
    }
  }
}

// Both streams were asked to become quiet, and copying moved the whole body meanwhile. The next request was
// waiting behind it, so the source was never "empty", and splicing never began: it was waited for for ever.
TEST(Exchange, GoesOnWhenCopyingHasOvertakenSplicing) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Dialogue dialogue(seed, sim::rough_weather());
    Speaker& client = dialogue.connect();
    const std::string body(limits::splice_threshold_bytes + 10 * seed, 'b');
    client.say(post(body.size()) + body + get);
    ASSERT_TRUE(dialogue.until([&] {
      return dialogue.upstream_count() == 1 && dialogue.upstream().heard().ends_with(body);
    })) << "seed "
        << seed;
    static_cast<void>(dialogue.upstream().take_heard());
    dialogue.upstream().say(ok("first"));
    // Perhaps on a new connection: the old one's last send may not have completed yet.
    const auto newest = [&]() -> Speaker& { return dialogue.upstream(dialogue.upstream_count() - 1); };
    ASSERT_TRUE(dialogue.until([&] { return newest().heard().ends_with("\r\n\r\n"); })) << "seed " << seed;
    newest().say(ok("second"));
    ASSERT_TRUE(dialogue.until([&] { return client.heard().ends_with("second"); })) << "seed " << seed;
  }
}

TEST(Exchange, SplicesALongBodyAndCopiesAShortOne) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  for (const size_t size : {size_t{1000}, 4 * limits::splice_threshold_bytes}) {
    client.say(get);
    dialogue.settle();
    const std::string body(size, 'b');
    dialogue.upstream().say(ok(body));
    ASSERT_TRUE(dialogue.until([&] { return client.heard().ends_with(body); }));
    static_cast<void>(client.take_heard());
    const uint64_t spliced = dialogue.gateway().counters().spliced_bytes.value();
    EXPECT_EQ(spliced > size / 4, size > limits::splice_threshold_bytes);
  }
}

// --- time ------------------------------------------------------------------------------------------

TEST(Exchange, GivesUpAnUpstreamThatCannotBeReached) {
  Dialogue dialogue;
  dialogue.connect_error = ECONNREFUSED;
  Speaker& client = dialogue.connect();
  client.say(get);
  ASSERT_TRUE(dialogue.until([&] { return !client.heard().empty(); }));
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 503 ")) << client.heard();
  EXPECT_EQ(dialogue.gateway().services().upstreams.connect_failure_count, limits::connect_attempts_max);
}

TEST(Exchange, GivesUpAnUpstreamThatNeverAnswersTheConnect) {
  Dialogue dialogue;
  dialogue.connect_delay = -1s;
  Speaker& client = dialogue.connect();
  client.say(get);
  const Instant begin = dialogue.world().now();
  ASSERT_TRUE(dialogue.until([&] { return !client.heard().empty(); }));
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 503 ")) << client.heard();
  EXPECT_LE(dialogue.world().now() - begin, 3s * (limits::connect_attempts_max + 1)) << "the cluster's connect timeout";
}

TEST(Exchange, CutsOffAClientWhoseBodyStandsStill) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say(post(1000) + "only this");
  const Instant begin = dialogue.world().now();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
  EXPECT_LE(dialogue.world().now() - begin, 2 * limits::body_progress_timeout + 1s);
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream().has_ended(); }));
}

TEST(Exchange, LeavesItsUpstreamWhenTheClientHasGone) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say(get);
  dialogue.settle();
  client.close();
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream().has_ended(); }));
}

}  // namespace
}  // namespace sluice::proxy
