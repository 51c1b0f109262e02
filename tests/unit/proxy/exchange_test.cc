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

// A client that has had its first answer, whose upstream connection rests in the pool.
Speaker& connect_with_a_pooled_upstream(Dialogue& dialogue) {
  Speaker& client = dialogue.connect();
  client.say(get);
  dialogue.settle();
  dialogue.upstream().say(ok("x"));
  dialogue.settle();
  EXPECT_TRUE(ends_with_body(client.take_heard(), "x"));
  static_cast<void>(dialogue.upstream().take_heard());
  return client;
}

// A pooled connection may end just as it is taken; only a request that cannot have been acted upon, or may
// be acted upon twice, is sent again.
TEST(Exchange, RepeatsAGetOnANewConnectionWhenThePooledOneWasStale) {
  Dialogue dialogue;
  Speaker& client = connect_with_a_pooled_upstream(dialogue);
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

// The repetition of a PUT with an empty chunked body went without the mark of its end, and its upstream waited
// for that until the client gave up. A body that has been passed on cannot be said again.
TEST(Exchange, RepeatsNoRequestWhoseBodyHasGone) {
  Dialogue dialogue;
  Speaker& client = connect_with_a_pooled_upstream(dialogue);
  client.say("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream().heard().ends_with("0\r\n\r\n"); }));
  dialogue.upstream().close();
  ASSERT_TRUE(dialogue.until([&] { return client.heard().starts_with("HTTP/1.1 503 "); }));
  EXPECT_EQ(dialogue.upstream_count(), 1U);
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

// The change to splicing stopped reading the upstream too, which had refused the upload and read no more of it:
// neither side went on until the client was cut off, without its answer.
TEST(Exchange, HearsAnEarlyAnswerWhileAnUploadIsAboutToBeSpliced) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    sim::Weather weather = seed % 2 == 0 ? sim::fine_weather() : sim::rough_weather();
    weather.socket_buffer_max = 3000;
    Dialogue dialogue(seed, weather);
    Speaker& client = dialogue.connect();
    client.say(post(1'000'000) + std::string(1'000'000, 'u'));
    ASSERT_TRUE(dialogue.until([&] {
      return dialogue.upstream_count() == 1 && dialogue.upstream().heard().find("\r\n\r\n") != std::string::npos;
    })) << "seed "
        << seed;
    dialogue.upstream().stop_listening();
    dialogue.settle(1ms * (seed % 8));
    dialogue.upstream().say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    ASSERT_TRUE(dialogue.until([&] { return client.heard().ends_with("\r\n\r\n") || client.has_ended(); }))
        << "seed " << seed;
    EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 413 ")) << "seed " << seed << ": " << client.heard();
  }
}

// Uploads whose upstreams do not read held all receive buffers of the shard, and nobody else was heard.
TEST(Exchange, HearsOthersWhileUploadsThatNobodyTakesHoldAllReceiveBuffers) {
  Dialogue dialogue(1, sim::fine_weather(), {.receive_buffers_max = 8});
  for (size_t i = 0; i < 10; ++i) {
    Speaker& uploader = dialogue.connect();
    uploader.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n" +
                 std::string(0xfffff, 'u'));
    ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == i + 1; }));
    dialogue.upstream(i).stop_listening();
  }
  dialogue.settle(2s);
  EXPECT_TRUE(dialogue.gateway().loop().receive_buffers().are_scarce());
  const Instant started = dialogue.world().now();
  Speaker& client = dialogue.connect();
  client.say(get);
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 11; }));
  dialogue.upstream(10).say(ok(std::string(200'000, 'd')));
  ASSERT_TRUE(dialogue.until([&] { return client.heard().ends_with("dd") && client.heard().size() > 200'000; }));
  EXPECT_LT(dialogue.world().now() - started, 10s);
}

// The upstream was not read any more while its answer was about to be spliced; so it read no more either, and
// what waited to be sent to it kept the change to splicing waiting.
TEST(Exchange, CarriesOnWhenAnEchoBlocksTheChangeToSplicing) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    sim::Weather weather = seed % 2 == 0 ? sim::fine_weather() : sim::rough_weather();
    weather.socket_buffer_max = 3000;
    Dialogue dialogue(seed, weather);
    Speaker& client = dialogue.connect();
    const Instant started = dialogue.world().now();
    client.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7a120\r\n" + std::string(500'000, 'e') +
               "\r\n0\r\n\r\n");
    ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1; })) << "seed " << seed;
    Speaker& echo = dialogue.upstream();
    echo.say("HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n");
    size_t said = 0;
    ASSERT_TRUE(dialogue.until([&] {
      const size_t count = std::min<size_t>(echo.take_heard().size(), 500'000 - said);
      echo.say(std::string(count, 'e'));
      said += count;
      echo.is_interrupted() ? echo.stop_listening() : echo.resume_listening();
      return client.heard().size() > 500'000;
    })) << "seed "
        << seed << ": " << client.heard().size();
    EXPECT_LT(dialogue.world().now() - started, 30s) << "seed " << seed;
  }
}

