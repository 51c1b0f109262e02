#include "proxy/http2_exchanges.h"

#include "dialogue.h"

#include "http/websocket.h"
#include "support/http2_ends.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace sluice::proxy {
namespace {

using sim::Dialogue;
using sim::Speaker;
using test::Frame;
using test::Http2End;
using test::WrittenFrame;
using namespace std::chrono_literals;

// A client of HTTP/2 with prior knowledge.
class Client {
 public:
  explicit Client(Dialogue& dialogue) : dialogue_(dialogue), speaker(dialogue.connect()) { pass(); }

  // Carries what the session has written, and what has come for it.
  void pass() {
    if (!end.output.empty()) speaker.say(end.take_output());
    const std::string come = speaker.take_heard();
    heard += come;
    if (!come.empty() && !end.receive(come)) is_broken = true;
  }

  template <typename IsDone>
  bool until(IsDone is_done) {
    pass();
    return dialogue_.until([&] {
      pass();
      return is_done();
    });
  }

  void settle(Duration duration) {
    for (const Instant until = dialogue_.world().now() + duration; dialogue_.world().now() < until;) {
      pass();
      dialogue_.settle(10ms);
    }
  }

  [[nodiscard]] std::vector<WrittenFrame> frames(Frame type) const {
    std::vector<WrittenFrame> found = test::frames_of(heard);
    std::erase_if(found, [type](const WrittenFrame& frame) { return frame.type != type; });
    return found;
  }

 private:
  Dialogue& dialogue_;

 public:
  Speaker& speaker;
  Http2End end{Http2End::Role::client};
  std::string heard;
  bool is_broken = false;
};

Duration time_until_the_end(Dialogue& dialogue, Client& client) {
  const Instant begin = dialogue.world().now();
  EXPECT_TRUE(client.until([&] { return client.speaker.has_ended(); }));
  return dialogue.world().now() - begin;
}

TEST(Http2Exchanges, AnswerEveryStream) {
  Dialogue dialogue;
  Client client(dialogue);
  Http2End::Message& first = client.end.get("/1");
  Http2End::Message& second = client.end.get("/2");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 2; }));
  for (size_t i = 0; i < 2; ++i) {
    Speaker& upstream = dialogue.upstream(i);
    ASSERT_TRUE(client.until([&] { return upstream.heard().ends_with("\r\n\r\n"); }));
    EXPECT_FALSE(upstream.heard().contains("transfer-encoding")) << "END_STREAM came with the head";
    const std::string path = upstream.heard().substr(0, upstream.heard().find(" HTTP/1.1"));
    upstream.say("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n" + path);
  }
  ASSERT_TRUE(client.until([&] { return first.stream.content().size() == 6 && second.stream.content().size() == 6; }));
  EXPECT_EQ(first.read(), "GET /1");
  EXPECT_EQ(second.read(), "GET /2");
  EXPECT_TRUE(second.stream.is_content_done());
}

TEST(Http2Exchanges, BeginWithAPrefaceInPieces) {
  Dialogue dialogue;
  Speaker& speaker = dialogue.connect();
  for (const char c : test::client_preface()) {
    EXPECT_TRUE(speaker.heard().empty() || dialogue.world().now() > Instant{});
    speaker.say(std::string(1, c));
    dialogue.settle(20ms);
  }
  ASSERT_FALSE(speaker.heard().empty());
  EXPECT_EQ(test::frames_of(speaker.heard()).at(0).type, Frame::settings);
}

TEST(Http2Exchanges, ARequestThatBeginsLikeThePrefaceIsOneOfHttp1) {
  Dialogue dialogue;
  Speaker& speaker = dialogue.connect();
  speaker.say("P");
  dialogue.settle(20ms);
  speaker.say("OST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 1; }));
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream().heard().starts_with("POST / HTTP/1.1\r\n"); }));
}

TEST(Http2Exchanges, HalfAPrefaceIsWaitedForNoLongerThanAFirstRequest) {
  Dialogue dialogue;
  Speaker& speaker = dialogue.connect();
  speaker.say("PRI * HT");
  const Instant begin = dialogue.world().now();
  ASSERT_TRUE(dialogue.until([&] { return speaker.has_ended(); }));
  EXPECT_LE(dialogue.world().now() - begin, limits::first_request_timeout + 30s);
}

// --- what an idle connection may do ---

