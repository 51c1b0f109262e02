#include "http/http2_session.h"

#include "support/http2_ends.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

using namespace sluice::test;
using Message = Http2End::Message;

TEST(Http2Session, ARequestAndItsResponse) {
  Http2Pair pair;
  Message& sent = pair.client.get("/a?b");
  pair.run();
  ASSERT_EQ(pair.server.messages.size(), 1U);
  Message& received = pair.server.last();
  EXPECT_EQ(received.stream.head_progress(), Progress::done);
  EXPECT_TRUE(received.stream.is_content_done());
  HttpReading reading;
  describe(received.request, reading);
  EXPECT_EQ(reading.head,
            "GET /a?b host=a.example 2 none keep-alive\npath /a\nquery true b\nauthority a.example\n"
            "host: a.example\n");
  pair.server.respond(received, 200, "hello");
  EXPECT_TRUE(received.stream.is_sent());
  pair.run();
  EXPECT_EQ(sent.stream.head_progress(), Progress::done);
  describe(sent.response, reading);
  EXPECT_EQ(reading.head, "200  2 length=5 keep-alive\nlength true 5\ncontent-length: 5\n");
  EXPECT_FALSE(sent.stream.is_content_done());
  EXPECT_EQ(sent.read(), "hello");
  EXPECT_TRUE(sent.stream.is_content_done());
  EXPECT_FALSE(sent.stream.is_lost() || received.stream.is_lost());
  EXPECT_EQ(sent.changes, 1U);
  EXPECT_EQ(received.changes, 1U);
  EXPECT_FALSE(pair.client_broke || pair.server_broke);
}

TEST(Http2Session, ItDoesNotMatterHowTheInputIsCut) {
  Http2End server(Http2End::Role::server);
  const std::string input = client_preface() +
                            headers_frame(1,
                                          {{":method", "POST"},
                                           {":scheme", "https"},
                                           {":authority", "a"},
                                           {":path", "/"},
                                           {"cookie", "a"},
                                           {"cookie", "b"}},
                                          0) +
                            frame(Frame::data, padded, 1, '\x02' + std::string("hello\0\0", 7)) +
                            headers_frame(1, {{"x", "y"}}, end_stream);
  for (const char c : input) ASSERT_TRUE(server.receive({&c, 1}));
  Message& message = server.last();
  EXPECT_EQ(*message.request.headers.find("cookie"), "a; b");
  EXPECT_EQ(message.read(), "hello");
  EXPECT_TRUE(message.stream.is_content_done());
  EXPECT_EQ(fields_text(message.stream.trailers()), "x: y\n");
}

TEST(Http2Session, AStreamIsToldOnceOfAllThatOneInputBrings) {
  Http2End server(Http2End::Role::server);
  std::string input = client_preface();
  for (uint32_t id = 1; id < 7; id += 2) input += headers_frame(id, get_fields(), 0);
  for (uint32_t id = 1; id < 7; id += 2) {
    for (int i = 0; i < 10; ++i) input += frame(Frame::data, 0, id, "x");
    input += frame(Frame::data, end_stream, id, "x");
  }
  ASSERT_TRUE(server.receive(input));
  ASSERT_EQ(server.messages.size(), 3U);
  for (const auto& message : server.messages) {
    EXPECT_EQ(message->changes, 1U);
    EXPECT_EQ(message->stream.content().size(), 11U);
  }
}

TEST(Http2Session, StreamsMayBeDestroyedWhenOneIsTold) {
  Http2End server(Http2End::Role::server);
  std::string input = client_preface();
  for (uint32_t id = 1; id < 21; id += 2) input += headers_frame(id, get_fields(), 0) + frame(Frame::data, 0, id, "x");
  unsigned told = 0;
  server.on_change = [&](Message& message) {
    ++told;
    Message* other = server.messages.back().get();
    if (other != &message) server.destroy(*other);
    server.destroy(message);
  };
  ASSERT_TRUE(server.receive(input));
  EXPECT_EQ(told, 5U);
  EXPECT_TRUE(server.messages.empty());
  EXPECT_EQ(server.session.stream_count(), 0U);
}

TEST(Http2Session, AStreamMayBeAnsweredAndDestroyedWhenItIsTold) {
  Http2Pair pair;
  pair.server.on_change = [&](Message& message) {
    if (message.stream.head_progress() != Progress::done) return;
    pair.server.respond(message, 200, message.request.path);
    pair.server.destroy(message);
  };
  for (int i = 0; i < 50; ++i) pair.client.get("/" + std::to_string(i));
  pair.run();
  for (size_t i = 0; i < 50; ++i) EXPECT_EQ(pair.client.messages[i]->read(), "/" + std::to_string(i));
  EXPECT_EQ(pair.client.session.stream_count(), 0U);
}

