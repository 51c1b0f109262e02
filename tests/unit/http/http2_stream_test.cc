#include "http/http2_stream.h"

#include "support/http2_ends.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <ranges>

namespace sluice::http {
namespace {

using namespace sluice::test;
using Message = Http2End::Message;

const Fields post_fields{{":method", "POST"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}};

// A server that has read a client's preface, and whose own is out of the way.
struct Server : Http2End {
  explicit Server(std::string_view settings = {}) : Http2End(Role::server) {
    EXPECT_TRUE(receive(client_preface(settings) + frame(Frame::settings, ack, 0)));
    take_output();
  }
  Message& post(uint32_t id = 1) {
    EXPECT_TRUE(receive(headers_frame(id, post_fields, 0)));
    return last();
  }
  Message& get(uint32_t id = 1) {
    EXPECT_TRUE(receive(headers_frame(id, get_fields())));
    return last();
  }
};

struct Client : Http2End {
  explicit Client(std::string_view settings = {}) : Http2End(Role::client) {
    EXPECT_TRUE(receive(server_preface(settings) + frame(Frame::settings, ack, 0)));
    take_output();
  }
};

std::string pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23 + i / 1000 % 3);
  return text;
}

void reads_as(const Message& message, std::string_view head) {
  HttpReading reading;
  describe(message.response, reading);
  EXPECT_EQ(reading.head, head);
}

uint32_t reset_code_of(const std::vector<WrittenFrame>& frames, uint32_t id) {
  for (const WrittenFrame& written : frames) {
    if (written.type == Frame::rst_stream && written.id == id)
      return static_cast<uint32_t>(number_at(written.payload, 0, 4));
  }
  return UINT32_MAX;
}

// --- Content and windows ---------------------------------------------------------------------------