// The client was taken for the one that does not send, while it was the upstream that did not take.
TEST(Exchange, LetsAnUpstreamAnswerThatReadsNoMoreOfTheRequest) {
  sim::Weather weather = sim::fine_weather();
  weather.socket_buffer_max = 3000;
  Dialogue dialogue(1, weather);
  Speaker& client = dialogue.connect();
  client.say(post(300'000) + std::string(300'000, 'u'));  // more than waits to be sent
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1; }));
  dialogue.upstream().stop_listening();
  dialogue.upstream().say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
  dialogue.settle(3 * limits::body_progress_timeout);
  dialogue.upstream().say("later");
  ASSERT_TRUE(dialogue.until([&] { return client.heard().ends_with("firstlater") || client.has_ended(); }));
  EXPECT_TRUE(client.heard().ends_with("firstlater")) << client.heard();
}

// What it took came out of a socket buffer of 64 KiB, which let nothing new in for longer than the timeout.
TEST(Exchange, LetsAClientTakeItsAnswerSlowly) {
  sim::Weather weather = sim::fine_weather();
  weather.socket_buffer_max = 256 * 1024;
  for (const size_t size : {size_t{60'000}, size_t{2'000'000}}) {  // copied, spliced
    Dialogue dialogue(1, weather);
    Speaker& client = dialogue.connect();
    client.stop_listening();
    client.say(get);
    ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
    dialogue.upstream().say(ok(std::string(size, 'a')));
    for (int i = 0; i < 20; ++i) {
      dialogue.settle(30s);
      client.hear_some(500);
      ASSERT_FALSE(client.was_reset()) << i;
    }
    client.resume_listening();
    ASSERT_TRUE(dialogue.until([&] { return client.heard().size() > size; }));
  }
}

// It was kept for the time that an idle connection may rest.
TEST(Exchange, CutsOffAClientThatAsksOnceAndNeverReads) {
  sim::Weather weather = sim::fine_weather();
  weather.socket_buffer_max = 3000;
  Dialogue dialogue(1, weather);
  Speaker& client = dialogue.connect();
  client.stop_listening();
  client.say(get);
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  const Instant begin = dialogue.world().now();
  dialogue.upstream().say(ok(std::string(20'000, 'a')));
  ASSERT_TRUE(dialogue.until([&] { return client.was_reset(); }));
  EXPECT_LE(dialogue.world().now() - begin, 3 * limits::client_write_timeout + 1s);
}

// Its answers fill its socket and our send queue; then its further requests wait, and after a while it is cut off.
TEST(Exchange, CutsOffAClientThatAsksAndNeverReads) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.stop_listening();
  std::string requests;
  for (int i = 0; i < 5000; ++i) requests += "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  const Instant started = dialogue.world().now();
  client.say(requests);
  ASSERT_TRUE(dialogue.until([&] {
    if (dialogue.upstream_count() > 0 && dialogue.upstream().take_heard().ends_with("0\r\n\r\n"))
      dialogue.upstream().say(ok(""));
    return client.was_reset();
  }));
  EXPECT_TRUE(client.is_interrupted()) << "all requests were read, although no answer was";
  EXPECT_LT(dialogue.world().now() - started, 10min);
}

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

// RFC 9110 8.6: a server MUST NOT send content-length in a 204, to HEAD either.
TEST(Exchange, TellsNoLengthOfA204AlsoWhenAskedByHead) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(dialogue.until(
      [&] { return dialogue.upstream_count() == 1 && dialogue.upstream().heard().ends_with("\r\n\r\n"); }));
  dialogue.upstream().say("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n");
  ASSERT_TRUE(dialogue.until([&] { return client.heard().ends_with("\r\n\r\n"); }));
  EXPECT_EQ(client.heard().find("content-length"), std::string::npos) << client.heard();
}

// It is not read while its bytes wait, so neither side's going away would be seen.
TEST(Exchange, GivesUpAnUpstreamThatDoesNotTakeTheBody) {
  for (const size_t size : {size_t{50'000}, size_t{1'000'000}}) {  // copied, spliced
    sim::Weather weather = sim::fine_weather();
    weather.socket_buffer_max = 3000;
    Dialogue dialogue(1, weather);
    Speaker& client = dialogue.connect();
    client.say(post(size) + std::string(size, 'u'));
    ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1; }));
    dialogue.upstream().stop_listening();
    const Instant begin = dialogue.world().now();
    ASSERT_TRUE(dialogue.until([&] { return !client.heard().empty(); }));
    EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 504 ")) << client.heard();
    EXPECT_LE(dialogue.world().now() - begin, 3 * limits::body_progress_timeout + 1s);
  }
}

TEST(Exchange, LetsAnUpstreamTakeTheBodySlowly) {
  sim::Weather weather = sim::fine_weather();
  weather.socket_buffer_max = 3000;
  Dialogue dialogue(1, weather);
  Speaker& client = dialogue.connect();
  client.say(post(100'000) + std::string(100'000, 'u'));
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1; }));
  size_t taken = 0;
  while (taken < 100'000) {  // a little every 50 s
    dialogue.upstream().stop_listening();
    dialogue.settle(50s);
    dialogue.upstream().resume_listening();
    dialogue.settle(2ms);
    ASSERT_TRUE(client.heard().empty()) << client.heard();
    taken = dialogue.upstream().heard().size();
  }
  dialogue.upstream().say(ok(""));
  ASSERT_TRUE(dialogue.until([&] { return client.heard().starts_with("HTTP/1.1 200 "); }));
}