// The block of a stream may go on after the stream's end: it is decoded and dropped.
TEST(Http2Session, AStreamMayBeDestroyedInTheMiddleOfItsBlock) {
  Http2End server(Http2End::Role::server);
  const std::string block = header_block(get_fields()) + '\x40' + hpack_text("in-table") + hpack_text("x");
  ASSERT_TRUE(server.receive(client_preface() + frame(Frame::headers, end_stream, 1, block.substr(0, 30))));
  ASSERT_EQ(server.messages.size(), 1U);
  server.destroy(server.last());
  ASSERT_TRUE(server.receive(frame(Frame::continuation, end_headers, 1, block.substr(30))));
  ASSERT_TRUE(server.receive(headers_frames(3, header_block(get_fields()) + '\xbe', end_stream)));
  ASSERT_EQ(server.messages.size(), 1U);
  EXPECT_EQ(server.last().request.headers.find("in-table"), "x");
}

// --- How many ----------------------------------------------------------------------------------------

TEST(Http2Session, ARequestThatIsNotTakenIsRefused) {
  Http2Pair pair;
  pair.server.accepts = false;
  Message& sent = pair.client.get();
  pair.run();
  EXPECT_TRUE(sent.stream.is_lost());
  EXPECT_TRUE(sent.stream.may_be_retried());
  EXPECT_EQ(sent.stream.error(), ReadError::none);
  EXPECT_TRUE(pair.client.session.may_open());
}

TEST(Http2Session, StreamsAreBoundedOnBothSides) {
  Http2Pair pair;
  while (pair.client.session.may_open()) pair.client.post();
  EXPECT_EQ(pair.client.session.stream_count(), limits::http2_streams_max);
  pair.run();
  EXPECT_EQ(pair.server.messages.size(), limits::http2_streams_max);
  for (const auto& message : pair.client.messages) EXPECT_FALSE(message->stream.is_lost());
  pair.client.destroy(pair.client.last());
  EXPECT_TRUE(pair.client.session.may_open());
}

TEST(Http2Session, AServerWithFewStreamsIsRespected) {
  Http2End client(Http2End::Role::client);
  ASSERT_TRUE(client.receive(server_preface(setting(3, 2))));  // SETTINGS_MAX_CONCURRENT_STREAMS
  EXPECT_EQ(client.session.stream_capacity(), 2U);
  client.get();
  client.get();
  EXPECT_FALSE(client.session.may_open());
  ASSERT_TRUE(client.receive(headers_frame(1, {{":status", "200"}})));
  EXPECT_TRUE(client.session.may_open());
}

// CVE-2023-44487: requests that are reset at once, faster than their owner hears of it.
TEST(Http2Session, ObjectsOfStreamsThatWereResetAreBounded) {
  Http2End server(Http2End::Role::server);
  std::string input = client_preface() + frame(Frame::settings, ack, 0);
  for (uint32_t id = 1; id < 1000; id += 2)
    input += headers_frame(id, get_fields()) + frame(Frame::rst_stream, 0, id, big_endian(8, 4));
  ASSERT_TRUE(server.receive(input));
  EXPECT_EQ(server.messages.size(), limits::http2_streams_max);
  for (const auto& message : server.messages) EXPECT_TRUE(message->stream.is_lost());
}

// --- GOAWAY ------------------------------------------------------------------------------------------

// More often than the budget of frames that carry nothing would allow.
TEST(Http2Session, PingsAreAnsweredAndCostNothing) {
  Http2Pair pair;
  pair.run();
  for (uint32_t i = 0; i < 2 * limits::http2_idle_frames_max; ++i) {
    pair.client.session.ping();
    EXPECT_TRUE(pair.client.session.awaits_ping());
    pair.server.session.note_time(Instant(std::chrono::minutes(i)));  // a server's budget is for clients
    pair.run();
    ASSERT_FALSE(pair.client.session.awaits_ping() || pair.client_broke || pair.server_broke) << i;
  }
  pair.client.session.ping();
  pair.client.session.ping();  // one at a time
  pair.run();
  EXPECT_FALSE(pair.client.session.awaits_ping());
}

