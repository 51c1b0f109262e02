#include "base/limits.h"
#include "support/http_reading.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

using test::HttpReading;

HttpReading read(std::string_view input, std::string_view method = "GET") {
  HttpReading whole = test::read_response(input, method);
  EXPECT_EQ(whole, test::read_response(input, method, test::byte_by_byte()))
      << "byte by byte: " << input.substr(0, 200);
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    EXPECT_EQ(whole, test::read_response(input, method, test::at_random(seed)))
        << "seed " << seed << ": " << input.substr(0, 200);
  }
  return whole;
}

struct Accepted {
  std::string_view input;
  std::string_view summary;
  std::string_view body = "";
  std::string_view rest = "";
  std::string_view method = "GET";
};

struct Refused {
  std::string_view input;
  ReadError error;
  std::string_view text;
};

constexpr auto malformed = ReadError::malformed;

void expect_refused(const Refused& expected) {
  const HttpReading reading = read(expected.input);
  EXPECT_FALSE(reading.is_accepted) << expected.input;
  EXPECT_EQ(static_cast<int>(reading.error), static_cast<int>(expected.error)) << expected.input;
  EXPECT_EQ(reading.error_text, expected.text) << expected.input;
}

TEST(Http1ResponseReader, FindsTheEndOfTheContent) {
  const Accepted cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 OK 1.1 length=5 keep-alive", "hello"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1", "200 OK 1.1 length=5 keep-alive", "hello",
       "HTTP/1.1"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 OK 1.1 length=0 keep-alive"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP",
       "200 OK 1.1 chunked keep-alive", "hello", "HTTP"},
      {"HTTP/1.1 200 OK\r\n\r\nhello", "200 OK 1.1 until_close", "hello"},
      {"HTTP/1.1 200 OK\r\n\r\n", "200 OK 1.1 until_close"},
      {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nx", "200 OK 1.1 until_close", "x"},
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "404 Not Found 1.1 length=2 keep-alive", "no"},
      {"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", "999 Odd 1.1 length=0 keep-alive"},
      {"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", "205 Reset Content 1.1 length=0 keep-alive"},
      // No content, whatever the fields say.
      {"HTTP/1.1 204 No Content\r\n\r\nHTTP", "204 No Content 1.1 none keep-alive", "", "HTTP"},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nHTTP", "304 Not Modified 1.1 none keep-alive", "",
       "HTTP"},
      {"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\nHTTP", "304 Not Modified 1.1 none keep-alive",
       "", "HTTP"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP", "200 OK 1.1 none keep-alive", "", "HTTP", "HEAD"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nHTTP", "200 OK 1.1 none keep-alive", "", "HTTP", "HEAD"},
      {"HTTP/1.1 200 OK\r\n\r\nHTTP", "200 OK 1.1 none keep-alive", "", "HTTP", "HEAD"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200", "100 Continue 1.1 none keep-alive", "", "HTTP/1.1 200"},
      {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP", "103 Early Hints 1.1 none keep-alive", "", "HTTP"},
      // A response that announces content which it must not have: not to be followed by another one.
      {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", "204 No Content 1.1 none", "", "hello"},
      {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "204 No Content 1.1 none", "",
       "0\r\n\r\n"},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "204 No Content 1.1 none keep-alive"},
      {"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello", "100 Continue 1.1 none", "", "hello"},
      // What follows is no HTTP any more.
      {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x01x",
       "101 Switching Protocols 1.1 none", "", "\x81\x01x"},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x01x", "101 Switching Protocols 1.1 none", "", "\x81\x01x"},
      {"HTTP/1.1 200 Connection established\r\n\r\n\x16\x03", "200 Connection established 1.1 none", "", "\x16\x03",
       "CONNECT"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\x16\x03", "200 OK 1.1 none", "", "\x16\x03", "CONNECT"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\x16\x03", "200 OK 1.1 none", "", "\x16\x03", "CONNECT"},
      {"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "403 Forbidden 1.1 length=2 keep-alive", "no", "",
       "CONNECT"},
      // An Upgrade field without 101 only announces.
      {"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nxHTTP",
       "200 OK 1.1 length=1 keep-alive", "x", "HTTP"},
      {"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: "
       "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nHTTP",
       "200 OK 1.1 chunked keep-alive", "x", "HTTP"},
      {"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nx", "200 OK 1.1 until_close", "x"},
  };
  for (const Accepted& each : cases) {
    const HttpReading reading = read(each.input, each.method);
    EXPECT_TRUE(reading.is_accepted) << each.input << reading.error_text;
    EXPECT_EQ(reading.summary, each.summary) << each.input;
    EXPECT_EQ(reading.body, each.body) << each.input;
    EXPECT_EQ(reading.rest, each.rest) << each.input;
  }
}