TEST(Http2Exchanges, AConnectionWithoutRequestsEnds) {
  Dialogue dialogue;
  Client client(dialogue);
  const Duration time = time_until_the_end(dialogue, client);
  EXPECT_GE(time, limits::first_request_timeout - 1s);
  EXPECT_LE(time, limits::first_request_timeout + 30s);
  ASSERT_FALSE(client.frames(Frame::goaway).empty());
  EXPECT_EQ(test::number_at(client.frames(Frame::goaway).back().payload, 4, 4), 0U) << "NO_ERROR";
  EXPECT_TRUE(client.speaker.has_ended_in_order());
}

TEST(Http2Exchanges, PingsDoNotKeepAConnectionAlive) {
  Dialogue dialogue;
  Client client(dialogue);
  const Instant begin = dialogue.world().now();
  while (!client.speaker.has_ended() && dialogue.world().now() - begin < 2 * limits::first_request_timeout) {
    client.speaker.say(test::frame(Frame::ping, 0, 0, "01234567"));
    client.settle(5s);
  }
  EXPECT_TRUE(client.speaker.has_ended());
  EXPECT_FALSE(client.frames(Frame::ping).empty()) << "they are answered";
}

TEST(Http2Exchanges, AfterARequestAConnectionMayRestLonger) {
  Dialogue dialogue;
  Client client(dialogue);
  Http2End::Message& message = client.end.get("/");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  dialogue.upstream().say("HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_TRUE(client.until([&] { return message.stream.is_content_done(); }));
  EXPECT_EQ(message.response.status, 204);
  client.settle(50min);
  EXPECT_FALSE(client.speaker.has_ended());
  EXPECT_LE(time_until_the_end(dialogue, client), limits::client_idle_timeout);
}

// --- clients that stall ---

TEST(Http2Exchanges, AHeadThatDoesNotEndEndsTheStream) {
  Dialogue dialogue;
  Client client(dialogue);
  client.pass();
  client.speaker.say(test::frame(Frame::headers, 0, 1, test::header_block(test::get_fields())));
  EXPECT_LE(time_until_the_end(dialogue, client), limits::request_head_timeout + limits::client_idle_timeout + 60s);
  EXPECT_EQ(dialogue.upstream_count(), 0U);
}

TEST(Http2Exchanges, ContentThatDoesNotComeResetsTheStreamOnly) {
  Dialogue dialogue;
  Client client(dialogue);
  Http2End::Message& stalled = client.end.post("/");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1; }));
  const Instant begin = dialogue.world().now();
  ASSERT_TRUE(client.until([&] { return stalled.stream.is_lost(); }));
  EXPECT_LE(dialogue.world().now() - begin, limits::body_progress_timeout + 30s);
  EXPECT_TRUE(dialogue.upstream().has_ended()) << "it must not take the request for complete";
  Http2End::Message& next = client.end.get("/next");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 2 && !dialogue.upstream(1).heard().empty(); }));
  dialogue.upstream(1).say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  ASSERT_TRUE(client.until([&] { return next.stream.is_content_done(); }));
}

