#include "http/http2_head_reader.h"

#include "support/http2_ends.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

using namespace sluice::test;
using Message = Http2End::Message;

// How one header block was read.
struct Reading {
  bool is_broken = false;  // the connection
  bool is_lost = false;    // nghttp2 has reset the stream
  uint32_t reset_code = 0;
  Progress progress = Progress::more;
  ReadError error = ReadError::none;
  std::string error_text;
  HttpReading reading;  // of the head
  std::string trailers;
};

template <typename Head>
Reading reading_of(bool is_broken, const Message& message, const Head& head) {
  Reading result{.is_broken = is_broken,
                 .is_lost = message.stream.is_lost(),
                 .reset_code = message.stream.reset_code(),
                 .progress = message.stream.head_progress(),
                 .error = message.stream.error(),
                 .error_text = std::string(message.stream.error_text())};
  describe(head, result.reading);
  bool is_final = result.progress == Progress::done && !result.is_lost;
  if constexpr (requires { head.status; }) is_final = is_final && head.status >= 200;
  if (is_final) result.trailers = fields_text(message.stream.trailers());
  return result;
}

Reading read_request(std::string_view frames) {
  Http2End server(Http2End::Role::server);
  const bool is_broken = !server.receive(client_preface() + std::string(frames));
  if (server.messages.empty()) return {.is_broken = is_broken};
  return reading_of(is_broken, server.last(), server.last().request);
}

Reading read_request(const Fields& fields, uint8_t flags = end_stream) {
  return read_request(headers_frame(1, fields, flags));
}

Reading read_response(std::string_view frames, std::string_view method = "GET") {
  Http2End client(Http2End::Role::client);
  EXPECT_TRUE(client.receive(server_preface()));
  Message& message = client.get("/", method);
  const bool is_broken = !client.receive(frames);
  return reading_of(is_broken, message, message.response);
}

Reading read_response(const Fields& fields, uint8_t flags = end_stream, std::string_view method = "GET") {
  return read_response(headers_frame(1, fields, flags), method);
}

