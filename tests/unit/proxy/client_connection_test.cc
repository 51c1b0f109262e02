#include "proxy/client_connection.h"

#include "dialogue.h"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using sim::Dialogue;
using sim::Speaker;
using namespace std::chrono_literals;

const std::string not_http = "GET / HTTP/1.1\r\nHost: x\r\nno field\r\n\r\n";

Duration time_until_the_end(Dialogue& dialogue, const Speaker& client) {
  const Instant begin = dialogue.world().now();
  EXPECT_TRUE(dialogue.until([&] { return client.has_ended(); }));
  return dialogue.world().now() - begin;
}

TEST(ClientConnection, EndsWhenTheClientNeverAsksForAnything) {
  Dialogue dialogue;
  const Speaker& client = dialogue.connect();
  const Duration time = time_until_the_end(dialogue, client);
  EXPECT_GE(time, limits::first_request_timeout - 1s);
  EXPECT_LE(time, limits::first_request_timeout + 30s);
  EXPECT_TRUE(client.heard().empty());
}

// What it said had moved, so it might rest for the hour of a connection between two requests.
TEST(ClientConnection, EndsAsSoonWhenTheClientSaysNothingButAnEmptyLine) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say("\r\n");
  EXPECT_LE(time_until_the_end(dialogue, client), limits::first_request_timeout + 30s);
}

TEST(ClientConnection, RestsNoLongerForHavingTakenItsAnswerLate) {
  sim::Weather weather = sim::fine_weather();
  weather.socket_buffer_max = 3000;
  Dialogue dialogue(1, weather);
  Speaker& client = dialogue.connect();
  client.stop_listening();
  client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  dialogue.upstream().say("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + std::string(20'000, 'a'));
  dialogue.settle(30s);
  client.resume_listening();
  const Instant begin = dialogue.world().now();
  dialogue.settle(50min);
  EXPECT_FALSE(client.has_ended()) << "it may rest";
  ASSERT_TRUE(dialogue.until([&] { return client.has_ended(); }));
  EXPECT_LE(dialogue.world().now() - begin, limits::client_idle_timeout + 30s);
}

TEST(ClientConnection, Answers408WhenAHeadTakesTooLong) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say("GET / HTTP/1.1\r\nHost: x");
  const Duration time = time_until_the_end(dialogue, client);
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 408 ")) << client.heard();
  EXPECT_TRUE(client.has_ended_in_order());
  EXPECT_LE(time, limits::request_head_timeout + 30s);
}

TEST(ClientConnection, AnswersWhatIsNoHttpAndEnds) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say(not_http);
  static_cast<void>(time_until_the_end(dialogue, client));
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 400 ")) << client.heard();
  EXPECT_EQ(dialogue.upstream_count(), 0U);
}

// Closing with unread bytes would reset the connection, and the answer could be lost with it.
TEST(ClientConnection, ReadsOffWhatARefusedClientStillSends) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say(not_http + std::string(100'000, 'x'));
  static_cast<void>(time_until_the_end(dialogue, client));
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(client.has_ended_in_order());
  client.close();
  dialogue.settle();
  EXPECT_EQ(dialogue.gateway().services().client_connections.count(), 0U);
}

TEST(ClientConnection, ReadsOffABoundedAmount) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say(not_http + std::string(8 * limits::lingering_close_bytes, 'x'));
  ASSERT_TRUE(dialogue.until(
      [&] { return dialogue.gateway().services().client_connections.count() == 0 && client.has_ended(); }));
}

TEST(ClientConnection, DrainingEndsAnIdleConnectionAtOnceAndABusyOneAfterItsResponse) {
  Dialogue dialogue;
  Speaker& idle = dialogue.connect();
  Speaker& busy = dialogue.connect();
  busy.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  dialogue.settle();
  dialogue.gateway().drain();
  ASSERT_TRUE(dialogue.until([&] { return idle.has_ended_in_order(); }));
  dialogue.settle();
  EXPECT_FALSE(busy.has_ended());
  dialogue.upstream().say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  ASSERT_TRUE(dialogue.until([&] { return busy.has_ended_in_order(); }));
  EXPECT_NE(busy.heard().find("connection: close\r\n"), std::string::npos) << busy.heard();
  EXPECT_TRUE(busy.heard().ends_with("ok"));
}

TEST(ClientConnection, IsResetWhenItTakesNothingForTooLong) {
  Dialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  client.stop_listening();
  dialogue.settle();
  dialogue.upstream().say("HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + std::string(4'000'000, 'x'));
  const Instant begin = dialogue.world().now();
  ASSERT_TRUE(dialogue.until([&] { return client.was_reset(); }));
  EXPECT_LE(dialogue.world().now() - begin, 2 * limits::client_write_timeout + 30s);
}

}  // namespace
}  // namespace sluice::proxy