TEST(Http2Exchanges, AClientThatDoesNotOpenItsWindowLosesTheStream) {
  Dialogue dialogue;
  Client client(dialogue);
  Http2End::Message& stalled = client.end.get("/");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  const std::string content(1'000'000, 'x');
  dialogue.upstream().say("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + content);
  const Instant begin = dialogue.world().now();
  // Nothing of it is consumed: the session's window closes.
  ASSERT_TRUE(client.until([&] { return stalled.stream.is_lost(); }));
  EXPECT_LE(dialogue.world().now() - begin, 2 * limits::body_progress_timeout + 30s);
  EXPECT_FALSE(client.speaker.has_ended()) << "other streams go on";
}

TEST(Http2Exchanges, AStreamOnWhichNothingMovesLastsAsLongAsTheDestinationWorks) {
  Dialogue dialogue;
  Client client(dialogue);
  Http2End::Message& slow = client.end.get("/");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  client.settle(30min);
  EXPECT_FALSE(slow.stream.is_lost());
  dialogue.upstream().say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate");
  ASSERT_TRUE(client.until([&] { return slow.stream.content().size() == 4; }));
}

// --- WebSocket (RFC 8441) ---

struct Tunnel {
  explicit Tunnel(Client& client) : message(client.end.add_message()) {
    message.stream.expect_response(message.response);
    message.stream.send_extended_connect("websocket", "http", "a.example", "/chat", http::HeaderList(message.arena));
  }

  void open(Dialogue& dialogue, Client& client) {
    ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
    const std::string& asked = dialogue.upstream().heard();
    constexpr std::string_view name = "\r\nsec-websocket-key: ";
    const size_t begin = asked.find(name) + name.size();
    const http::WebSocketAccept accept(asked.substr(begin, asked.find("\r\n", begin) - begin));
    dialogue.upstream().say("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
                            fmt::format("sec-websocket-accept: {}\r\n\r\n", accept.text()));
    ASSERT_TRUE(client.until([&] { return message.stream.head_progress() == http::Progress::done; }));
    EXPECT_EQ(message.response.status, 200);
  }

  Http2End::Message& message;
};

TEST(Http2Exchanges, ATunnelMayBeSilentForAnHour) {
  Dialogue dialogue;
  Client client(dialogue);
  client.settle(1s);
  Tunnel tunnel(client);
  tunnel.open(dialogue, client);
  client.settle(limits::tunnel_idle_timeout - 2min);
  ASSERT_FALSE(tunnel.message.stream.is_lost());
  dialogue.upstream().say("still here");
  ASSERT_TRUE(client.until([&] { return tunnel.message.stream.content().size() == 10; }));
  client.settle(limits::tunnel_idle_timeout - 2min);
  EXPECT_FALSE(tunnel.message.stream.is_lost());
  client.settle(limits::tunnel_idle_timeout + 2min);
  EXPECT_TRUE(tunnel.message.stream.is_lost());
  EXPECT_TRUE(dialogue.upstream().has_ended());
}

TEST(Http2Exchanges, EachDirectionOfATunnelEndsOnItsOwn) {
  Dialogue dialogue;
  Client client(dialogue);
  client.settle(1s);
  Tunnel tunnel(client);
  tunnel.open(dialogue, client);
  tunnel.message.stream.write_last(as_bytes("that was all"));
  ASSERT_TRUE(client.until([&] { return dialogue.upstream().has_ended_in_order(); }));
  EXPECT_TRUE(dialogue.upstream().heard().ends_with("\r\n\r\nthat was all"));
  client.settle(1min);
  EXPECT_FALSE(tunnel.message.stream.is_lost());
  dialogue.upstream().say("and this is the answer");
  dialogue.upstream().finish();
  ASSERT_TRUE(client.until([&] { return tunnel.message.stream.content().size() == 22; }));
  EXPECT_EQ(tunnel.message.read(), "and this is the answer");
  ASSERT_TRUE(client.until([&] { return tunnel.message.stream.is_content_done(); }));
}

// Fills a window of a thousand bytes, and ends with its connection, so that its end is known only afterwards.
void answer_with_a_thousand_bytes(Dialogue& dialogue) {
  dialogue.upstream().say("HTTP/1.1 200 OK\r\n\r\n" + std::string(1000, 'x'));
  dialogue.upstream().finish();
}

// The window is closed when only the end is left, and END_STREAM has to wait for it.
TEST(Http2Exchanges, AResponseThatFillsTheWindowIsComplete) {
  Dialogue dialogue;
  Client client(dialogue);
  client.pass();
  client.speaker.say(test::frame(Frame::settings, 0, 0, test::setting(4, 1000)));  // SETTINGS_INITIAL_WINDOW_SIZE
  client.speaker.say(test::headers_frame(1, test::get_fields()));
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  answer_with_a_thousand_bytes(dialogue);
  client.settle(1s);
  EXPECT_TRUE(client.frames(Frame::rst_stream).empty());
  client.speaker.say(test::frame(Frame::window_update, 0, 1, test::big_endian(1, 4)));
  client.settle(1s);
  const std::vector<WrittenFrame> content = client.frames(Frame::data);
  ASSERT_FALSE(content.empty());
  EXPECT_EQ(content.back().flags, test::end_stream);
  EXPECT_TRUE(client.frames(Frame::rst_stream).empty());
}

TEST(Http2Exchanges, AResponseWhoseEndIsNeverTakenIsGivenUp) {
  Dialogue dialogue;
  Client client(dialogue);
  client.pass();
  client.speaker.say(test::frame(Frame::settings, 0, 0, test::setting(4, 1000)));
  client.speaker.say(test::headers_frame(1, test::get_fields()));
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  answer_with_a_thousand_bytes(dialogue);
  client.settle(limits::client_write_timeout + 30s);
  ASSERT_EQ(client.frames(Frame::rst_stream).size(), 1U);
}

TEST(Http2Exchanges, ContentOfAKnownLengthEndsWithItsLastFrame) {
  Dialogue dialogue;
  Client client(dialogue);
  client.pass();
  client.speaker.say(test::headers_frame(1, test::get_fields()));
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  dialogue.upstream().say("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + std::string(400, 'x'));
  client.settle(1s);
  dialogue.upstream().say(std::string(600, 'x'));
  client.settle(1s);
  const std::vector<WrittenFrame> content = client.frames(Frame::data);
  ASSERT_EQ(content.size(), 2U);
  EXPECT_EQ(content[0].flags, 0);
  EXPECT_EQ(content[0].payload.size(), 400U);
  EXPECT_EQ(content[1].flags, test::end_stream);
  EXPECT_EQ(content[1].payload.size(), 600U);
  EXPECT_TRUE(client.frames(Frame::rst_stream).empty());
}

TEST(Http2Exchanges, ManyResponsesShareASlowConnection) {
  sim::Weather weather = sim::fine_weather();
  weather.socket_buffer_max = 10'000;
  Dialogue dialogue(1, weather);
  Client client(dialogue);
  constexpr size_t count = 4;
  for (size_t i = 0; i < count; ++i) client.end.get("/");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == count; }));
  for (size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(client.until([&] { return !dialogue.upstream(i).heard().empty(); }));
    dialogue.upstream(i).say("HTTP/1.1 200 OK\r\n\r\n" + std::string(2'000'000, 'x'));
  }
  std::array<size_t, count> taken{};
  size_t sum = 0;
  ASSERT_TRUE(client.until([&] {
    for (size_t i = 0; i < count; ++i) {
      const size_t size = client.end.messages[i]->read().size();
      taken[i] += size;
      sum += size;
    }
    return sum >= 2'000'000;
  }));
  for (const size_t each : taken) EXPECT_GT(each, 100'000U) << "it starves";
}

