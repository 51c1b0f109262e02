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

TEST(ClientConnection, AcknowledgesAtOnceOnlyWhatIsNotEnoughForAnAnswer) {
  const auto is_acknowledged = [](std::string_view words) {
    Dialogue dialogue;
    Speaker& client = dialogue.connect();
    client.say(std::string(words));
    dialogue.settle();
    return client.was_acknowledged();
  };
  EXPECT_FALSE(is_acknowledged("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_TRUE(is_acknowledged("GET / HTTP/1.1\r\nHo"));
  EXPECT_TRUE(is_acknowledged("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"));
}

TEST(ClientConnection, DoesNotWaitForAClientThatHasAskedForTheEnd) {
  const auto connections_after = [](std::string_view request) {
    Dialogue dialogue;
    Speaker& client = dialogue.connect();
    client.say(std::string(request));
    EXPECT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
    dialogue.upstream().say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_TRUE(dialogue.until([&] { return client.has_ended_in_order(); }));
    EXPECT_TRUE(client.heard().ends_with("ok"));
    dialogue.settle();
    return dialogue.gateway().services().client_connections.count();
  };
  EXPECT_EQ(connections_after("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 0U);
  EXPECT_EQ(connections_after("GET / HTTP/1.0\r\nHost: x\r\n\r\n"), 0U);
  // An empty line may follow content, and a client that says more than it may is to have its answer all the same.
  EXPECT_EQ(connections_after("POST / HTTP/1.0\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"), 1U);
  EXPECT_EQ(connections_after("GET / HTTP/1.0\r\nHost: x\r\n\r\nGET / HTTP/1.0\r\n\r\n"), 1U);
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

// --- behind a proxy that names the client ----------------------------------------------------------

const std::string proxy_header = "PROXY TCP4 203.0.113.7 198.51.100.1 5555 443\r\n";
const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

class ProxiedDialogue : public Dialogue {
 public:
  ProxiedDialogue() : Dialogue(1, sim::fine_weather(), {}, proxied_snapshot()) {
    gateway().services().observer.access_log.set_enabled(true);
  }

  uint64_t failures() { return gateway().counters().proxy_header_failures.value(); }
  std::string log() {
    std::string lines;
    gateway().services().observer.access_log.drain(lines);
    return lines;
  }

 private:
  static std::unique_ptr<snapshot::Snapshot> proxied_snapshot() {
    auto made = sim::one_upstream_snapshot();
    made->topology.expects_proxy_header = true;
    return made;
  }
};

TEST(ProxiedConnection, IsOfTheClientThatTheHeaderNames) {
  const std::string all = proxy_header + get;
  for (const size_t piece : {all.size(), proxy_header.size(), size_t{7}, size_t{1}}) {
    SCOPED_TRACE(piece);
    ProxiedDialogue dialogue;
    Speaker& client = dialogue.connect();
    for (size_t at = 0; at < all.size(); at += piece) {
      client.say(std::string_view(all).substr(at, piece));
      dialogue.settle(2ms);
    }
    ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1; }));
    dialogue.settle();
    EXPECT_TRUE(dialogue.upstream().heard().starts_with("GET / HTTP/1.1\r\n")) << dialogue.upstream().heard();
    EXPECT_NE(dialogue.upstream().heard().find("\r\nx-forwarded-for: 203.0.113.7\r\n"), std::string::npos);
    dialogue.upstream().say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    dialogue.settle();
    EXPECT_TRUE(client.heard().ends_with("ok"));
    EXPECT_NE(dialogue.log().find(" 198.51.100.1:443 203.0.113.7:5555 "), std::string::npos);
    client.say(get);  // the header is of the connection, not of a request
    dialogue.settle();
    EXPECT_EQ(dialogue.upstream().heard().find("GET", 1) != std::string::npos, true);
    EXPECT_EQ(dialogue.failures(), 0U);
  }
}

TEST(ProxiedConnection, EndsWithoutAnAnswerAsSoonAsItBeginsOtherwise) {
  ProxiedDialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say("G");
  EXPECT_LE(time_until_the_end(dialogue, client), 1s);
  EXPECT_TRUE(client.heard().empty());
  EXPECT_EQ(dialogue.failures(), 1U);
  const std::string line = dialogue.log();
  EXPECT_NE(line.find("\"- - -\" 0 DPE proxy_header_failed there_is_no_PROXY_header "), std::string::npos) << line;
}

TEST(ProxiedConnection, EndsWhenTheHeaderTakesTooLong) {
  for (const std::string& some : {std::string(), proxy_header.substr(0, 20)}) {
    ProxiedDialogue dialogue;
    Speaker& client = dialogue.connect();
    client.say(some);
    const Duration time = time_until_the_end(dialogue, client);
    EXPECT_GE(time, limits::handshake_timeout - 1s);
    EXPECT_LE(time, limits::handshake_timeout + 5s);
    EXPECT_TRUE(client.heard().empty());
    EXPECT_EQ(dialogue.failures(), 1U);
  }
}

TEST(ProxiedConnection, MayRestAfterItsHeaderAsLongAsAnyOther) {
  ProxiedDialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say(proxy_header);
  EXPECT_GE(time_until_the_end(dialogue, client), limits::first_request_timeout - 1s);
  EXPECT_EQ(dialogue.failures(), 0U);
}

// Load balancers look whether somebody listens, all the time.
TEST(ProxiedConnection, SaysNothingOfProbes) {
  const std::string local{"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16};
  for (const std::string& all : {std::string(), local, std::string("PROXY UNKNOWN\r\n"), proxy_header}) {
    for (const bool is_reset : {false, true}) {
      ProxiedDialogue dialogue;
      Speaker& client = dialogue.connect();
      client.say(all);
      if (is_reset) dialogue.settle();
      is_reset ? client.reset() : client.finish();
      ASSERT_TRUE(dialogue.until([&] { return dialogue.gateway().services().client_connections.count() == 0; }));
      EXPECT_EQ(dialogue.failures(), 0U);
      EXPECT_EQ(dialogue.log(), "");
    }
  }
}

TEST(ProxiedConnection, CountsAHeaderThatIsCutShort) {
  ProxiedDialogue dialogue;
  Speaker& client = dialogue.connect();
  client.say(proxy_header.substr(0, 20));
  client.finish();
  static_cast<void>(time_until_the_end(dialogue, client));
  EXPECT_EQ(dialogue.failures(), 1U);
  EXPECT_EQ(dialogue.log(), "");
}

TEST(ProxiedConnection, DropsTheTlvsWhichMayBeLong) {
  ProxiedDialogue dialogue;
  Speaker& client = dialogue.connect();
  const size_t tlv_bytes = limits::proxy_header_bytes_max - 16 - 12;
  std::string header{"\r\n\r\n\0\r\nQUIT\n\x21\x11", 14};
  header += static_cast<char>((12 + tlv_bytes) >> 8);
  header += static_cast<char>((12 + tlv_bytes) & 0xff);
  header += std::string("\xcb\x00\x71\x07\xc6\x33\x64\x01\x15\xb3\x01\xbb", 12) + std::string(tlv_bytes, 'x');
  client.say(header.substr(0, 1000));
  dialogue.settle();
  client.say(header.substr(1000) + get);
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1; }));
  dialogue.settle();
  EXPECT_TRUE(dialogue.upstream().heard().starts_with("GET / HTTP/1.1\r\n"));
  EXPECT_NE(dialogue.upstream().heard().find("\r\nx-forwarded-for: 203.0.113.7\r\n"), std::string::npos);
}

}  // namespace
}  // namespace sluice::proxy