TEST(Http1ResponseReader, KnowsWhetherTheConnectionMayBeUsedAgain) {
  struct {
    std::string_view head;
    bool persists;
  } cases[] = {
      {"HTTP/1.1 200 OK\r\n", true},
      {"HTTP/1.1 200 OK\r\nConnection: close\r\n", false},
      {"HTTP/1.1 200 OK\r\nConnection: Close, foo\r\n", false},
      {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n", true},
      {"HTTP/1.1 200 OK\r\nProxy-Connection: close\r\n", true},
      {"HTTP/1.0 200 OK\r\n", false},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", true},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n", false},
      {"HTTP/1.0 200 OK\r\nKeep-Alive: max=5\r\n", false},
  };
  for (const auto& [head, persists] : cases) {
    const HttpReading reading = read(fmt::format("{}Content-Length: 0\r\n\r\n", head));
    EXPECT_TRUE(reading.is_accepted);
    EXPECT_EQ(reading.summary.ends_with(" keep-alive"), persists) << head;
  }
}

TEST(Http1ResponseReader, ReadsStatusLines) {
  struct {
    std::string_view line, summary;
  } cases[] = {
      {"HTTP/1.1 200 OK", "200 OK 1.1 length=0 keep-alive"},
      {"HTTP/1.1 200 ", "200  1.1 length=0 keep-alive"},
      {"HTTP/1.1 200", "200  1.1 length=0 keep-alive"},
      {"HTTP/1.1 200  two  spaces ", "200 two  spaces 1.1 length=0 keep-alive"},
      {"HTTP/1.1 200 \xc3\xa4\t!", "200 \xc3\xa4\t! 1.1 length=0 keep-alive"},
      {"HTTP/1.0 500 Oops", "500 Oops 1.0 length=0"},
  };
  for (const auto& [line, summary] : cases) {
    EXPECT_EQ(read(fmt::format("{}\r\nContent-Length: 0\r\n\r\n", line)).summary, summary) << line;
  }
}

TEST(Http1ResponseReader, KeepsTheLengthThatAResponseToHeadAnnounces) {
  EXPECT_NE(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD").head.find("\nlength true 5\n"),
            std::string::npos);
  EXPECT_NE(read("HTTP/1.1 200 OK\r\n\r\n", "HEAD").head.find("\nlength false 0\n"), std::string::npos);
  EXPECT_NE(read("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n").head.find("\nlength true 7\n"),
            std::string::npos);
}

TEST(Http1ResponseReader, RefusesBrokenResponses) {
  const Refused cases[] = {
      {"HTTP/1.1 099 x\r\n\r\n", malformed, "http1.invalid_status"},
      {"HTTP/1.1 000 x\r\n\r\n", malformed, "http1.invalid_status"},
      {"HTTP/1.1 20 OK\r\n\r\n", malformed, "http1.invalid_status"},
      {"HTTP/1.1 2000 OK\r\n\r\n", malformed, "http1.invalid_status"},
      {"HTTP/1.1 2x0 OK\r\n\r\n", malformed, "http1.invalid_status"},
      {"HTTP/1.1 -20 OK\r\n\r\n", malformed, "http1.invalid_status"},
      {"HTTP/1.1  200 OK\r\n\r\n", malformed, "http1.invalid_status"},
      {"HTTP/1.1 200\tOK\r\n\r\n", malformed, "http1.invalid_status"},
      {"HTTP/1.1\r\n\r\n", malformed, "http1.invalid_version"},
      {"HTTP/1.1200 OK\r\n\r\n", malformed, "http1.invalid_version"},
      {"HTTP/1 200 OK\r\n\r\n", malformed, "http1.invalid_version"},
      {"HTTP/1.x 200 OK\r\n\r\n", malformed, "http1.invalid_version"},
      {"http/1.1 200 OK\r\n\r\n", malformed, "http1.invalid_version"},
      {"ICY 200 OK\r\n\r\n", malformed, "http1.invalid_version"},
      {"RTSP/1.0 200 OK\r\n\r\n", malformed, "http1.invalid_version"},
      {"HTTP/2.0 200 OK\r\n\r\n", ReadError::version_not_supported, "http1.version_not_supported"},
      {"HTTP/1.2 200 OK\r\n\r\n", ReadError::version_not_supported, "http1.version_not_supported"},
      {"HTTP/0.9 200 OK\r\n\r\n", ReadError::version_not_supported, "http1.version_not_supported"},
      {"\r\nHTTP/1.1 200 OK\r\n\r\n", malformed, "http1.invalid_line_end"},
      {"\nHTTP/1.1 200 OK\r\n\r\n", malformed, "http1.invalid_line_end"},
      {" HTTP/1.1 200 OK\r\n\r\n", malformed, "http1.invalid_version"},
      {"<html>", malformed, "http1.invalid_version"},
      {"HTTP/1.1 200 OK\n\r\n", malformed, "http1.invalid_line_end"},
      {"HTTP/1.1 200 OK\rX", malformed, "http1.codec_error"},
      {"HTTP/1.1 200 O\x01K\r\n\r\n", malformed, "http1.invalid_reason"},
      {"HTTP/1.1 200 O\x7fK\r\n\r\n", malformed, "http1.invalid_reason"},
      {"HTTP/1.1 200 OK\r\n X: y\r\n\r\n", malformed, "http1.invalid_field"},
      {"HTTP/1.1 200 OK\r\nX : y\r\n\r\n", malformed, "http1.invalid_field"},
      {"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", malformed, "http1.invalid_field"},
      {"HTTP/1.1 200 OK\r\nX: y\nZ: z\r\n\r\n", malformed, "http1.invalid_line_end"},
      {"HTTP/1.1 200 OK\r\nX: a\x01"
       "b\r\n\r\n",
       malformed, "http1.invalid_field"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", malformed, "http1.invalid_content_length"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", malformed, "http1.invalid_content_length"},
      {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", malformed, "http1.invalid_content_length"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", malformed,
       "http1.invalid_transfer_encoding"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", malformed,
       "http1.invalid_content_length"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", malformed, "http1.invalid_transfer_encoding"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", malformed,
       "http1.invalid_transfer_encoding"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n", malformed,
       "http1.invalid_transfer_encoding"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", malformed, "http1.invalid_transfer_encoding"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: ,\r\n\r\n", malformed, "http1.invalid_transfer_encoding"},
      {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", malformed, "http1.transfer_encoding_in_1_0"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", ReadError::not_implemented,
       "http1.unknown_transfer_coding"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ReadError::not_implemented,
       "http1.unknown_transfer_coding"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", malformed, "http1.invalid_chunk_size"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", malformed,
       "http1.forbidden_trailer"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", ReadError::truncated, "http1.truncated"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r", ReadError::truncated,
       "http1.truncated"},
      {"HTTP/1.1 200 OK\r\n", ReadError::truncated, "http1.truncated"},
      {"H", ReadError::truncated, "http1.truncated"},
  };
  for (const Refused& each : cases) expect_refused(each);
}