TEST(Exchange, DoesNotTakeAStrayEmptyLineForARequest) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say(get);
  dialogue.settle();
  dialogue.upstream().say(ok("x"));
  dialogue.settle();
  client.say("\r\n");
  dialogue.settle();
  static_cast<void>(client.take_heard());
  dialogue.gateway().drain();
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); })) << "an idle connection ends at once";
  EXPECT_EQ(client.heard(), "");
}

TEST(Exchange, LeavesItsUpstreamWhenTheClientHasGone) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say(get);
  dialogue.settle();
  client.close();
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream().has_ended(); }));
}

// --- What a VirtualService does to fields -----------------------------------------------------------

snapshot::Format text_format(std::string_view text) {
  return {.source = std::string(text), .parts = {{.op = snapshot::Operator::literal, .text = std::string(text)}}};
}

snapshot::Format operator_format(snapshot::Operator op) { return {.source = {}, .parts = {{.op = op}}}; }

std::unique_ptr<snapshot::Snapshot> snapshot_with(snapshot::HeaderOperations of_route,
                                                  snapshot::HeaderOperations of_destination = {}) {
  auto made = sim::one_upstream_snapshot();
  made->header_operations = {std::move(of_destination), std::move(of_route)};
  snapshot::Route& route = made->routes[0];
  route.name = "main";
  route.destinations[0].header_operations = 0;
  route.header_operations = 1;
  return made;
}

TEST(ExchangeHeaderOperations, ChangeARequestFirstForItsDestinationThenForItsRoute) {
  snapshot::HeaderOperations of_route;
  of_route.request.remove = {"x-secret"};
  of_route.request.set = {{"x-both", text_format("route")},
                          {"x-host-before",
                           {.source = {},
                            .parts = {{.op = snapshot::Operator::request_field,
                                       .field = {.kind = snapshot::FieldReference::Kind::authority, .name = {}}}}}}};
  of_route.authority = "Route.test:8080";
  of_route.host = "route.test";
  snapshot::HeaderOperations of_destination;
  of_destination.request.set = {{"x-both", text_format("destination")}, {"x-one", text_format("destination")}};
  of_destination.request.add = {{"x-client", operator_format(snapshot::Operator::downstream_remote_ip)},
                                {"x-cluster", operator_format(snapshot::Operator::upstream_cluster)},
                                {"x-upstream", operator_format(snapshot::Operator::upstream_host)}};
  of_destination.authority = "destination.test";
  of_destination.host = "destination.test";
  Dialogue dialogue(1, sim::fine_weather(), {}, snapshot_with(std::move(of_route), std::move(of_destination)));
  dialogue.connect().say("GET /%61/./b?c HTTP/1.1\r\nHost: x.test\r\nX-Secret: 1\r\nX-Both: client\r\n\r\n");
  dialogue.settle();
  const std::string& heard = dialogue.upstream().heard();
  EXPECT_EQ(heard.find("x-secret"), std::string::npos) << heard;
  EXPECT_NE(heard.find("\r\nx-both: route\r\n"), std::string::npos) << heard;
  EXPECT_NE(heard.find("\r\nx-one: destination\r\n"), std::string::npos) << heard;
  EXPECT_NE(heard.find("\r\nhost: Route.test:8080\r\n"), std::string::npos) << heard;
  EXPECT_NE(heard.find("\r\nx-host-before: destination.test\r\n"), std::string::npos) << heard;
  EXPECT_NE(heard.find("\r\nx-cluster: outbound|8000||one\r\n"), std::string::npos) << heard;
  EXPECT_NE(heard.find("\r\nx-client: "), std::string::npos) << heard;
  EXPECT_EQ(heard.find("x-upstream"), std::string::npos) << "none is chosen yet, as in Envoy";
  dialogue.upstream().say(ok(""));
  dialogue.settle();
}

