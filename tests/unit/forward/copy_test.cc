#include "forward/copy.h"

#include "base/limits.h"
#include "forward/http1_content.h"
#include "http/http1_reader.h"
#include "stream_pair.h"

namespace sluice::forward {
namespace {

using test::StreamPair;
using namespace std::chrono_literals;

// A reader that has read the head of a response with this framing.
class ReadHead {
 public:
  explicit ReadHead(std::string_view framing) {
    reader.begin_response(head_, "GET");
    const std::string text = "HTTP/1.1 200 OK\r\n" + std::string(framing) + "\r\n";
    EXPECT_EQ(reader.read_head(as_bytes(text)).progress, http::Progress::done);
  }
  http::Http1Reader reader{http::Http1Reader::Role::responses};

 private:
  Arena arena_{limits::exchange_arena_bytes_max};
  http::ResponseHead head_{arena_};
};

std::string some_text(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

// Copies until the pump says something else than "wait" or "go on".
CopyStatus copy_all(StreamPair& pair, http::Http1Reader& reader, BodyEncoding encoding, uint64_t* bytes = nullptr) {
  CopyStatus status = CopyStatus::blocked;
  EXPECT_TRUE(pair.turn_until([&] {
    Http1Source source(reader, pair.source());
    Http1Sink sink(pair.sink());
    sink.set_encoding(encoding);
    const CopyResult copied = copy_content(source, &sink);
    pair.sink().flush();
    if (bytes != nullptr) *bytes += copied.bytes;
    status = copied.status;
    return status != CopyStatus::blocked && status != CopyStatus::yield;
  }));
  return status;
}

TEST(CopyContent, MovesABodyOfKnownLengthAndLeavesWhatFollows) {
  const std::string body = some_text(300'000);
  StreamPair pair;
  ReadHead head("Content-Length: 300000\r\n");
  pair.say(body + "the next message");
  uint64_t bytes = 0;
  EXPECT_EQ(copy_all(pair, head.reader, BodyEncoding::identity, &bytes), CopyStatus::done);
  EXPECT_EQ(bytes, body.size());
  EXPECT_TRUE(pair.turn_until([&] { return pair.heard().size() == body.size(); }));
  EXPECT_TRUE(pair.heard() == body);
  EXPECT_TRUE(pair.turn_until([&] { return pair.source().stream().receive_queue().size() == 16; }));
}

TEST(CopyContent, ReadsChunksAndWritesThemAsTheyAreOrAnew) {
  for (const BodyEncoding encoding : {BodyEncoding::identity, BodyEncoding::chunked}) {
    StreamPair pair;
    ReadHead head("Transfer-Encoding: chunked\r\n");
    pair.say("5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n");
    EXPECT_EQ(copy_all(pair, head.reader, encoding), CopyStatus::done);
    ASSERT_TRUE(pair.turn_until([&] { return pair.sink().has_sent_all() && pair.heard().size() >= 12; }));
    for (int i = 0; i < 20; ++i) pair.loop().turn(10ms);
    pair.turn_until([] { return true; });
    if (encoding == BodyEncoding::identity) {
      EXPECT_EQ(pair.heard(), "hello, world");
    } else {
      EXPECT_TRUE(pair.heard().ends_with("\r\n0\r\n\r\n")) << pair.heard();
    }
  }
}

TEST(CopyContent, EndsABodyThatEndsWithTheConnection) {
  StreamPair pair;
  ReadHead head("");
  pair.say("all of it");
  pair.finish();
  EXPECT_EQ(copy_all(pair, head.reader, BodyEncoding::identity), CopyStatus::done);
  EXPECT_TRUE(pair.turn_until([&] { return pair.heard() == "all of it"; }));
}

TEST(CopyContent, AResetIsNotTheEndOfABodyThatEndsWithTheConnection) {
  StreamPair pair;
  ReadHead head("");
  pair.say("half of it");
  ASSERT_TRUE(pair.turn_until([&] { return pair.source().stream().receive_queue().size() == 10; }));
  pair.source_peer().reset();
  EXPECT_EQ(copy_all(pair, head.reader, BodyEncoding::identity), CopyStatus::source_ended);
}

TEST(CopyContent, TellsASourceThatEndsTooEarlyAndOneThatTalksNonsense) {
  {
    StreamPair pair;
    ReadHead head("Content-Length: 10\r\n");
    pair.say("short");
    pair.finish();
    EXPECT_EQ(copy_all(pair, head.reader, BodyEncoding::identity), CopyStatus::source_ended);
  }
  StreamPair pair;
  ReadHead head("Transfer-Encoding: chunked\r\n");
  pair.say("no chunk size\r\n");
  EXPECT_EQ(copy_all(pair, head.reader, BodyEncoding::identity), CopyStatus::source_failed);
}

TEST(CopyContent, TellsASinkThatTakesNoMore) {
  StreamPair pair;
  ReadHead head("Content-Length: 10000000\r\n");
  pair.sink_peer().reset();
  pair.say(some_text(10'000'000));
  EXPECT_EQ(copy_all(pair, head.reader, BodyEncoding::identity), CopyStatus::sink_failed);
}

// A slow reader stops the source; memory stays bounded.
TEST(CopyContent, TakesOnlyWhatTheSinkHasRoomFor) {
  StreamPair pair;
  ReadHead head("Content-Length: 10000000\r\n");
  pair.is_listening = false;
  pair.say(some_text(10'000'000));
  for (int turns = 0; turns < 2'000; ++turns) {
    pair.turn_until([&, is_second = false]() mutable { return std::exchange(is_second, true); });
    Http1Source source(head.reader, pair.source());
    Http1Sink sink(pair.sink());
    static_cast<void>(copy_content(source, &sink));
    pair.sink().flush();
    ASSERT_LE(pair.sink().stream().unsent_bytes(), limits::write_high_bytes);
  }
  EXPECT_GT(pair.sink().stream().unsent_bytes(), limits::write_high_bytes / 2);
  EXPECT_LE(pair.source().stream().receive_queue().size(), limits::read_high_bytes + 64 * limits::receive_buffer_bytes);
}

// After a switch of protocols, whatever the heads have said.
TEST(CopyContent, MovesBytesAndPassesTheEndOn) {
  for (const bool is_reset : {false, true}) {
    StreamPair pair;
    ReadHead head("Content-Length: 5\r\n");
    const std::string bytes = some_text(300'000);
    pair.say(bytes);
    if (!is_reset) pair.finish();
    Http1Source source(head.reader, pair.source());
    Http1Sink sink(pair.sink());
    source.switch_to_bytes();
    sink.set_encoding(BodyEncoding::bytes);
    EXPECT_FALSE(sink.is_passable());
    CopyStatus status = CopyStatus::blocked;
    ASSERT_TRUE(pair.turn_until([&] {
      status = copy_content(source, &sink).status;
      pair.sink().flush();
      if (is_reset && pair.heard().size() == bytes.size()) pair.source_peer().reset();
      return status != CopyStatus::blocked && status != CopyStatus::yield;
    }));
    EXPECT_EQ(status, is_reset ? CopyStatus::source_ended : CopyStatus::done);
    ASSERT_TRUE(pair.turn_until([&] { return pair.heard().size() == bytes.size(); }));
    EXPECT_TRUE(pair.heard() == bytes);
    EXPECT_TRUE(is_reset || pair.turn_until([&] { return pair.sink_peer().has_peer_finished(); }));
  }
}

TEST(CopyContent, WithoutASinkReadsABodyOffAndDropsIt) {
  StreamPair pair;
  ReadHead head("Content-Length: 100000\r\n");
  pair.say(some_text(100'000));
  uint64_t bytes = 0;
  ASSERT_TRUE(pair.turn_until([&] {
    Http1Source source(head.reader, pair.source());
    const CopyResult copied = copy_content(source, nullptr);
    bytes += copied.bytes;
    return copied.status == CopyStatus::done;
  }));
  EXPECT_EQ(bytes, 100'000U);
}

TEST(CopyBytes, MovesEverythingAndPassesTheEndOn) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    StreamPair pair(seed);
    const std::string text = some_text(200'000 + 1000 * seed);
    pair.say(text);
    pair.finish();
    CopyStatus status = CopyStatus::blocked;
    ASSERT_TRUE(pair.turn_until([&] {
      status = copy_bytes(pair.source(), pair.sink()).status;
      pair.sink().flush();
      return status == CopyStatus::done;
    })) << "seed "
        << seed;
    EXPECT_TRUE(pair.turn_until([&] { return pair.heard().size() == text.size(); }));
    EXPECT_TRUE(pair.heard() == text) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sluice::forward