TEST(Http2Session, AServerShutsDownInTwoSteps) {
  Http2Pair pair;
  Message& sent = pair.client.post();
  pair.run();
  pair.server.session.announce_shutdown();
  auto frames = frames_of(pair.server.output);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, Frame::goaway);
  EXPECT_EQ(number_at(frames[0].payload, 0, 4), 0x7fffffffU);
  EXPECT_EQ(number_at(frames[0].payload, 4, 4), 0U);
  // What was on its way is still taken.
  Message& on_its_way = pair.client.get("/2");
  pair.run();
  EXPECT_FALSE(pair.client.session.may_open());
  ASSERT_EQ(pair.server.messages.size(), 2U);
  pair.server.session.shut_down();
  frames = frames_of(pair.server.output);
  EXPECT_EQ(number_at(frames[0].payload, 0, 4), 3U);
  pair.run();
  EXPECT_FALSE(pair.server.session.is_finished());
  EXPECT_FALSE(sent.stream.is_lost() || on_its_way.stream.is_lost());
  sent.stream.finish();
  pair.run();
  for (const auto& message : pair.server.messages) pair.server.respond(*message, 200, "x");
  pair.run();
  EXPECT_EQ(sent.read(), "x");
  pair.server.messages.clear();
  pair.client.messages.clear();
  EXPECT_TRUE(pair.server.session.is_finished());
  EXPECT_TRUE(pair.client.session.is_finished());
  EXPECT_FALSE(pair.client_broke || pair.server_broke);
}

TEST(Http2Session, RequestsBeyondTheLastIdOfGoawayMayBeRetried) {
  Http2End client(Http2End::Role::client);
  ASSERT_TRUE(client.receive(server_preface()));
  Message& first = client.get("/1");
  Message& second = client.get("/2");
  ASSERT_TRUE(client.receive(frame(Frame::goaway, 0, 0, big_endian(1, 4) + big_endian(0, 4))));
  EXPECT_FALSE(first.stream.is_lost());
  EXPECT_TRUE(second.stream.is_lost());
  EXPECT_TRUE(second.stream.may_be_retried());
  EXPECT_EQ(second.changes, 1U);
  EXPECT_FALSE(client.session.may_open());
  ASSERT_TRUE(client.receive(headers_frame(1, {{":status", "200"}})));
  EXPECT_EQ(first.response.status, 200);
  client.messages.clear();
  EXPECT_TRUE(client.session.is_finished());
}

TEST(Http2Session, AClientShutsDown) {
  Http2Pair pair;
  Message& sent = pair.client.get();
  pair.client.session.shut_down();
  EXPECT_FALSE(pair.client.session.may_open());
  pair.run();
  pair.server.respond(pair.server.last(), 200, "x");
  pair.run();
  EXPECT_EQ(sent.read(), "x");
  pair.server.messages.clear();
  pair.client.messages.clear();
  EXPECT_TRUE(pair.server.session.is_finished() && pair.client.session.is_finished());
}

TEST(Http2Session, TheEndOfTheInputEndsWhatIsOpen) {
  Http2Pair pair;
  Message& open = pair.client.get("/1");
  Message& complete = pair.client.get("/2");
  pair.run();
  pair.server.respond(pair.server.last(), 200, "x");
  pair.run();
  pair.client.session.end_of_input();
  pair.client.session.tell_changes();
  EXPECT_TRUE(open.stream.is_lost());
  EXPECT_FALSE(open.stream.may_be_retried());
  EXPECT_EQ(open.changes, 1U);
  EXPECT_FALSE(complete.stream.is_lost());
  EXPECT_EQ(complete.read(), "x");
  EXPECT_TRUE(pair.client.session.is_finished());
  EXPECT_TRUE(pair.client.output.empty());
}

// --- Connections that break ----------------------------------------------------------------------------