TEST(Http1ResponseReader, KeepsTrailersAlsoThoseThatARequestMustNotHave) {
  const HttpReading reading = read(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nGrpc-Status: 0\r\nX-Envoy-Upstream: "
      "a\r\ngrpc-message:\r\n\r\n");
  EXPECT_EQ(reading.trailers, "grpc-status: 0\nx-envoy-upstream: a\ngrpc-message: \n");
}

TEST(Http1ResponseReader, ReadsInformationalResponsesAndThenTheFinalOne) {
  const std::string_view input =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
      "2\r\n\r\nokHTTP/1.1 204 No\r\n\r\n";
  for (const test::Cut& cut : {test::in_one_piece(), test::byte_by_byte(), test::at_random(2)}) {
    Http1Reader reader(Http1Reader::Role::responses);
    Arena arena(limits::exchange_arena_bytes_max);
    std::string_view rest = input;
    for (const unsigned status : {100U, 103U, 200U, 204U}) {
      arena.reset();
      ResponseHead head(arena);
      reader.begin_response(head, "GET");
      const HttpReading reading = test::read_message(reader, head, rest, cut);
      ASSERT_TRUE(reading.is_accepted) << reading.error_text;
      EXPECT_EQ(head.status, status);
      EXPECT_EQ(reading.body, status == 200 ? "ok" : "");
      rest.remove_prefix(rest.size() - reading.rest.size());
    }
    EXPECT_EQ(rest, "");
  }
}

TEST(Http1ResponseReader, LetsContentUntilTheCloseOfTheConnectionPassBy) {
  Arena arena(limits::exchange_arena_bytes_max);
  ResponseHead head(arena);
  Http1Reader reader(Http1Reader::Role::responses);
  reader.begin_response(head, "GET");
  EXPECT_EQ(reader.read_head(as_bytes("HTTP/1.1 200 OK\r\n\r\n")).progress, Progress::done);
  EXPECT_EQ(reader.passable_bytes(), UINT64_MAX);
  reader.pass_by(1'000'000);
  EXPECT_EQ(reader.passable_bytes(), UINT64_MAX);
  EXPECT_FALSE(reader.is_body_done());
  EXPECT_TRUE(reader.end_of_input());
  EXPECT_TRUE(reader.is_body_done());
  EXPECT_EQ(reader.passable_bytes(), 0U);
}

TEST(Http1ResponseReader, LetsNoChunkPassBy) {
  Arena arena(limits::exchange_arena_bytes_max);
  ResponseHead head(arena);
  Http1Reader reader(Http1Reader::Role::responses);
  reader.begin_response(head, "GET");
  EXPECT_EQ(reader.read_head(as_bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")).progress,
            Progress::done);
  EXPECT_EQ(reader.passable_bytes(), 0U);
}

}  // namespace
}  // namespace sluice::http
