#include "http/http1_writer.h"

#include "base/limits.h"
#include "support/http_reading.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

using test::TextSink;

struct Fields {
  Fields(std::initializer_list<HeaderField> fields) : arena(64 * 1024), list(arena) {
    for (const auto& [name, value] : fields) EXPECT_TRUE(list.add(name, value));
  }

  Arena arena;
  HeaderList list;
};

std::string request_text(const MessageFraming& framing) {
  const Fields fields{{"host", "a"}, {"x", ""}};
  TextSink out;
  write_request_head(out.sink(), "POST", "/p?q", fields.list, framing);
  return out.text();
}

std::string response_text(uint16_t status, std::string_view reason, const MessageFraming& framing) {
  const Fields fields{{"x", "y z"}};
  TextSink out;
  write_response_head(out.sink(), status, reason, fields.list, framing);
  return out.text();
}

TEST(Http1Writer, WritesRequestHeads) {
  constexpr std::string_view start = "POST /p?q HTTP/1.1\r\nhost: a\r\nx: \r\n";
  struct {
    MessageFraming framing;
    std::string_view lines;
  } cases[] = {
      {{}, "\r\n"},
      {{.body = BodyFraming::content_length, .content_length = 5}, "content-length: 5\r\n\r\n"},
      {{.body = BodyFraming::content_length, .content_length = 0}, "content-length: 0\r\n\r\n"},
      {{.body = BodyFraming::content_length, .content_length = UINT64_MAX},
       "content-length: 18446744073709551615\r\n\r\n"},
      {{.show_content_length = true}, "content-length: 0\r\n\r\n"},
      {{.body = BodyFraming::chunked}, "transfer-encoding: chunked\r\n\r\n"},
      {{.close = true}, "connection: close\r\n\r\n"},
      {{.keep_alive = true}, "connection: keep-alive\r\n\r\n"},
      {{.upgrade = "websocket"}, "connection: upgrade\r\nupgrade: websocket\r\n\r\n"},
  };
  for (const auto& [framing, lines] : cases) EXPECT_EQ(request_text(framing), fmt::format("{}{}", start, lines));
}

TEST(Http1Writer, WritesResponseHeads) {
  EXPECT_EQ(response_text(200, "", {.body = BodyFraming::content_length, .content_length = 12}),
            "HTTP/1.1 200 OK\r\nx: y z\r\ncontent-length: 12\r\n\r\n");
  EXPECT_EQ(response_text(200, "Fine", {.body = BodyFraming::chunked, .keep_alive = true}),
            "HTTP/1.1 200 Fine\r\nx: y z\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n");
  EXPECT_EQ(response_text(404, "", {.body = BodyFraming::until_close, .close = true}),
            "HTTP/1.1 404 Not Found\r\nx: y z\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(response_text(304, "", {.content_length = 9, .show_content_length = true}),
            "HTTP/1.1 304 Not Modified\r\nx: y z\r\ncontent-length: 9\r\n\r\n");
  EXPECT_EQ(response_text(101, "", {.upgrade = "websocket"}),
            "HTTP/1.1 101 Switching Protocols\r\nx: y z\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  EXPECT_EQ(response_text(799, "", {}), "HTTP/1.1 799 Unknown\r\nx: y z\r\n\r\n");
}

// RFC 9110 8.6: a 1xx or 204 never tells a length, so a length that is there is not told unless it is to be shown.
TEST(Http1Writer, TellsNoLengthOfAResponseThatHasNoContent) {
  EXPECT_EQ(response_text(204, "", {}), "HTTP/1.1 204 No Content\r\nx: y z\r\n\r\n");
  EXPECT_EQ(response_text(204, "", {.content_length = 5}), "HTTP/1.1 204 No Content\r\nx: y z\r\n\r\n");
  EXPECT_EQ(response_text(204, "", {.close = true}), "HTTP/1.1 204 No Content\r\nx: y z\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(response_text(103, "", {.content_length = 5}), "HTTP/1.1 103 Early Hints\r\nx: y z\r\n\r\n");
}

TEST(Http1Writer, WritesChunks) {
  TextSink out;
  write_chunk(out.sink(), as_bytes("hello"));
  write_chunk(out.sink(), as_bytes(std::string(26, 'x')));
  write_last_chunk(out.sink(), nullptr);
  EXPECT_EQ(out.text(), fmt::format("5\r\nhello\r\n1a\r\n{}\r\n0\r\n\r\n", std::string(26, 'x')));
}

TEST(Http1Writer, WritesTrailers) {
  const Fields trailers{{"grpc-status", "0"}, {"grpc-message", ""}};
  TextSink out;
  write_last_chunk(out.sink(), &trailers.list);
  EXPECT_EQ(out.text(), "0\r\ngrpc-status: 0\r\ngrpc-message: \r\n\r\n");
}

TEST(Http1Writer, DiesWhenAChunkIsEmpty) {
  TextSink out;
  EXPECT_DEATH(write_chunk(out.sink(), {}), "empty");
}

TEST(Http1Writer, KnowsTheReasonsOfTheUsualStatuses) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(301), "Moved Permanently");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_phrase(503), "Service Unavailable");
  EXPECT_EQ(reason_phrase(418), "Unknown");
  EXPECT_EQ(reason_phrase(0), "Unknown");
}