TEST(Http2Exchanges, AHeadThatGrowsWhenItIsDecodedCountsAsWhatItBecomes) {
  Dialogue dialogue;
  Client client(dialogue);
  client.pass();
  // The field enters the table (RFC 7541 6.2.1), and each of the others is a byte that stands for it (6.1).
  const std::string entry = '\x40' + test::hpack_text("x-long") + test::hpack_text(std::string(3900, 'x'));
  for (uint32_t id = 1; id < 100; id += 2) {
    std::string block = test::header_block(test::get_fields()) + (id == 1 ? entry : std::string());
    block += std::string(13, '\xbe');
    client.speaker.say(test::headers_frames(id, block, test::end_stream));
  }
  client.settle(100ms);
  const std::vector<WrittenFrame> resets = client.frames(Frame::rst_stream);
  ASSERT_FALSE(resets.empty());
  EXPECT_LT(resets.size(), 45U) << "some were taken";
  for (const WrittenFrame& reset : resets) EXPECT_EQ(test::number_at(reset.payload, 0, 4), 7U) << "REFUSED_STREAM";
  EXPECT_FALSE(client.speaker.has_ended());
}

TEST(Http2Exchanges, AClientThatAsksAndDoesNotReadEnds) {
  sim::Weather weather = sim::fine_weather();
  weather.socket_buffer_max = 3000;
  Dialogue dialogue(1, weather);
  Client client(dialogue);
  client.pass();
  client.speaker.stop_listening();
  const Instant begin = dialogue.world().now();
  for (uint32_t id = 1; id < 20'000; id += 2) {
    client.speaker.say(test::headers_frame(id, {{":method", "CONNECT"}, {":authority", "a.example:1"}}));
  }
  EXPECT_TRUE(client.until([&] { return client.speaker.was_reset(); }));
  EXPECT_LE(dialogue.world().now() - begin, 3 * limits::client_write_timeout);
  EXPECT_TRUE(client.speaker.is_interrupted()) << "what cannot be answered is not read";
}

// --- the end ---

TEST(Http2Exchanges, ADestinationThatDiesResetsItsStreamOnly) {
  Dialogue dialogue;
  Client client(dialogue);
  Http2End::Message& dying = client.end.get("/dying");
  Http2End::Message& living = client.end.get("/living");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 2; }));
  ASSERT_TRUE(client.until(
      [&] { return dialogue.upstream(0).heard().contains("GET") && dialogue.upstream(1).heard().contains("GET"); }));
  const size_t dying_index = dialogue.upstream(0).heard().starts_with("GET /dying") ? 0 : 1;
  dialogue.upstream(dying_index).say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
  ASSERT_TRUE(client.until([&] { return dying.stream.content().size() == 4; }));
  dialogue.upstream(dying_index).close();
  ASSERT_TRUE(client.until([&] { return dying.stream.is_lost(); }));
  EXPECT_EQ(dying.stream.reset_code(), 2U) << "INTERNAL_ERROR";
  dialogue.upstream(1 - dying_index).say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine");
  ASSERT_TRUE(client.until([&] { return living.stream.content().size() == 4; }));
}