TEST(Http2Stream, TakesNoMoreContentThanTheWindowAndGoesOnWhenItOpens) {
  Http2Pair pair;
  Message& sent = pair.client.post();
  pair.run();
  Message& received = pair.server.last();
  EXPECT_EQ(sent.stream.writable_bytes(), limits::http2_stream_window_bytes);

  const std::string content = pattern(limits::http2_stream_window_bytes + 100'000);
  sent.stream.write(as_bytes(content));
  EXPECT_EQ(sent.stream.writable_bytes(), 0U);
  sent.stream.finish();
  EXPECT_FALSE(sent.stream.is_sent());
  pair.run();
  EXPECT_EQ(received.stream.content().size(), limits::http2_stream_window_bytes);

  std::string read;
  while (!received.stream.is_content_done()) {
    const size_t before = read.size();
    read += received.read();
    ASSERT_GT(read.size(), before);
    pair.run();
  }
  EXPECT_EQ(read, content);
  EXPECT_TRUE(sent.stream.is_sent());
}

TEST(Http2Stream, IsToldWhenAWindowOpens) {
  Http2Pair pair;
  Message& sent = pair.client.post();
  pair.run();
  sent.stream.write(as_bytes(pattern(limits::http2_stream_window_bytes)));
  pair.run();
  const unsigned changes = sent.changes;
  pair.server.last().stream.consume(limits::http2_stream_window_bytes / 2);
  pair.run();
  EXPECT_EQ(sent.changes, changes + 1);
  EXPECT_EQ(sent.stream.writable_bytes(), limits::http2_stream_window_bytes / 2);
}

TEST(Http2Stream, StreamsShareTheWindowOfTheConnection) {
  Http2Pair pair;
  constexpr size_t filling = limits::http2_client_window_bytes / limits::http2_stream_window_bytes;
  const std::string content = pattern(limits::http2_stream_window_bytes);
  for (size_t i = 0; i < filling; ++i) pair.client.post().stream.write(as_bytes(content));
  Message& waiting = pair.client.post();
  pair.run();
  EXPECT_EQ(waiting.stream.writable_bytes(), 0U);
  waiting.stream.write(as_bytes("waits"));
  pair.run();
  EXPECT_EQ(pair.server.last().stream.content().size(), 0U);
  const unsigned changes = waiting.changes;
  for (size_t i = 0; i < filling; ++i) EXPECT_EQ(pair.server.messages[i]->read(), content);
  pair.run();
  EXPECT_EQ(waiting.changes, changes + 1);
  EXPECT_EQ(pair.server.last().read(), "waits");
}

// The end comes behind content that had to wait for the window, and is read in pieces.
TEST(Http2Stream, ContentIsDoneWhenAllOfItWasConsumedAndNotBefore) {
  Http2Pair pair;
  Message& sent = pair.client.post();
  const std::string content = pattern(limits::http2_stream_window_bytes + 100'000);
  sent.stream.write_last(as_bytes(content));
  pair.run();
  EXPECT_FALSE(sent.stream.is_sent()) << "the window is closed";
  Message& received = pair.server.last();
  for (size_t read = 0; read < content.size();) {
    ASSERT_FALSE(received.stream.is_content_done()) << "after " << read << " bytes";
    const size_t size = std::min<size_t>(received.stream.content().size(), 10'000);
    ASSERT_GT(size, 0U);
    received.stream.consume(size);
    read += size;
    pair.run();
  }
  EXPECT_TRUE(sent.stream.is_sent());
  EXPECT_TRUE(received.stream.is_content_done());
}

// The peer had ended the message itself, but what of it was not read is dropped with the stream: who asks must not take
// the part that was handed over for all of it.
TEST(Http2Stream, ContentThatIsLostIsNotDone) {
  for (const bool is_reset : {false, true}) {
    Server server;
    Message& message = server.post();
    ASSERT_TRUE(server.receive(frame(Frame::data, end_stream, 1, "all of it")));
    message.stream.consume(3);
    if (is_reset) {
      ASSERT_TRUE(server.receive(frame(Frame::rst_stream, 0, 1, big_endian(8, 4))));
    } else {
      server.session.end_of_input();
    }
    EXPECT_TRUE(message.stream.is_lost());
    EXPECT_TRUE(message.stream.content().empty());
    EXPECT_FALSE(message.stream.is_content_done());
  }
}

// Each of them has more than the window that the peer opens, and takes all of it when its turn comes.
TEST(Http2Stream, StreamsTakeTurnsWhenTheWindowOfTheConnectionOpens) {
  Server server(setting(4, 1'000'000));  // SETTINGS_INITIAL_WINDOW_SIZE: the connection's is the narrow one
  constexpr size_t count = 3;
  constexpr size_t step = 10'000;
  std::map<uint32_t, size_t> sent;
  const auto send_all_that_fits = [](Message& message) {
    message.stream.write(as_bytes(pattern(message.stream.writable_bytes())));
  };
  for (uint32_t i = 0; i < count; ++i) {
    Message& message = server.get(2 * i + 1);
    message.stream.send_response(200, HeaderList(message.arena), {.body = BodyFraming::chunked}, false);
    send_all_that_fits(message);
  }
  server.take_output();
  server.on_change = send_all_that_fits;
  for (size_t i = 0; i < 2 * count; ++i) {
    ASSERT_TRUE(server.receive(frame(Frame::window_update, 0, 0, big_endian(step, 4))));
    for (const WrittenFrame& written : server.take_frames()) sent[written.id] += written.payload.size();
  }
  for (uint32_t i = 0; i < count; ++i) EXPECT_EQ(sent[2 * i + 1], 2 * step);
}

// A sender that counts windows as the peer must (RFC 9113 6.9), and so sees every byte that is not given back.
class CountingSender {
 public:
  explicit CountingSender(Server& server) : server_(server) {}

  void send(uint32_t id, std::string_view data_payload, uint8_t flags) {
    ASSERT_GE(connection_, data_payload.size()) << "the connection's window leaks";
    ASSERT_GE(stream(id), data_payload.size()) << "the stream's window leaks";
    connection_ -= data_payload.size();
    stream(id) -= data_payload.size();
    ASSERT_TRUE(server_.receive(frame(Frame::data, flags, id, data_payload))) << server_.session.error_text();
    read_updates();
  }

  void read_updates() {
    for (const WrittenFrame& written : server_.take_frames()) {
      if (written.type != Frame::window_update) continue;
      const size_t size = number_at(written.payload, 0, 4);
      (written.id == 0 ? connection_ : stream(written.id)) += size;
      EXPECT_LE(connection_, limits::http2_client_window_bytes);
      EXPECT_LE(stream(written.id), limits::http2_stream_window_bytes);
    }
  }

  size_t& stream(uint32_t id) { return streams_.try_emplace(id, limits::http2_stream_window_bytes).first->second; }
  [[nodiscard]] size_t connection() const { return connection_; }

 private:
  Server& server_;
  size_t connection_ = limits::http2_client_window_bytes;
  std::map<uint32_t, size_t> streams_;
};

TEST(Http2Stream, PaddingAndEmptyFramesAreGivenBack) {
  Server server;
  CountingSender sender(server);
  Message& message = server.post();
  const std::string all_padding = '\xff' + std::string(255, '\0');
  const std::string half = '\x64' + pattern(100) + std::string(100, '\0');
  for (int i = 0; i < 1500; ++i) {
    ASSERT_NO_FATAL_FAILURE(sender.send(1, half, padded));
    ASSERT_NO_FATAL_FAILURE(sender.send(1, all_padding, padded));
    ASSERT_NO_FATAL_FAILURE(sender.send(1, std::string(1, '\0'), padded));
    if (i % 20 == 0) {
      ASSERT_NO_FATAL_FAILURE(sender.send(1, {}, 0));
    }
    if (i % 3 == 0) message.read();
    sender.read_updates();
  }
}

TEST(Http2Stream, WhatAStreamHadLeftIsGivenBackHoweverItEnds) {
  Server server;
  CountingSender sender(server);
  const std::string content = pattern(16'384);
  uint32_t id = 1;
  for (int i = 0; i < 300; ++i, id += 2) {
    Message& message = server.post(id);
    for (int k = 0; k < 3; ++k) ASSERT_NO_FATAL_FAILURE(sender.send(id, content, 0));
    switch (i % 5) {
      case 0: break;  // destroyed while open
      case 1: message.stream.reset(Http2Error::cancel); break;
      case 2: ASSERT_TRUE(server.receive(frame(Frame::rst_stream, 0, id, big_endian(8, 4)))); break;
      case 3:  // ended and answered
        ASSERT_NO_FATAL_FAILURE(sender.send(id, "x", end_stream));
        server.respond(message, 204);
        break;
      case 4:  // answered, destroyed, and the client sends more
        server.respond(message, 204);
        message.stream.consume(5);
        server.destroy(message);
        ASSERT_NO_FATAL_FAILURE(sender.send(id, content, 0));
        continue;
    }
    server.destroy(message);
    sender.read_updates();
  }
  EXPECT_GE(sender.connection(), limits::http2_client_window_bytes / 2);
}

TEST(Http2Stream, ContentThatExceedsAWindowIsAnError) {
  Server server;
  Message& message = server.post();
  const std::string content = pattern(16'384);
  bool is_well = true;
  size_t size = 0;
  for (; size <= limits::http2_stream_window_bytes && is_well; size += content.size())
    is_well = server.receive(frame(Frame::data, 0, 1, content));
  EXPECT_GT(size, limits::http2_stream_window_bytes);
  EXPECT_TRUE(message.stream.is_lost());
  EXPECT_TRUE(message.stream.content().empty());
}

TEST(Http2Stream, CountsWhatThePeersSettingsAllow) {
  Server server(setting(4, 10));  // SETTINGS_INITIAL_WINDOW_SIZE
  Message& message = server.get();
  message.stream.send_response(200, HeaderList(message.arena), {.body = BodyFraming::chunked}, false);
  EXPECT_EQ(message.stream.writable_bytes(), 10U);
  server.take_output();
  message.stream.write(as_bytes("0123456789abcdef"));
  message.stream.finish();
  auto frames = server.take_frames();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].payload, "0123456789");
  // Smaller than what was sent: less than nothing is left.
  ASSERT_TRUE(server.receive(frame(Frame::settings, 0, 0, setting(4, 5))));
  EXPECT_EQ(message.stream.writable_bytes(), 0U);
  server.take_output();
  ASSERT_TRUE(server.receive(frame(Frame::window_update, 0, 1, big_endian(5, 4))));
  EXPECT_TRUE(server.take_output().empty());
  ASSERT_TRUE(server.receive(frame(Frame::window_update, 0, 1, big_endian(6, 4))));
  frames = server.take_frames();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].payload, "abcdef");
  EXPECT_EQ(frames[0].flags, end_stream);
  EXPECT_TRUE(message.stream.is_sent());
}

TEST(Http2Stream, TheLastContentCarriesTheEnd) {
  Server server;
  Message& message = server.get();
  server.respond(message, 200, "hello");
  const auto frames = server.take_frames();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].type, Frame::headers);
  EXPECT_EQ(frames[0].flags, end_headers);
  EXPECT_EQ(frames[1].type, Frame::data);
  EXPECT_EQ(frames[1].flags, end_stream);
  EXPECT_EQ(frames[1].payload, "hello");
}