// What is written is read as what was meant.
TEST(Http1Writer, WritesWhatTheReaderUnderstands) {
  struct {
    MessageFraming framing;
    std::string_view content, summary;
  } cases[] = {
      {{}, "", "POST /p?q host=a 1.1 none keep-alive"},
      {{.body = BodyFraming::content_length, .content_length = 5}, "hello", "POST /p?q host=a 1.1 length=5 keep-alive"},
      {{.body = BodyFraming::chunked}, "hello", "POST /p?q host=a 1.1 chunked keep-alive"},
      {{.body = BodyFraming::chunked, .close = true}, "hello", "POST /p?q host=a 1.1 chunked"},
      {{.upgrade = "websocket"}, "", "POST /p?q host=a 1.1 none keep-alive upgrade=websocket"},
  };
  for (const auto& [framing, content, summary] : cases) {
    const Fields trailers{{"sum", "1"}};
    const bool is_chunked = framing.body == BodyFraming::chunked;
    TextSink out;
    const Fields fields{{"host", "a"}, {"x", ""}};
    write_request_head(out.sink(), "POST", "/p?q", fields.list, framing);
    if (is_chunked) {
      for (const char& c : content) write_chunk(out.sink(), as_bytes({&c, 1}));
      write_last_chunk(out.sink(), &trailers.list);
    } else {
      out.sink().append(as_bytes(content));
    }
    const test::HttpReading reading = test::read_request(out.text());
    EXPECT_TRUE(reading.is_accepted) << out.text() << reading.error_text;
    EXPECT_EQ(reading.summary, summary);
    EXPECT_EQ(reading.body, content);
    EXPECT_EQ(reading.trailers, is_chunked ? "sum: 1\n" : "");
    EXPECT_EQ(reading.rest, "");
  }
}

TEST(Http1Writer, WritesEveryStatusSoThatItIsRead) {
  for (unsigned status = 100; status < 1000; ++status) {
    TextSink out;
    const Fields fields{};
    write_response_head(out.sink(), static_cast<uint16_t>(status), "", fields.list, {.show_content_length = true});
    const test::HttpReading reading = test::read_response(out.text());
    EXPECT_TRUE(reading.is_accepted) << out.text();
    EXPECT_TRUE(
        reading.summary.starts_with(fmt::format("{} {} 1.1 ", status, reason_phrase(static_cast<uint16_t>(status)))))
        << reading.summary;
  }
}

}  // namespace
}  // namespace sluice::http