TEST(Http2Exchanges, AnEarlyResponseIsComplete) {
  Dialogue dialogue;
  Client client(dialogue);
  Http2End::Message& message = client.end.post("/");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  dialogue.upstream().say("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig");
  ASSERT_TRUE(client.until([&] { return message.stream.content().size() == 3; }));
  EXPECT_EQ(message.read(), "big");
  EXPECT_TRUE(message.stream.is_content_done());
  client.settle(100ms);
  const std::vector<WrittenFrame> resets = client.frames(Frame::rst_stream);
  ASSERT_EQ(resets.size(), 1U);
  EXPECT_EQ(test::number_at(resets[0].payload, 0, 4), 0U) << "NO_ERROR (RFC 9113 8.1)";
  EXPECT_FALSE(client.speaker.has_ended());
}

TEST(Http2Exchanges, AClientThatLeavesEndsItsRequests) {
  Dialogue dialogue;
  {
    Client client(dialogue);
    client.end.get("/");
    client.end.post("/");
    ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 2; }));
    client.speaker.close();
  }
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream(0).has_ended() && dialogue.upstream(1).has_ended(); }));
}

TEST(Http2Exchanges, AShutdownIsAnnouncedAndServesWhatWasSentByThen) {
  Dialogue dialogue;
  Client client(dialogue);
  Http2End::Message& before = client.end.get("/before");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  dialogue.gateway().drain();
  client.settle(limits::http2_drain_notice / 2);
  ASSERT_EQ(client.frames(Frame::goaway).size(), 1U);
  EXPECT_EQ(test::number_at(client.frames(Frame::goaway)[0].payload, 0, 4), 0x7fffffffU);
  // It was on its way when the first notice came.
  client.speaker.say(test::headers_frame(3, test::get_fields()));
  client.settle(limits::http2_drain_notice);
  ASSERT_EQ(client.frames(Frame::goaway).size(), 2U);
  EXPECT_EQ(test::number_at(client.frames(Frame::goaway)[1].payload, 0, 4), 3U) << "the last one that is served";
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 2; }));
  EXPECT_FALSE(client.speaker.has_ended());
  for (size_t i = 0; i < 2; ++i) dialogue.upstream(i).say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  ASSERT_TRUE(client.until([&] { return client.speaker.has_ended(); }));
  EXPECT_EQ(before.response.status, 200);
  EXPECT_EQ(client.frames(Frame::headers).size(), 2U);
}

// At the end all that is left is in the kernel's buffers, and the client answers what it takes of it.
TEST(Http2Exchanges, AConnectionThatEndsWaitsUntilASlowClientHasTakenItsLastResponse) {
  sim::Weather weather = sim::fine_weather();
  weather.socket_buffer_max = 40'000;
  Dialogue dialogue(1, weather);
  Client client(dialogue);
  Http2End::Message& message = client.end.get("/");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  client.speaker.stop_listening();
  const std::string content(100'000, 'x');
  dialogue.upstream().say("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + content);
  dialogue.gateway().drain();
  constexpr size_t piece = 1000;
  std::string taken;
  for (size_t i = 0; i < 2 * content.size() / piece && !message.stream.is_content_done(); ++i) {
    client.speaker.hear_some(piece);
    client.speaker.say(test::frame(Frame::window_update, 0, 0, test::big_endian(piece, 4)));
    dialogue.settle(2 * limits::lingering_close_timeout);
    client.pass();
    taken += message.read();
  }
  EXPECT_EQ(taken.size(), content.size());
  EXPECT_TRUE(message.stream.is_content_done());
}

// It may say what it likes.
TEST(Http2Exchanges, AConnectionThatEndsDoesNotWaitForAClientThatTakesNothing) {
  sim::Weather weather = sim::fine_weather();
  weather.socket_buffer_max = 40'000;
  Dialogue dialogue(1, weather);
  Client client(dialogue);
  client.end.get("/");
  ASSERT_TRUE(client.until([&] { return dialogue.upstream_count() == 1 && !dialogue.upstream().heard().empty(); }));
  client.speaker.stop_listening();
  dialogue.upstream().say("HTTP/1.1 200 OK\r\ncontent-length: 30000\r\n\r\n" + std::string(30'000, 'x'));
  dialogue.gateway().drain();
  const Instant begin = dialogue.world().now();
  while (dialogue.gateway().services().client_connections.count() > 0) {
    ASSERT_LE(dialogue.world().now() - begin, 2 * limits::client_write_timeout);
    client.speaker.say(test::frame(Frame::ping, 0, 0, "01234567"));
    dialogue.settle(1s);
  }
}

}  // namespace
}  // namespace sluice::proxy