Fields extended_connect(std::string_view protocol, const Fields& more = {}) {
  Fields fields{{":method", "CONNECT"},
                {":protocol", std::string(protocol)},
                {":scheme", "https"},
                {":authority", "a.example:8443"},
                {":path", "/chat?room=1"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

// --- The same as HTTP/1 ----------------------------------------------------------------------------

std::string as_http1(const Fields& fields) {
  std::string method, target, authority, rest;
  for (const auto& [name, value] : fields) {
    if (name == ":method") method = value;
    if (name == ":path") target = value;
    if (name == ":authority") authority = value;
    if (!name.starts_with(':')) rest += fmt::format("{}: {}\r\n", name, value);
  }
  if (target.empty()) target = authority;
  const std::string host = authority.empty() ? "" : fmt::format("host: {}\r\n", authority);
  return fmt::format("{} {} HTTP/1.1\r\n{}{}\r\n", method, target, host, rest);
}

TEST(Http2HeadReader, ReadsRequestsAsHttp1Does) {
  const Fields requests[] = {
      get_fields(),
      get_fields({{"accept", "*/*"}, {"x-a", "1"}, {"x-a", ""}}),
      get_fields({{"te", "trailers"}, {"cookie", "a=b; c=d"}}),
      get_fields({{"x-obs", "\xc3\xa4"}, {"x-tab", "a\tb"}}),
      {{":method", "POST"},
       {":scheme", "http"},
       {":authority", "A.Example.:8080"},
       {":path", "/%2e/x?"},
       {"content-length", "0"}},
      {{":method", "OPTIONS"}, {":scheme", "https"}, {":authority", "a"}, {":path", "*"}},
      {{":method", "QUERY"}, {":scheme", "https"}, {":authority", "[::1]:1"}, {":path", "/?a=b?c"}},
      {{":method", "CONNECT"}, {":authority", "a.example:443"}},
      {{":method", "GET"}, {":scheme", "HTTPS"}, {":path", "//x//"}, {"host", "a.example"}, {"a", "b"}},
      get_fields({{"expect", "100-continue"}}),  // without content
      get_fields({{"x-forwarded-for", "1.2.3.4"}, {"x-envoy-a", "b"}}),
  };
  for (const Fields& fields : requests) {
    SCOPED_TRACE(as_http1(fields));
    const Reading reading = read_request(fields);
    EXPECT_EQ(reading.progress, Progress::done) << reading.error_text;
    EXPECT_FALSE(reading.is_lost || reading.is_broken);
    HttpReading http1 = test::read_request(as_http1(fields));
    EXPECT_TRUE(http1.is_accepted) << http1;
    http1.head.replace(http1.head.find(" 1.1 "), 5, " 2 ");
    EXPECT_EQ(reading.reading.head, http1.head);
  }
}

// The same requests are refused for the same reason. What nghttp2 refuses itself is in the next table.
TEST(Http2HeadReader, RefusesRequestsAsHttp1Does) {
  const auto with_path = [](std::string_view path) {
    return Fields{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", std::string(path)}};
  };
  const auto with_authority = [](std::string_view authority) {
    return Fields{{":method", "GET"}, {":scheme", "https"}, {":authority", std::string(authority)}, {":path", "/"}};
  };
  const Fields requests[] = {
      with_path("/#"),
      with_path("/" + std::string(limits::target_bytes_max, 'a')),
      with_authority("user@a"),
      with_authority("a:99999"),
      with_authority("[::1"),
      with_authority(std::string(limits::host_bytes_max + 1, 'a')),
      with_authority("a,b"),
      {{":method", "DESCRIBE"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}},
      {{":method", "CONNECT"}, {":authority", "a"}},
      {{":method", "CONNECT"}, {":authority", "a:1"}, {"content-length", "1"}},
      {{":method", "FOO"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}},
      get_fields({{"cookie", std::string(limits::head_bytes_max, 'a')}}),
      get_fields(Fields(limits::header_count_max, {"a", "b"})),
  };
  for (const Fields& fields : requests) {
    SCOPED_TRACE(as_http1(fields).substr(0, 200));
    const Reading reading = read_request(fields);
    const HttpReading http1 = test::read_request(as_http1(fields));
    EXPECT_EQ(reading.progress, Progress::failed);
    EXPECT_FALSE(reading.is_lost || reading.is_broken);
    EXPECT_NE(reading.error, ReadError::none);
    EXPECT_EQ(reading.error, http1.error) << reading.error_text << " " << http1.error_text;
    EXPECT_TRUE(reading.error_text.starts_with("http2.")) << reading.error_text;
  }
}

// --- What RFC 9113 8 calls malformed -----------------------------------------------------------------

TEST(Http2HeadReader, RefusesMalformedRequests) {
  struct Case {
    const char* name;
    Fields fields;
    std::string_view error_text;  // empty: nghttp2 has reset the stream
    uint8_t flags = end_stream;
  };
  const Case cases[] = {
      {"no method", {{":scheme", "https"}, {":authority", "a"}, {":path", "/"}}, ""},
      {"no scheme", {{":method", "GET"}, {":authority", "a"}, {":path", "/"}}, ""},
      {"no path", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}}, ""},
      {"no authority and no host", {{":method", "GET"}, {":scheme", "https"}, {":path", "/"}}, ""},
      {"empty authority", {{":method", "GET"}, {":scheme", "https"}, {":authority", ""}, {":path", "/"}}, ""},
      {"empty path", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", ""}}, ""},
      {"empty method", {{":method", ""}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}}, ""},
      {"empty scheme", {{":method", "GET"}, {":scheme", ""}, {":authority", "a"}, {":path", "/"}}, ""},
      {"empty host", {{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"host", ""}}, ""},
      {"path without slash", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "a"}}, ""},
      {"path without slash, other scheme",
       {{":method", "GET"}, {":scheme", "ftp"}, {":authority", "a"}, {":path", "a"}},
       "http2.unknown_scheme"},
      {"absolute form", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "http://a/"}}, ""},
      {"asterisk without OPTIONS", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "*"}}, ""},
      {"space in path", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/ "}}, ""},
      {"control in path", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/\x01"}}, ""},
      {"fragment in path",
       {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/#a"}},
       "http2.invalid_target"},
      {"obs-text in path",
       {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/\xc3\xa4"}},
       "http2.invalid_target"},
      {"method that is no token", {{":method", "G T"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}}, ""},
      {"scheme that is none", {{":method", "GET"}, {":scheme", "1"}, {":authority", "a"}, {":path", "/"}}, ""},
      {"repeated method", get_fields({{":method", "GET"}}), ""},
      {"pseudo-header field behind others", get_fields({{"a", "b"}, {":path", "/"}}), ""},
      {"unknown pseudo-header field", {{":method", "GET"}, {":a", "b"}}, ""},
      {"pseudo-header field of responses", {{":status", "200"}, {":method", "GET"}}, ""},
      {"extended CONNECT without path",
       {{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "a"}},
       ""},
      {"extended CONNECT without authority",
       {{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":path", "/"}, {"host", "a"}},
       ""},
      {"protocol without CONNECT",
       {{":method", "GET"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}},
       ""},
      {"repeated protocol", extended_connect("websocket", {{":protocol", "websocket"}}), ""},
      {"empty protocol", extended_connect(""), ""},
      {"protocol that is no token", extended_connect("web socket"), "http2.invalid_protocol"},
      {"protocols", extended_connect("websocket,h2c"), "http2.invalid_protocol"},
      {"h2c", extended_connect("H2C"), "http2.invalid_protocol"},
      {"h2", extended_connect("h2"), "http2.invalid_protocol"},
      {"extended CONNECT with a length", extended_connect("websocket", {{"content-length", "0"}}),
       "http2.connect_with_content"},
      {"extended CONNECT with an Upgrade", extended_connect("websocket", {{"upgrade", "websocket"}}), ""},
      {"CONNECT with path", {{":method", "CONNECT"}, {":scheme", "https"}, {":authority", "a:1"}, {":path", "/"}}, ""},
      {"CONNECT without authority", {{":method", "CONNECT"}, {"host", "a:1"}}, ""},
      {"CONNECT with another host",
       {{":method", "CONNECT"}, {":authority", "a:1"}, {"host", "b:1"}},
       "http2.host_differs_from_authority"},
      {"another host", get_fields({{"host", "b.example"}}), "http2.host_differs_from_authority"},
      {"host with port", get_fields({{"host", "a.example:443"}}), "http2.host_differs_from_authority"},
      {"repeated host", get_fields({{"host", "a.example"}, {"host", "a.example"}}), ""},
      {"repeated host without authority",
       {{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"host", "a"}, {"host", "a"}},
       ""},
      {"user information",
       {{":method", "GET"}, {":scheme", "https"}, {":authority", "u@a"}, {":path", "/"}},
       "http2.invalid_host"},
      {"upper case", get_fields({{"Accept", "b"}}), ""},
      {"connection", get_fields({{"connection", "close"}}), ""},
      {"keep-alive", get_fields({{"keep-alive", "1"}}), ""},
      {"proxy-connection", get_fields({{"proxy-connection", "close"}}), ""},
      {"transfer-encoding", get_fields({{"transfer-encoding", "chunked"}}), ""},
      {"upgrade", get_fields({{"upgrade", "h2c"}}), ""},
      {"te", get_fields({{"te", "gzip"}}), ""},
      {"te, a list", get_fields({{"te", "trailers, gzip"}}), ""},
      {"space in name", get_fields({{"a b", "c"}}), "http2.invalid_field"},
      {"colon in name", get_fields({{"a:b", "c"}}), "http2.invalid_field"},
      {"empty name", get_fields({{"", "c"}}), "http2.invalid_field"},
      {"obs-text in name", get_fields({{"\xe4", "c"}}), "http2.invalid_field"},
      {"leading space", get_fields({{"a", " c"}}), "http2.invalid_field"},
      {"trailing space", get_fields({{"a", "c "}}), "http2.invalid_field"},
      {"trailing tab", get_fields({{"a", "c\t"}}), "http2.invalid_field"},
      {"line feed", get_fields({{"a", "b\nc"}}), "http2.invalid_field"},
      {"carriage return", get_fields({{"a", "b\rc"}}), "http2.invalid_field"},
      {"NUL", get_fields({{"a", std::string("b\0c", 3)}}), "http2.invalid_field"},
      {"DEL", get_fields({{"a", "b\x7f"}}), "http2.invalid_field"},
      {"control in a cookie", get_fields({{"cookie", "a\x01"}}), "http2.invalid_field"},
      {"repeated content-length", get_fields({{"content-length", "0"}, {"content-length", "0"}}), ""},
      {"content-length list", get_fields({{"content-length", "0, 0"}}), ""},
      {"content-length sign", get_fields({{"content-length", "+0"}}), ""},
      {"content-length empty", get_fields({{"content-length", ""}}), ""},
      {"content-length too large", get_fields({{"content-length", "9223372036854775808"}}), ""},
      {"content-length without content", get_fields({{"content-length", "1"}}), ""},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const Reading reading = read_request(one.fields, one.flags);
    EXPECT_FALSE(reading.is_broken);
    if (one.error_text.empty()) {
      EXPECT_TRUE(reading.is_lost);
      EXPECT_EQ(reading.reset_code, 1U);
      EXPECT_EQ(reading.error, ReadError::malformed);
      EXPECT_EQ(reading.error_text, "http2.malformed_message");
    } else {
      EXPECT_FALSE(reading.is_lost);
      EXPECT_EQ(reading.progress, Progress::failed);
      EXPECT_EQ(reading.error, ReadError::malformed);
      EXPECT_EQ(reading.error_text, one.error_text);
    }
  }
}

// --- What is HTTP/2's own ----------------------------------------------------------------------------

// RFC 8441 4.
TEST(Http2HeadReader, ReadsAnExtendedConnectAsTheUpgradeThatItIs) {
  for (const uint8_t flags : {uint8_t{0}, end_stream}) {
    const Reading reading = read_request(extended_connect("websocket", {{"origin", "https://a.example"}}), flags);
    EXPECT_EQ(reading.reading.head,
              "GET /chat?room=1 host=a.example 2 none keep-alive upgrade=websocket\npath /chat\nquery true room=1\n"
              "authority a.example:8443\nhost: a.example:8443\norigin: https://a.example\n");
  }
}

TEST(Http2HeadReader, FramesByEndStreamAndContentLength) {
  const auto post = [](Fields more) {
    Fields fields{{":method", "POST"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  };
  EXPECT_EQ(read_request(post({})).reading.summary, "POST / host=a 2 none keep-alive");
  EXPECT_EQ(read_request(post({}), 0).reading.summary, "POST / host=a 2 chunked keep-alive");
  EXPECT_EQ(read_request(post({{"content-length", "5"}}), 0).reading.summary, "POST / host=a 2 length=5 keep-alive");
  EXPECT_EQ(read_request(post({{"content-length", "0"}}), 0).reading.summary, "POST / host=a 2 length=0 keep-alive");
  EXPECT_EQ(read_request(post({{"expect", "100-continue"}}), 0).reading.summary,
            "POST / host=a 2 chunked keep-alive continue");
  EXPECT_EQ(read_request({{":method", "CONNECT"}, {":authority", "a:1"}}, 0).reading.summary,
            "CONNECT a:1 host=a 2 none keep-alive");
}

TEST(Http2HeadReader, PiecesOfTheCookieBecomeOneField) {
  const Reading reading =
      read_request(get_fields({{"cookie", "a=1"}, {"x", "y"}, {"cookie", ""}, {"cookie", "b=2; c=3"}}));
  EXPECT_EQ(reading.reading.head.substr(reading.reading.head.find("host: ")),
            "host: a.example\nx: y\ncookie: a=1; ; b=2; c=3\n");

  // They count as one.
  const Reading many = read_request(get_fields(Fields(3 * limits::header_count_max, {"cookie", "a=b"})));
  EXPECT_EQ(many.progress, Progress::done) << many.error_text;
}

TEST(Http2HeadReader, AHostFieldThatSaysTheSameIsNotRepeated) {
  const Reading reading = read_request(get_fields({{"a", "b"}, {"host", "A.example"}}));
  EXPECT_EQ(reading.progress, Progress::done);
  EXPECT_EQ(reading.reading.head.substr(reading.reading.head.find("authority ")),
            "authority a.example\nhost: a.example\na: b\n");
}

// A short block that refers to one large entry of the table again and again (RFC 7541 7.3).
TEST(Http2HeadReader, AnHpackBombIsBounded) {
  Http2End server(Http2End::Role::server);
  std::string block = header_block(get_fields());
  block += '\x40' + hpack_text("bomb") + hpack_text(std::string(3900, 'x'));
  block += std::string(40, '\xbe');
  ASSERT_TRUE(server.receive(client_preface() + headers_frames(1, block, end_stream)));
  EXPECT_EQ(server.last().stream.head_progress(), Progress::failed);
  EXPECT_EQ(server.last().stream.error(), ReadError::head_too_large);
  EXPECT_LE(server.last().arena.used_bytes(), limits::head_bytes_max + 8192);
  // The decoder is where it should be: the entry is still there for the next request.
  server.respond(server.last(), 431);
  ASSERT_TRUE(server.receive(frame(Frame::headers, end_stream | end_headers, 3, header_block(get_fields()) + "\xbe")));
  EXPECT_EQ(server.last().stream.head_progress(), Progress::done);
  EXPECT_EQ(server.last().request.headers.find("bomb")->size(), 3900U);
}

TEST(Http2HeadReader, BoundsAreExact) {
  // As SETTINGS_MAX_HEADER_LIST_SIZE counts: 32 for each field.
  size_t used = 0;
  for (const auto& [name, value] : get_fields()) used += name.size() + value.size() + 32;
  const auto error_with = [](size_t size) { return read_request(get_fields({{"a", std::string(size, 'x')}})).error; };
  const size_t room = limits::head_bytes_max - used - 33;
  EXPECT_EQ(error_with(room), ReadError::none);
  EXPECT_EQ(error_with(room + 1), ReadError::head_too_large);
  const auto with_path = [](size_t size) {
    return Fields{
        {":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/" + std::string(size - 1, 'a')}};
  };
  EXPECT_EQ(read_request(with_path(limits::target_bytes_max)).error, ReadError::none);
  EXPECT_EQ(read_request(get_fields(Fields(limits::header_count_max - 1, {"a", "b"}))).error, ReadError::none);
  EXPECT_EQ(read_request(get_fields(Fields(limits::header_count_max, {"a", "b"}))).error, ReadError::too_many_headers);
}

// Far beyond the bound nghttp2 is told to look no more at the fields, which it would check one by one.
// A client's ends its connection.
TEST(Http2HeadReader, AnHpackBombThatGoesOnIsNotDecodedToItsEnd) {
  std::string bomb = '\x40' + hpack_text("bomb") + hpack_text(std::string(3900, 'x'));
  bomb += std::string(100'000, '\xbe');
  Http2End server(Http2End::Role::server);
  EXPECT_FALSE(server.receive(client_preface() + headers_frames(1, header_block(get_fields()) + bomb, end_stream)));
  EXPECT_TRUE(server.last().stream.is_lost());
  EXPECT_EQ(server.session.error_text(), "http2.enhance_your_calm");
  EXPECT_EQ(number_at(server.take_frames().back().payload, 4, 4), 11U);

  Http2End client(Http2End::Role::client);
  ASSERT_TRUE(client.receive(server_preface()));
  Message& first = client.get();
  Message& second = client.get();
  ASSERT_TRUE(client.receive(headers_frames(1, header_block({{":status", "200"}}) + bomb, end_stream)));
  EXPECT_TRUE(first.stream.is_lost());
  EXPECT_EQ(first.stream.error(), ReadError::head_too_large);
  EXPECT_EQ(first.stream.reset_code(), 11U);
  ASSERT_TRUE(client.receive(headers_frames(3, header_block({{":status", "200"}}) + "\xbe", end_stream)));
  EXPECT_EQ(second.response.headers.find("bomb")->size(), 3900U);
}

// --- Trailers --------------------------------------------------------------------------------------

TEST(Http2HeadReader, ReadsTrailersAsHttp1Does) {
  const Fields post{{":method", "POST"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}};
  const auto with_trailers = [&](const Fields& fields) {
    return headers_frame(1, post, 0) + frame(Frame::data, 0, 1, "abc") + headers_frame(1, fields, end_stream);
  };
  EXPECT_EQ(read_request(with_trailers({{"a", "b"}, {"x-forwarded-for", "1.2.3.4"}, {"x-envoy-a", "b"}})).trailers,
            "a: b\n");
  for (const char* name : {"content-length", "host", "te", "trailer", "expect"}) {
    const Reading reading = read_request(with_trailers({{name, name == std::string_view("te") ? "trailers" : "0"}}));
    EXPECT_TRUE(reading.is_lost) << name;
    EXPECT_EQ(reading.reset_code, 1U);
    EXPECT_EQ(reading.error, ReadError::malformed);
  }
  Reading reading = read_request(with_trailers({{"a", std::string(limits::trailer_bytes_max, 'x')}}));
  EXPECT_TRUE(reading.is_lost);
  EXPECT_EQ(reading.error, ReadError::trailers_too_large);
  reading = read_request(with_trailers({{"a", " b"}}));
  EXPECT_TRUE(reading.is_lost);
  EXPECT_EQ(reading.error_text, "http2.invalid_field");
  reading = read_request(with_trailers({{":path", "/"}}));
  EXPECT_TRUE(reading.is_lost);
  // Trailers that do not end the stream.
  reading = read_request(headers_frame(1, post, 0) + headers_frame(1, {{"a", "b"}}, 0));
  EXPECT_TRUE(reading.is_lost);

  EXPECT_EQ(read_response(headers_frame(1, {{":status", "200"}}, 0) +
                          headers_frame(1, {{"grpc-status", "0"}, {"x-envoy-a", "b"}}, end_stream))
                .trailers,
            "grpc-status: 0\nx-envoy-a: b\n");
}

// --- Responses -------------------------------------------------------------------------------------

TEST(Http2HeadReader, ReadsResponses) {
  const auto summary = [](const Fields& fields, uint8_t flags, std::string_view method = "GET") {
    const Reading reading = read_response(fields, flags, method);
    EXPECT_FALSE(reading.is_broken || reading.is_lost) << reading.error_text;
    EXPECT_EQ(reading.progress, Progress::done);
    return reading.reading.summary;
  };
  EXPECT_EQ(summary({{":status", "200"}}, 0), "200  2 chunked keep-alive");
  EXPECT_EQ(summary({{":status", "200"}}, end_stream), "200  2 length=0 keep-alive");
  EXPECT_EQ(summary({{":status", "200"}, {"content-length", "5"}}, 0), "200  2 length=5 keep-alive");
  EXPECT_EQ(summary({{":status", "200"}, {"content-length", "0"}}, end_stream), "200  2 length=0 keep-alive");
  EXPECT_EQ(summary({{":status", "200"}, {"content-length", "5"}}, end_stream, "HEAD"), "200  2 none keep-alive");
  EXPECT_EQ(summary({{":status", "200"}, {"content-length", "5"}}, 0, "HEAD"), "200  2 none keep-alive");
  EXPECT_EQ(summary({{":status", "204"}}, end_stream), "204  2 none keep-alive");
  EXPECT_EQ(summary({{":status", "204"}, {"content-length", "0"}}, end_stream), "204  2 none keep-alive");
  EXPECT_EQ(summary({{":status", "304"}, {"content-length", "5"}}, end_stream), "304  2 none keep-alive");
  EXPECT_EQ(summary({{":status", "999"}}, end_stream), "999  2 length=0 keep-alive");
  EXPECT_EQ(summary({{":status", "103"}, {"link", "</a>"}}, 0), "103  2 none keep-alive");
  EXPECT_EQ(read_response({{":status", "200"}, {"set-cookie", "a"}, {"set-cookie", "b"}}).reading.head,
            "200  2 length=0 keep-alive\nlength false 0\nset-cookie: a\nset-cookie: b\n");
  EXPECT_TRUE(read_response({{":status", "304"}, {"content-length", "5"}}).reading.head.find("length true 5") !=
              std::string::npos);
}

TEST(Http2HeadReader, RefusesMalformedResponses) {
  struct Case {
    const char* name;
    std::string frames;
    bool is_reset = true;  // by nghttp2
    std::string_view method = "GET";
  };
  const auto head = [](Fields more, uint8_t flags = end_stream) {
    Fields fields{{":status", "200"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return headers_frame(1, fields, flags);
  };
  const Case cases[] = {
      {"101", headers_frame(1, {{":status", "101"}}, 0)},
      {"no status", headers_frame(1, {{"a", "b"}})},
      {"status of two digits", headers_frame(1, {{":status", "20"}})},
      {"status of four digits", headers_frame(1, {{":status", "2000"}})},
      {"status in letters", headers_frame(1, {{":status", "2xx"}})},
      {"status below 100", headers_frame(1, {{":status", "099"}}), false},
      {"repeated status", head({{":status", "200"}})},
      {"status behind others", headers_frame(1, {{"a", "b"}, {":status", "200"}})},
      {"pseudo-header field of requests", head({{":path", "/"}})},
      {"connection", head({{"connection", "close"}})},
      {"transfer-encoding", head({{"transfer-encoding", "chunked"}})},
      {"upgrade", head({{"upgrade", "a"}})},
      {"upper case", head({{"Server", "a"}})},
      {"line feed", head({{"a", "b\nc"}}), false},
      {"leading space", head({{"a", " b"}}), false},
      {"repeated content-length", head({{"content-length", "1"}, {"content-length", "1"}}, 0)},
      {"content-length of a 1xx", headers_frame(1, {{":status", "103"}, {"content-length", "1"}}, 0)},
      {"content-length of a 204", headers_frame(1, {{":status", "204"}, {"content-length", "1"}})},
      {"a 1xx that ends", headers_frame(1, {{":status", "103"}})},
      {"more content than length", head({{"content-length", "1"}}, 0) + frame(Frame::data, 0, 1, "ab")},
      {"less content than length", head({{"content-length", "3"}}, 0) + frame(Frame::data, end_stream, 1, "ab")},
      {"no content but length", head({{"content-length", "1"}})},
      {"content of HEAD", head({}, 0) + frame(Frame::data, end_stream, 1, "a"), true, "HEAD"},
      {"content of 204", headers_frame(1, {{":status", "204"}}, 0) + frame(Frame::data, end_stream, 1, "a")},
      {"content of 304", headers_frame(1, {{":status", "304"}}, 0) + frame(Frame::data, end_stream, 1, "a")},
      {"content before the head", headers_frame(1, {{":status", "103"}}, 0) + frame(Frame::data, end_stream, 1, "a")},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const Reading reading = read_response(one.frames, one.method);
    EXPECT_FALSE(reading.is_broken);
    EXPECT_EQ(reading.error, ReadError::malformed);
    EXPECT_EQ(reading.is_lost, one.is_reset);
    if (one.is_reset) {
      EXPECT_EQ(reading.reset_code, 1U);
    } else {
      EXPECT_EQ(reading.progress, Progress::failed);
    }
  }
}

TEST(Http2HeadReader, AHeadThatIsTooLargeIsRefusedInEitherRole) {
  const Fields large(limits::header_count_max + 1, {"a", "b"});
  Fields response{{":status", "200"}};
  response.insert(response.end(), large.begin(), large.end());
  const Reading reading = read_response(response);
  EXPECT_EQ(reading.progress, Progress::failed);
  EXPECT_EQ(reading.error, ReadError::too_many_headers);
}

}  // namespace
}  // namespace sluice::http