// A path that is not normal would say one thing to who decides by the field and another to who serves the request.
TEST(ExchangeHeaderOperations, TellThePathAsItIsForwarded) {
  snapshot::HeaderOperations operations;
  operations.request.set = {{"x-path",
                             {.source = {},
                              .parts = {{.op = snapshot::Operator::request_field,
                                         .field = {.kind = snapshot::FieldReference::Kind::path, .name = {}}}}}}};
  Dialogue dialogue(1, sim::fine_weather(), {}, snapshot_with(std::move(operations)));
  dialogue.connect().say("GET http://x.test/public/../%61dmin?c HTTP/1.1\r\nHost: x.test\r\n\r\n");
  dialogue.settle();
  const std::string& heard = dialogue.upstream().heard();
  EXPECT_TRUE(heard.starts_with("GET /admin?c HTTP/1.1\r\n")) << heard;
  EXPECT_NE(heard.find("\r\nx-path: /admin?c\r\n"), std::string::npos) << heard;
  dialogue.upstream().say(ok(""));
  dialogue.settle();
}

TEST(ExchangeHeaderOperations, ChangeAResponse) {
  snapshot::HeaderOperations operations;
  operations.response.remove = {"x-internal"};
  operations.response.set = {{"server", text_format("mine")},
                             {"x-code", operator_format(snapshot::Operator::response_code)}};
  operations.response.add = {{"x-route", operator_format(snapshot::Operator::route_name)}};
  Dialogue dialogue(1, sim::fine_weather(), {}, snapshot_with(std::move(operations)));
  Speaker& client = dialogue.connect();
  client.say(get);
  dialogue.settle();
  dialogue.upstream().say("HTTP/1.1 404 No\r\nContent-Length: 0\r\nX-Internal: 1\r\nServer: other\r\n\r\n");
  dialogue.settle();
  EXPECT_EQ(client.heard().find("x-internal"), std::string::npos) << client.heard();
  EXPECT_NE(client.heard().find("\r\nserver: mine\r\n"), std::string::npos) << client.heard();
  EXPECT_NE(client.heard().find("\r\nx-code: 404\r\n"), std::string::npos) << client.heard();
  EXPECT_NE(client.heard().find("\r\nx-route: main\r\n"), std::string::npos) << client.heard();
}

TEST(ExchangeHeaderOperations, ChangeAnAnswerOfOurOwnOnceARouteIsChosen) {
  snapshot::HeaderOperations operations;
  operations.response.set = {{"strict-transport-security", text_format("max-age=1")}};
  Dialogue dialogue(1, sim::fine_weather(), {}, snapshot_with(std::move(operations)));
  dialogue.connect_error = ECONNREFUSED;
  Speaker& client = dialogue.connect();
  client.say(get);
  ASSERT_TRUE(dialogue.until([&] { return !client.heard().empty(); }));
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 503 ")) << client.heard();
  EXPECT_NE(client.heard().find("\r\nstrict-transport-security: max-age=1\r\n"), std::string::npos) << client.heard();
}