TEST(Http2Session, SaysWhyAConnectionIsBroken) {
  using Role = Http2End::Role;
  struct Case {
    const char* name;
    Role role;
    std::string input;
    uint32_t code;
    std::string_view text;
  };
  const std::string block = header_block(get_fields());
  const std::string open = headers_frame(1, get_fields(), 0);
  const std::string update = frame(Frame::window_update, 0, 0, big_endian(0x7fffffff, 4));
  const Case cases[] = {
      {"not HTTP/2", Role::server, "GET / HTTP/1.1\r\n\r\n", 1, "http2.bad_preface"},
      {"no SETTINGS", Role::server, std::string(client_magic) + frame(Frame::ping, 0, 0, "12345678"), 1,
       "http2.protocol_error"},
      {"DATA on stream 0", Role::server, client_preface() + frame(Frame::data, 0, 0, "x"), 1, "http2.protocol_error"},
      {"DATA on an idle stream", Role::server, client_preface() + frame(Frame::data, 0, 1, "x"), 1,
       "http2.protocol_error"},
      {"DATA after the end", Role::server,
       client_preface() + headers_frame(1, get_fields()) + frame(Frame::data, 0, 1, "x"), 5, "http2.stream_closed"},
      {"HEADERS on an even stream", Role::server, client_preface() + headers_frame(2, get_fields()), 1,
       "http2.protocol_error"},
      {"HEADERS on stream 0", Role::server, client_preface() + headers_frame(0, get_fields()), 1,
       "http2.protocol_error"},
      {"something between HEADERS and CONTINUATION", Role::server,
       client_preface() + frame(Frame::headers, 0, 1, block) + frame(Frame::ping, 0, 0, "12345678"), 1,
       "http2.protocol_error"},
      {"CONTINUATION alone", Role::server, client_preface() + frame(Frame::continuation, 0, 1, block), 1,
       "http2.protocol_error"},
      {"endless CONTINUATION", Role::server,
       [&] {
         std::string input = client_preface() + frame(Frame::headers, 0, 1, block);
         for (int i = 0; i < 20; ++i) input += frame(Frame::continuation, 0, 1, header_block({{"a", "b"}}));
         return input;
       }(),
       11, "http2.enhance_your_calm"},
      {"HPACK index beyond the table", Role::server,
       client_preface() + frame(Frame::headers, end_headers, 1, "\xff\xff\x01"), 9, "http2.compression_error"},
      {"HPACK table too large", Role::server, client_preface() + frame(Frame::headers, end_headers, 1, "\x3f\xe2\x1f"),
       9, "http2.compression_error"},
      {"frame too large", Role::server, client_preface() + frame(Frame::data, 0, 1, std::string(16'385, 'x')), 6,
       "http2.frame_size_error"},
      {"SETTINGS of odd size", Role::server, client_preface() + frame(Frame::settings, 0, 0, "12345"), 6,
       "http2.frame_size_error"},
      {"SETTINGS on a stream", Role::server, client_preface() + frame(Frame::settings, 0, 1), 1,
       "http2.protocol_error"},
      {"SETTINGS with a window too large", Role::server, client_preface(setting(4, 0x80000000)), 3,
       "http2.flow_control_error"},
      {"SETTINGS with many entries", Role::server,
       [] {
         std::string settings;
         for (size_t i = 0; i <= limits::http2_settings_max; ++i)
           settings += setting(static_cast<uint16_t>(100 + i), 0);
         return client_preface(settings);
       }(),
       11, "http2.enhance_your_calm"},
      {"an acknowledgement of nothing", Role::server,
       client_preface() + frame(Frame::settings, ack, 0) + frame(Frame::settings, ack, 0), 1, "http2.protocol_error"},
      {"a window of more than 2^31-1", Role::server, client_preface() + update + update, 3, "http2.flow_control_error"},
      {"a window opened by 0", Role::server, client_preface() + frame(Frame::window_update, 0, 0, big_endian(0, 4)), 1,
       "http2.protocol_error"},
      {"padding longer than the frame", Role::server, client_preface() + open + frame(Frame::data, padded, 1, "\x05x"),
       1, "http2.protocol_error"},
      {"RST_STREAM of an idle stream", Role::server,
       client_preface() + frame(Frame::rst_stream, 0, 1, big_endian(8, 4)), 1, "http2.protocol_error"},
      {"PING of wrong size", Role::server, client_preface() + frame(Frame::ping, 0, 0, "1234567"), 6,
       "http2.frame_size_error"},
      {"a client that pushes", Role::server,
       client_preface() + open + frame(Frame::push_promise, end_headers, 1, big_endian(2, 4) + block), 1,
       "http2.protocol_error"},
      {"a server that pushes after it acknowledged", Role::client,
       server_preface() + frame(Frame::settings, ack, 0) +
           frame(Frame::push_promise, end_headers, 1, big_endian(2, 4) + block),
       1, "http2.protocol_error"},
      {"a server that asks", Role::client, server_preface() + headers_frame(2, get_fields()), 1,
       "http2.protocol_error"},
      {"a response to nothing", Role::client, server_preface() + headers_frame(5, {{":status", "200"}}), 1,
       "http2.protocol_error"},
      {"a server that does not speak HTTP/2", Role::client, "HTTP/1.1 400 Bad Request\r\n\r\n", 1,
       "http2.protocol_error"},
      {"GOAWAY whose last id grows", Role::client,
       server_preface() + frame(Frame::goaway, 0, 0, big_endian(1, 4) + big_endian(0, 4)) +
           frame(Frame::goaway, 0, 0, big_endian(3, 4) + big_endian(0, 4)),
       1, "http2.protocol_error"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    Http2End end(one.role);
    if (one.role == Role::client) end.post();
    end.take_output();
    EXPECT_FALSE(end.receive(one.input));
    EXPECT_EQ(end.session.error_text(), one.text);
    EXPECT_TRUE(end.session.is_finished());
    const auto frames = end.take_frames();
    ASSERT_FALSE(frames.empty());
    EXPECT_EQ(frames.back().type, Frame::goaway);
    EXPECT_EQ(number_at(frames.back().payload, 4, 4), one.code);
    for (const auto& message : end.messages) {
      EXPECT_TRUE(message->stream.is_lost());
      EXPECT_FALSE(message->stream.may_be_retried());
      EXPECT_EQ(message->changes, 1U);
      // Everything goes nowhere now.
      message->stream.write({});
      message->stream.reset(Http2Error::cancel);
    }
    EXPECT_FALSE(end.receive("more"));
    end.session.shut_down();
    end.session.end_of_input();
    end.session.tell_changes();
    EXPECT_TRUE(end.output.empty());
  }
}

// It has not heard yet that it must not; afterwards it is an error, see above.
TEST(Http2Session, APushThatWasOnItsWayIsRefused) {
  Http2End client(Http2End::Role::client);
  Message& sent = client.get();
  ASSERT_TRUE(client.receive(server_preface()));
  client.take_output();
  ASSERT_TRUE(client.receive(frame(Frame::push_promise, end_headers, 1, big_endian(2, 4) + header_block(get_fields())) +
                             headers_frame(1, {{":status", "200"}})));
  const auto frames = client.take_frames();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, Frame::rst_stream);
  EXPECT_EQ(frames[0].id, 2U);
  EXPECT_EQ(sent.response.status, 200);
}

// --- Frames that carry nothing ---------------------------------------------------------------------------

struct IdleFrame {
  const char* name;
  std::string bytes;
};

std::vector<IdleFrame> idle_frames() {
  return {
      {"PING", frame(Frame::ping, 0, 0, "12345678")},
      {"PING ack", frame(Frame::ping, ack, 0, "12345678")},
      {"SETTINGS", frame(Frame::settings, 0, 0)},
      {"PRIORITY", frame(Frame::priority, 0, 7, big_endian(0, 5))},
      {"WINDOW_UPDATE of a stream", frame(Frame::window_update, 0, 1, big_endian(1, 4))},
      {"WINDOW_UPDATE", frame(Frame::window_update, 0, 0, big_endian(1, 4))},
      {"empty DATA", frame(Frame::data, 0, 1)},
      {"DATA of padding", frame(Frame::data, padded, 1, std::string("\x02\0\0", 3))},
  };
}

TEST(Http2Session, FramesThatCarryNothingAreBounded) {
  for (const IdleFrame& idle : idle_frames()) {
    SCOPED_TRACE(idle.name);
    Http2End server(Http2End::Role::server);
    ASSERT_TRUE(server.receive(client_preface() + headers_frame(1, get_fields(), 0)));
    unsigned count = 0;
    while (count <= limits::http2_idle_frames_max && server.receive(idle.bytes)) ++count;
    EXPECT_LE(count, limits::http2_idle_frames_max);
    EXPECT_GE(count, limits::http2_idle_frames_max - 10);
    EXPECT_EQ(server.session.error_text(), "http2.enhance_your_calm");
    EXPECT_TRUE(server.last().stream.is_lost());
    const auto frames = server.take_frames();
    EXPECT_EQ(frames.back().type, Frame::goaway);
    EXPECT_EQ(number_at(frames.back().payload, 4, 4), 11U);
  }
}

TEST(Http2Session, AcknowledgementsAreBoundedWithinOneInput) {
  Http2End server(Http2End::Role::server);
  std::string input = client_preface();
  for (size_t i = 0; i <= limits::http2_unsent_acks_max; ++i) input += frame(Frame::ping, 0, 0, "12345678");
  EXPECT_FALSE(server.receive(input));
  EXPECT_EQ(server.session.error_text(), "http2.enhance_your_calm");
}

TEST(Http2Session, ResetsAreBounded) {
  Http2End server(Http2End::Role::server);
  server.on_change = [&](Message& message) { server.destroy(message); };
  ASSERT_TRUE(server.receive(client_preface()));
  uint32_t id = 1;
  for (; id < 10'000; id += 2) {
    if (!server.receive(headers_frame(id, get_fields()) + frame(Frame::rst_stream, 0, id, big_endian(8, 4)))) break;
  }
  EXPECT_LT(id, 2 * (limits::http2_resets_max + 5 * limits::http2_resets_per_second));
}

// Requests that make the server reset them are worth nothing either.
TEST(Http2Session, RequestsThatAreRefusedAreBounded) {
  Http2End server(Http2End::Role::server);
  server.on_change = [&](Message& message) { server.destroy(message); };
  ASSERT_TRUE(server.receive(client_preface()));
  uint32_t id = 1;
  for (; id < 20'000; id += 2) {
    if (!server.receive(headers_frame(id, get_fields({{"connection", "close"}})))) break;
  }
  EXPECT_LE(id / 2, limits::http2_idle_frames_max);
  EXPECT_EQ(server.session.error_text(), "http2.enhance_your_calm");
}

TEST(Http2Session, UsefulWorkEarnsFramesThatCarryNothing) {
  Http2Pair pair;
  const std::string pings = [] {
    std::string text;
    for (int i = 0; i < 20; ++i) text += frame(Frame::ping, 0, 0, "12345678");
    return text;
  }();
  for (unsigned i = 0; i < limits::http2_idle_frames_max / 10; ++i) {
    Message& sent = pair.client.get();
    pair.run();
    pair.server.respond(pair.server.last(), 200, "x");
    pair.run();
    EXPECT_EQ(sent.read(), "x");
    ASSERT_TRUE(pair.server.receive(pings)) << i;
    pair.server.take_output();
    pair.client.messages.clear();
    pair.server.messages.clear();
  }
}

TEST(Http2Session, ContentThatIsSentEarnsWindowUpdates) {
  Http2End server(Http2End::Role::server);
  ASSERT_TRUE(server.receive(client_preface() + headers_frame(1, get_fields())));
  Message& message = server.last();
  message.stream.send_response(200, HeaderList(message.arena), {.body = BodyFraming::chunked}, false);
  const std::string updates =
      frame(Frame::window_update, 0, 1, big_endian(1, 4)) + frame(Frame::window_update, 0, 0, big_endian(1, 4));
  for (unsigned i = 0; i < 3 * limits::http2_idle_frames_max; ++i) {
    message.stream.write(as_bytes("x"));
    ASSERT_TRUE(server.receive(updates)) << i;
  }
}

TEST(Http2Session, AQuietConnectionMayPing) {
  Http2End server(Http2End::Role::server);
  ASSERT_TRUE(server.receive(client_preface()));
  Instant now{};
  for (unsigned i = 0; i < 2 * limits::http2_idle_frames_max; ++i) {
    ASSERT_TRUE(server.receive(frame(Frame::ping, 0, 0, "12345678"))) << i;
    if (i % limits::http2_idle_frames_per_minute == 0) server.session.note_time(now += std::chrono::minutes(1));
  }
}

TEST(Http2Session, AnnouncesItsBounds) {
  for (const auto role : {Http2End::Role::server, Http2End::Role::client}) {
    Http2End end(role);
    const auto frames = end.take_frames();
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_EQ(frames[0].type, Frame::settings);
    std::string expected = setting(3, role == Http2End::Role::server ? 100 : 0) + setting(4, 256 * 1024) +
                           setting(6, limits::head_bytes_max) + setting(9, 1);
    expected += role == Http2End::Role::server ? setting(8, 1) : setting(2, 0);
    EXPECT_EQ(frames[0].payload, expected);
    EXPECT_EQ(frames[1].type, Frame::window_update);
    const uint32_t window = role == Http2End::Role::server ? 1024 * 1024 : 100 * 256 * 1024;
    EXPECT_EQ(number_at(frames[1].payload, 0, 4), window - 65'535);
  }
}

TEST(Http2Session, ObjectsAreSmall) {
  EXPECT_LE(sizeof(Http2Stream), 352U);
  EXPECT_LE(sizeof(Http2Session), 704U);
}

}  // namespace
}  // namespace sluice::http