TEST(Http2Stream, ContentIsCutIntoFramesOf16KiB) {
  Server server;
  Message& message = server.get();
  const std::string content = pattern(40'000);
  server.respond(message, 200, content);
  std::string received;
  for (const WrittenFrame& written : server.take_frames()) {
    EXPECT_LE(written.payload.size(), 16'384U);
    if (written.type == Frame::data) received += written.payload;
  }
  EXPECT_EQ(received, content);
}

TEST(Http2Stream, AnEndWithoutContentIsAnEmptyFrame) {
  Http2Pair pair;
  Message& sent = pair.client.post();
  pair.run();
  EXPECT_FALSE(pair.server.last().stream.is_content_done());
  sent.stream.finish();
  pair.run();
  EXPECT_TRUE(pair.server.last().stream.is_content_done());
}

// --- Trailers --------------------------------------------------------------------------------------

TEST(Http2Stream, TrailersEndTheMessage) {
  for (const size_t content_size : {size_t{0}, size_t{5}, size_t{limits::http2_stream_window_bytes + 1}}) {
    Http2Pair pair;
    Message& sent = pair.client.post();
    const std::string content = pattern(content_size);
    if (!content.empty()) sent.stream.write(as_bytes(content));
    {
      Arena arena(10'000);  // need not outlive the call
      HeaderList trailers(arena);
      ASSERT_TRUE(trailers.add("a", "b") && trailers.add("connection", "close") && trailers.add("c", "d"));
      sent.stream.finish(&trailers);
    }
    pair.run();
    Message& received = pair.server.last();
    std::string read;
    while (!received.stream.is_content_done() && read.size() <= content.size()) {
      read += received.read();
      pair.run();
    }
    EXPECT_EQ(read, content);
    EXPECT_EQ(fields_text(received.stream.trailers()), "a: b\nc: d\n");
    EXPECT_TRUE(sent.stream.is_sent());
  }
}

TEST(Http2Stream, TrailersOfWhichNothingIsLeftAreAnEnd) {
  Server server;
  Message& message = server.get();
  message.stream.send_response(200, HeaderList(message.arena), {.body = BodyFraming::chunked}, false);
  server.take_output();
  HeaderList trailers(message.arena);
  ASSERT_TRUE(trailers.add("transfer-encoding", "chunked"));
  message.stream.finish(&trailers);
  const auto frames = server.take_frames();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, Frame::data);
  EXPECT_EQ(frames[0].flags, end_stream);
}

// --- Heads that are sent ---------------------------------------------------------------------------

TEST(Http2Stream, FieldsAboutTheConnectionAreNotSent) {
  Http2Pair pair;
  Message& sent = pair.client.add_message();
  HeaderList headers(sent.arena);
  for (const char* name : {"host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
                           "http2-settings", "content-length", ":path", "te"})
    ASSERT_TRUE(headers.add(name, "x"));
  ASSERT_TRUE(headers.add("te", "trailers") && headers.add("accept", "*/*"));
  sent.stream.expect_response(sent.response);
  sent.stream.send_request("PUT", "https", "a.example:1", "/x", headers,
                           {.body = BodyFraming::content_length, .content_length = 3}, false);
  pair.run();
  Message& received = pair.server.last();
  EXPECT_EQ(fields_text(received.request.headers), "host: a.example:1\nte: trailers\naccept: */*\ncontent-length: 3\n");
  EXPECT_EQ(received.request.content_length, 3U);
  received.stream.send_response(200, headers, {.body = BodyFraming::chunked}, true);
  pair.run();
  EXPECT_EQ(fields_text(sent.response.headers), "te: trailers\naccept: */*\n");
}

TEST(Http2Stream, RequestIdsDoNotDriveOtherFieldsOutOfTheTable) {
  Client client;
  std::string id = "01234567-89ab-4def-bedc-ba9876543210";
  std::vector<size_t> sizes;
  for (int i = 0; i < 200; ++i) {
    Message& message = client.add_message();
    std::ranges::rotate(id, id.begin() + 1);  // as long when it is encoded
    HeaderList fields(message.arena);
    ASSERT_TRUE(fields.add("x-request-id", id) && fields.add("user-agent", "one that stays the same"));
    message.stream.expect_response(message.response);
    message.stream.send_request("GET", "https", "a.example", "/", fields, {}, true);
    const std::vector<WrittenFrame> frames = client.take_frames();
    ASSERT_EQ(frames.size(), 1U);
    sizes.push_back(frames[0].payload.size());
    ASSERT_TRUE(client.receive(headers_frame(frames[0].id, {{":status", "204"}})));
  }
  EXPECT_LT(sizes[1], sizes[0]);
  EXPECT_TRUE(std::ranges::all_of(sizes | std::views::drop(2), [&](size_t size) { return size == sizes[1]; }));
}

TEST(Http2Stream, ContentLengthIsTheFramings) {
  struct Case {
    MessageFraming framing;
    std::string_view fields;
  };
  const Case cases[] = {
      {{.body = BodyFraming::none}, ""},
      {{.body = BodyFraming::none, .content_length = 7, .show_content_length = true}, "content-length: 7\n"},
      {{.body = BodyFraming::content_length, .content_length = 0}, "content-length: 0\n"},
      {{.body = BodyFraming::chunked, .content_length = 7}, ""},
  };
  for (const Case& one : cases) {
    Http2Pair pair;
    Message& sent = pair.client.get("/", "HEAD");
    pair.run();
    Message& received = pair.server.last();
    received.stream.send_response(200, HeaderList(received.arena), one.framing, true);
    pair.run();
    EXPECT_EQ(fields_text(sent.response.headers), one.fields);
    EXPECT_TRUE(sent.stream.is_content_done());
  }
}

TEST(Http2Stream, ConnectHasNeitherSchemeNorPath) {
  Http2Pair pair;
  Message& sent = pair.client.add_message();
  sent.stream.expect_response(sent.response);
  sent.stream.send_request("CONNECT", "", "a.example:443", "", HeaderList(sent.arena), {}, false);
  pair.run();
  Message& received = pair.server.last();
  EXPECT_EQ(received.stream.head_progress(), Progress::done) << received.stream.error_text();
  EXPECT_EQ(received.request.target, "a.example:443");
  received.stream.send_response(200, HeaderList(received.arena), {}, false);
  received.stream.write(as_bytes("tunnelled"));
  sent.stream.write(as_bytes("too"));
  pair.run();
  EXPECT_EQ(sent.read(), "tunnelled");
  EXPECT_EQ(received.read(), "too");
}

// RFC 8441.
TEST(Http2Stream, AnExtendedConnectCarriesBytesBothWays) {
  Http2Pair pair;
  pair.run();
  ASSERT_TRUE(pair.client.session.takes_extended_connect());
  Message& sent = pair.client.add_message();
  sent.stream.expect_response(sent.response);
  sent.stream.send_extended_connect("websocket", "https", "a.example", "/chat", HeaderList(sent.arena));
  pair.run();
  Message& received = pair.server.last();
  EXPECT_EQ(received.stream.head_progress(), Progress::done) << received.stream.error_text();
  EXPECT_TRUE(received.request.wants_upgrade);
  EXPECT_EQ(received.request.upgrade, "websocket");
  EXPECT_EQ(received.request.target, "/chat");
  received.stream.send_response(200, HeaderList(received.arena), {.body = BodyFraming::chunked}, false);
  received.stream.write(as_bytes("tunnelled"));
  sent.stream.write(as_bytes("too"));
  sent.stream.finish();
  pair.run();
  EXPECT_EQ(sent.response.status, 200);
  EXPECT_EQ(sent.read(), "tunnelled");
  EXPECT_EQ(received.read(), "too");
  EXPECT_TRUE(received.stream.is_content_done());
  EXPECT_FALSE(sent.stream.is_content_done()) << "each direction ends on its own";
  received.stream.finish();
  pair.run();
  EXPECT_TRUE(sent.stream.is_content_done());
}

TEST(Http2Stream, AServerSaysWhetherItTakesAnExtendedConnect) {
  EXPECT_FALSE(Client().session.takes_extended_connect());
  EXPECT_TRUE(Client(setting(8, 1)).session.takes_extended_connect());
}

TEST(Http2Stream, LargeHeadsTakeSeveralFrames) {
  Http2Pair pair;
  Message& sent = pair.client.add_message();
  HeaderList headers(sent.arena);
  const std::string value = pattern(50'000);
  ASSERT_TRUE(headers.add("a", value));
  sent.stream.expect_response(sent.response);
  sent.stream.send_request("GET", "https", "a", "/", headers, {}, true);
  pair.run();
  EXPECT_EQ(pair.server.last().request.headers.find("a"), value);
}

// --- Informational responses -------------------------------------------------------------------------

TEST(Http2Stream, InformationalResponsesComeFirst) {
  Http2Pair pair;
  Message& sent = pair.client.post();
  pair.run();
  Message& received = pair.server.last();
  received.stream.send_informational(100, HeaderList(received.arena));
  pair.run();
  reads_as(sent, "100  2 none keep-alive\nlength false 0\n");
  EXPECT_EQ(sent.stream.head_progress(), Progress::done);
  sent.response = ResponseHead(sent.arena);
  sent.stream.expect_response(sent.response);
  EXPECT_EQ(sent.stream.head_progress(), Progress::more);
  sent.stream.finish();
  pair.run();
  pair.server.respond(received, 200, "hello");
  pair.run();
  reads_as(sent, "200  2 length=5 keep-alive\nlength true 5\ncontent-length: 5\n");
  EXPECT_EQ(sent.read(), "hello");
}

// They may come together with the final one: none is lost.
TEST(Http2Stream, HeadsThatComeAtOnceAreTakenOneByOne) {
  Client client;
  Message& sent = client.get();
  ASSERT_TRUE(client.receive(headers_frame(1, {{":status", "103"}, {"link", "a"}}, 0) +
                             headers_frame(1, {{":status", "103"}, {"link", "b"}}, 0) +
                             headers_frame(1, {{":status", "200"}}, 0) + frame(Frame::data, end_stream, 1, "hello")));
  EXPECT_EQ(sent.changes, 1U);
  for (const char* head :
       {"103  2 none keep-alive\nlength false 0\nlink: a\n", "103  2 none keep-alive\nlength false 0\nlink: b\n",
        "200  2 chunked keep-alive\nlength false 0\n"}) {
    EXPECT_EQ(sent.stream.head_progress(), Progress::done);
    reads_as(sent, head);
    if (sent.response.status == 200) break;
    sent.response = ResponseHead(sent.arena);
    sent.stream.expect_response(sent.response);
  }
  EXPECT_EQ(sent.read(), "hello");
  EXPECT_TRUE(sent.stream.is_content_done());
}

TEST(Http2Stream, TheyAreBounded) {
  Client client;
  Message& sent = client.get();
  std::string frames;
  for (unsigned i = 0; i < 2 + limits::informational_responses_max; ++i)
    frames += headers_frame(1, {{":status", "103"}}, 0);
  ASSERT_TRUE(client.receive(frames));
  EXPECT_TRUE(sent.stream.is_lost());
  EXPECT_EQ(sent.stream.error(), ReadError::malformed);
}

// --- The end before the end --------------------------------------------------------------------------

TEST(Http2Stream, AResetIsHeardOnTheOtherSide) {
  for (const Http2Error code : {Http2Error::cancel, Http2Error::refused_stream, Http2Error::no_error}) {
    Http2Pair pair;
    Message& sent = pair.client.post();
    pair.run();
    Message& received = pair.server.last();
    received.stream.reset(code);
    EXPECT_TRUE(received.stream.is_lost());
    pair.run();
    EXPECT_TRUE(sent.stream.is_lost());
    EXPECT_EQ(sent.stream.reset_code(), static_cast<uint32_t>(code));
    EXPECT_EQ(sent.stream.may_be_retried(), code == Http2Error::refused_stream);
    EXPECT_EQ(sent.stream.error(), ReadError::none);
    // Goes nowhere, and hurts nobody.
    EXPECT_EQ(sent.stream.writable_bytes(), 0U);
    sent.stream.write(as_bytes("late"));
    sent.stream.consume(10);
    sent.stream.finish();
    sent.stream.reset(code);
    EXPECT_TRUE(pair.client.output.empty());
    EXPECT_EQ(pair.client.session.stream_count(), 0U);
  }
}

TEST(Http2Stream, AClientThatGoesAwayIsHeard) {
  Http2Pair pair;
  Message& sent = pair.client.get();
  pair.run();
  Message& received = pair.server.last();
  received.stream.send_response(200, HeaderList(received.arena), {.body = BodyFraming::chunked}, false);
  pair.client.destroy(sent);
  pair.run();
  EXPECT_TRUE(received.stream.is_lost());
  EXPECT_EQ(received.stream.reset_code(), 8U);
}

// RFC 9113 8.1: a server that has answered and wants no more of the request.
TEST(Http2Stream, ACompleteResponseIsKeptWhenTheRestOfTheRequestIsNotWanted) {
  Http2Pair pair;
  Message& sent = pair.client.post();
  sent.stream.write(as_bytes(pattern(limits::http2_stream_window_bytes + 5)));
  pair.run();
  Message& received = pair.server.last();
  pair.server.respond(received, 413, "no");
  pair.server.destroy(received);
  EXPECT_EQ(reset_code_of(frames_of(pair.server.output), 1), 0U);
  pair.run();
  EXPECT_FALSE(sent.stream.is_lost());
  EXPECT_TRUE(sent.stream.is_sent());
  EXPECT_EQ(sent.stream.writable_bytes(), 0U);
  EXPECT_EQ(sent.response.status, 413);
  EXPECT_EQ(sent.read(), "no");
  EXPECT_TRUE(sent.stream.is_content_done());
  sent.stream.write(as_bytes("goes nowhere"));
}

TEST(Http2Stream, TheCodeOfLeavingSaysWhoIsToBlame) {
  {
    Server server;
    server.destroy(server.post());
    EXPECT_EQ(reset_code_of(server.take_frames(), 1), 2U);
  }
  {
    Server server;
    ASSERT_TRUE(server.receive(headers_frame(1, get_fields({{"a", " b"}}), 0)));
    server.destroy(server.last());
    EXPECT_EQ(reset_code_of(server.take_frames(), 1), 1U);
  }
  {
    Client client;
    client.destroy(client.get());
    EXPECT_EQ(reset_code_of(client.take_frames(), 1), 8U);
  }
  {
    Client client;
    Message& sent = client.get();
    ASSERT_TRUE(client.receive(headers_frame(1, {{":status", "200"}, {"a", " b"}}, 0)));
    client.take_output();
    client.destroy(sent);
    EXPECT_EQ(reset_code_of(client.take_frames(), 1), 1U);
  }
}

TEST(Http2Stream, ARequestIsHeldToItsContentLength) {
  Fields fields = post_fields;
  fields.emplace_back("content-length", "3");
  for (const std::string_view content : {"abcd", "ab"}) {
    Server server;
    ASSERT_TRUE(server.receive(headers_frame(1, fields, 0) + frame(Frame::data, end_stream, 1, content)));
    EXPECT_TRUE(server.last().stream.is_lost());
    EXPECT_EQ(server.last().stream.reset_code(), 1U);
    EXPECT_EQ(server.last().stream.error(), ReadError::malformed);
    EXPECT_EQ(reset_code_of(server.take_frames(), 1), 1U);
  }
}

// A head that was refused is answered like any other.
TEST(Http2Stream, ARefusedHeadIsAnswered) {
  Server server;
  ASSERT_TRUE(server.receive(headers_frame(1, get_fields(Fields(200, {"a", "b"})))));
  Message& message = server.last();
  EXPECT_EQ(message.stream.head_progress(), Progress::failed);
  server.take_output();
  server.respond(message, 431, "too large");
  const auto frames = server.take_frames();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[1].payload, "too large");
  EXPECT_TRUE(message.stream.is_sent());
}

}  // namespace
}  // namespace sluice::http