TEST(ExchangeHeaderOperations, RefuseARequestThatTheyMakeTooLarge) {
  snapshot::HeaderOperations operations;
  operations.request.set = {
      {"x-copy",
       {.source = {},
        .parts = {{.op = snapshot::Operator::request_field,
                   .field = {.kind = snapshot::FieldReference::Kind::field, .name = "x-long"}}}}}};
  Dialogue dialogue(1, sim::fine_weather(), {}, snapshot_with(std::move(operations)));
  Speaker& client = dialogue.connect();
  client.say("GET / HTTP/1.1\r\nHost: x.test\r\nX-Long: " + std::string(40'000, 'a') + "\r\n\r\n");
  dialogue.settle();
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 431 ")) << client.heard();
  EXPECT_EQ(dialogue.upstream_count(), 0U);
}

// --- bounds of the destination ---

std::unique_ptr<snapshot::Snapshot> bounded_snapshot(const snapshot::DestinationBounds& bounds) {
  auto made = sim::one_upstream_snapshot();
  made->clusters[0].bounds = bounds;
  made->clusters[0].load = std::make_shared<snapshot::DestinationLoad>();
  return made;
}

TEST(Exchange, RefusesRequestsBeyondTheBoundOfTheDestination) {
  Dialogue dialogue(1, sim::fine_weather(), {}, bounded_snapshot({.requests = 2}));
  Speaker* clients[] = {&dialogue.connect(), &dialogue.connect(), &dialogue.connect()};
  for (Speaker* client : clients) {
    client->say(get);
    dialogue.settle();
  }
  EXPECT_EQ(dialogue.upstream_count(), 2U);
  const std::string refusal = clients[2]->take_heard();
  EXPECT_TRUE(refusal.starts_with("HTTP/1.1 503 ")) << refusal;
  EXPECT_TRUE(refusal.contains("\r\nx-envoy-overloaded: true\r\n")) << refusal;
  EXPECT_TRUE(
      ends_with_body(refusal, "upstream connect error or disconnect/reset before headers. reset reason: overflow"))
      << refusal;
  EXPECT_FALSE(clients[2]->has_ended());
  dialogue.upstream(0).say(ok("first"));
  dialogue.settle();
  clients[2]->say(get);
  dialogue.settle();
  EXPECT_TRUE(clients[2]->heard().empty()) << "there is room again";
  dialogue.upstream(0).say(ok("third"));
  dialogue.settle();
  EXPECT_TRUE(ends_with_body(clients[2]->heard(), "third"));
  clients[1]->close();
  dialogue.settle();
  EXPECT_TRUE(dialogue.upstream(1).has_ended());
  for (Speaker* client : {clients[0], clients[2]}) {
    client->say(get);
    dialogue.settle();
  }
  EXPECT_FALSE(clients[2]->heard().contains("503")) << "what a client leaves is room, too";
}

TEST(Exchange, RefusesRequestsBeyondTheBoundOfThoseThatWaitForAConnection) {
  Dialogue dialogue(1, sim::fine_weather(), {}, bounded_snapshot({.waiting = 1}));
  Speaker* clients[] = {&dialogue.connect(), &dialogue.connect(), &dialogue.connect()};
  dialogue.connect_delay = 500ms;
  clients[0]->say(get);
  dialogue.settle();
  clients[1]->say(get);
  dialogue.settle();
  EXPECT_TRUE(clients[1]->take_heard().starts_with("HTTP/1.1 503 "));
  dialogue.settle(1s);
  ASSERT_EQ(dialogue.upstream_count(), 1U);
  dialogue.upstream(0).say(ok("first"));
  dialogue.settle();
  clients[2]->say(get);
  dialogue.settle();
  clients[1]->say(get);
  dialogue.settle();
  EXPECT_TRUE(clients[1]->heard().empty()) << "one takes the idle connection, the other one waits";
  dialogue.settle(1s);
  EXPECT_EQ(dialogue.upstream_count(), 2U);
  EXPECT_EQ(dialogue.gateway().services().observer.counters.requests_active.value(), 2U);
}

TEST(Exchange, ConnectsThatFailLeaveNothingOfTheBound) {
  Dialogue dialogue(1, sim::fine_weather(), {}, bounded_snapshot({.requests = 1, .waiting = 1}));
  Speaker& client = dialogue.connect();
  dialogue.connect_error = ECONNREFUSED;
  for (int i = 0; i < 3; ++i) {
    client.say(get);
    dialogue.settle(1s);
    EXPECT_TRUE(client.take_heard().contains("connection failure"));
  }
  dialogue.connect_error = 0;
  client.say(get);
  dialogue.settle(1s);
  ASSERT_EQ(dialogue.upstream_count(), 1U);
  EXPECT_TRUE(dialogue.upstream().heard().starts_with("GET /a "));
}

std::string get_of(std::string_view path) { return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x.test\r\n\r\n"; }

TEST(Exchange, WaitsInLineWhereTheDestinationMayHaveNoMoreConnections) {
  Dialogue dialogue(1, sim::fine_weather(), {}, bounded_snapshot({.connections = 1}));
  Speaker* clients[] = {&dialogue.connect(), &dialogue.connect(), &dialogue.connect(), &dialogue.connect()};
  const std::string_view paths[] = {"/first", "/second", "/third", "/fourth"};
  for (size_t i = 0; i < 4; ++i) {
    clients[i]->say(get_of(paths[i]));
    dialogue.settle();
  }
  ASSERT_EQ(dialogue.upstream_count(), 1U);
  EXPECT_TRUE(dialogue.upstream().take_heard().starts_with("GET /first "));
  std::string heard;
  clients[2]->close();
  dialogue.settle();
  for (const size_t i : {0U, 1U, 3U}) {
    dialogue.upstream().say(ok(paths[i]));
    dialogue.settle();
    EXPECT_TRUE(ends_with_body(clients[i]->heard(), paths[i]));
    heard += dialogue.upstream().take_heard().substr(0, sizeof "GET /second" - 1) + "; ";
  }
  EXPECT_EQ(heard, "GET /second; GET /fourth; ; ") << "in the order of the line, which the third has left";
  EXPECT_EQ(dialogue.upstream_count(), 1U);
}

TEST(Exchange, OpensAConnectionForTheFirstInLineWhenOneIsGone) {
  Dialogue dialogue(1, sim::fine_weather(), {}, bounded_snapshot({.connections = 1}));
  Speaker* clients[] = {&dialogue.connect(), &dialogue.connect()};
  for (Speaker* client : clients) {
    client->say(get);
    dialogue.settle();
  }
  dialogue.upstream().say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na");
  dialogue.settle();
  ASSERT_EQ(dialogue.upstream_count(), 2U);
  dialogue.upstream(1).say(ok("b"));
  dialogue.settle();
  EXPECT_TRUE(ends_with_body(clients[1]->heard(), "b"));
}

TEST(Exchange, WaitsInLineAsLongAsConnectingMayTake) {
  auto snapshot = bounded_snapshot({.connections = 1});
  snapshot->clusters[0].connect_timeout = 5s;
  Dialogue dialogue(1, sim::fine_weather(), {}, std::move(snapshot));
  Speaker* clients[] = {&dialogue.connect(), &dialogue.connect()};
  for (Speaker* client : clients) {
    client->say(get);
    dialogue.settle();
  }
  const auto pass = [&](Duration time) {
    dialogue.settle(time);
    dialogue.gateway().services().tidy();
    dialogue.settle();
  };
  pass(4s);
  EXPECT_TRUE(clients[1]->heard().empty());
  pass(2s);
  EXPECT_TRUE(clients[1]->take_heard().starts_with("HTTP/1.1 503 "));
  dialogue.upstream().say(ok("first"));
  dialogue.settle();
  EXPECT_TRUE(ends_with_body(clients[0]->heard(), "first"));
  clients[1]->say(get);
  dialogue.settle();
  dialogue.upstream().say(ok("again"));
  dialogue.settle();
  EXPECT_TRUE(ends_with_body(clients[1]->heard(), "again"));
}

TEST(Exchange, RefusesRequestsBeyondTheBoundOfThoseInLine) {
  Dialogue dialogue(1, sim::fine_weather(), {}, bounded_snapshot({.connections = 1, .waiting = 1}));
  Speaker* clients[] = {&dialogue.connect(), &dialogue.connect(), &dialogue.connect()};
  for (Speaker* client : clients) {
    client->say(get);
    dialogue.settle();
  }
  EXPECT_TRUE(clients[1]->heard().empty());
  EXPECT_TRUE(clients[2]->heard().starts_with("HTTP/1.1 503 "));
  dialogue.upstream().say(ok("first"));
  dialogue.settle();
  dialogue.upstream().say(ok("second"));
  dialogue.settle();
  EXPECT_TRUE(ends_with_body(clients[1]->heard(), "second"));
}

}  // namespace
}  // namespace sluice::proxy
