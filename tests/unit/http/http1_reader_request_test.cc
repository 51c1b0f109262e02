#include "base/limits.h"
#include "http/chars.h"
#include "support/http_reading.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

using test::HttpReading;

// However the bytes arrive, the reading is the same.
HttpReading read(std::string_view input) {
  HttpReading whole = test::read_request(input);
  EXPECT_EQ(whole, test::read_request(input, test::byte_by_byte())) << "byte by byte: " << input.substr(0, 200);
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    EXPECT_EQ(whole, test::read_request(input, test::at_random(seed)))
        << "seed " << seed << ": " << input.substr(0, 200);
  }
  return whole;
}

// "GET / HTTP/1.1" with Host and these lines.
std::string with_lines(std::string_view lines, std::string_view method = "GET") {
  return fmt::format("{} / HTTP/1.1\r\nHost: a\r\n{}\r\n", method, lines);
}

struct Accepted {
  std::string_view input;
  std::string_view summary;
  std::string_view body = "";
  std::string_view rest = "";
};

void expect_accepted(const Accepted& expected) {
  const HttpReading reading = read(expected.input);
  EXPECT_TRUE(reading.is_accepted) << expected.input << reading.error_text;
  EXPECT_EQ(reading.summary, expected.summary) << expected.input;
  EXPECT_EQ(reading.body, expected.body) << expected.input;
  EXPECT_EQ(reading.rest, expected.rest) << expected.input;
}

struct Refused {
  std::string_view input;
  ReadError error;
  std::string_view text;
};

void expect_refused(const Refused& expected) {
  const HttpReading reading = read(expected.input);
  EXPECT_FALSE(reading.is_accepted) << expected.input;
  EXPECT_EQ(static_cast<int>(reading.error), static_cast<int>(expected.error)) << expected.input;
  EXPECT_EQ(reading.error_text, expected.text) << expected.input;
}

constexpr auto malformed = ReadError::malformed;

TEST(Http1RequestReader, ReadsOrdinaryRequests) {
  for (const Accepted& each : std::initializer_list<Accepted>{
           {"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", "GET / host=example.com 1.1 none keep-alive"},
           {"GET /a/b?c=d HTTP/1.1\r\nHost: example.com\r\n\r\n", "GET /a/b?c=d host=example.com 1.1 none keep-alive"},
           {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD / host=a 1.1 none keep-alive"},
           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "POST / host=a 1.1 length=3 keep-alive",
            "abc"},
           {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "PUT / host=a 1.1 length=0 keep-alive"},
           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0003\r\n\r\nabc", "POST / host=a 1.1 length=3 keep-alive",
            "abc"},
           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \t 3  \r\n\r\nabc", "POST / host=a 1.1 length=3 keep-alive",
            "abc"},
           {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabc", "GET / host=a 1.1 length=2 keep-alive", "ab",
            "c"},
           {"DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n", "DELETE /x host=a 1.1 none keep-alive"},
           {"PATCH /x HTTP/1.1\r\nHost: a\r\n\r\n", "PATCH /x host=a 1.1 none keep-alive"},
           {"TRACE /x HTTP/1.1\r\nHost: a\r\n\r\n", "TRACE /x host=a 1.1 none keep-alive"},
           {"PROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n", "PROPFIND /x host=a 1.1 none keep-alive"},
           {"M-SEARCH /x HTTP/1.1\r\nHost: a\r\n\r\n", "M-SEARCH /x host=a 1.1 none keep-alive"},
           {"QUERY /x HTTP/1.1\r\nHost: a\r\n\r\n", "QUERY /x host=a 1.1 none keep-alive"},
           {"UNLINK /x HTTP/1.1\r\nHost: a\r\n\r\n", "UNLINK /x host=a 1.1 none keep-alive"},
           {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * host=a 1.1 none keep-alive"},
           {"OPTIONS /x HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS /x host=a 1.1 none keep-alive"},
           {"CONNECT a.com:443 HTTP/1.1\r\nHost: a.com:443\r\n\r\n\x16\x03\x01",
            "CONNECT a.com:443 host=a.com 1.1 none keep-alive", "", "\x16\x03\x01"},
           {"CONNECT a.com:443 HTTP/1.1\r\nHost: a.com\r\n\r\n", "CONNECT a.com:443 host=a.com 1.1 none keep-alive"},
           {"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n",
            "CONNECT [::1]:443 host=[::1] 1.1 none keep-alive"},
           {"CONNECT a.com:443 HTTP/1.1\r\nHost: a.com\r\nContent-Length: 0\r\n\r\n",
            "CONNECT a.com:443 host=a.com 1.1 none keep-alive"},
           {"GET / HTTP/1.1\r\nhost:example.com\r\n\r\n", "GET / host=example.com 1.1 none keep-alive"},
           {"GET / HTTP/1.1\r\nHOST:    example.com  \t \r\n\r\n", "GET / host=example.com 1.1 none keep-alive"},
           {"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n", "GET / host=a 1.1 none keep-alive", "",
            "GET /2 HTTP/1.1\r\n"},
           {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / host=a 1.1 none keep-alive"},
           {"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / host=a 1.1 none keep-alive"},
       }) {
    expect_accepted(each);
  }
}

TEST(Http1RequestReader, LowersNamesAndKeepsValuesAndOrder) {
  const HttpReading reading = read(
      "GET /p?q HTTP/1.1\r\nHost: A.example\r\nX-Empty:\r\nX-Space:   \t \r\nX_Under-Score^`|~: a b\tc  \r\nx-a: "
      "1\r\nX-A: 2\r\nX-Utf8: \xc3\xa4\r\n\r\n");
  EXPECT_EQ(reading.head,
            "GET /p?q host=a.example 1.1 none keep-alive\npath /p\nquery true q\nauthority A.example\n"
            "host: A.example\nx-empty: \nx-space: \nx_under-score^`|~: a b\tc\nx-a: 1\nx-a: 2\nx-utf8: \xc3\xa4\n");
}

TEST(Http1RequestReader, TellsPathFromQuery) {
  struct {
    std::string_view target, path, query;
  } cases[] = {
      {"/", "/", "false "},
      {"/?", "/", "true "},
      {"/a?b?c", "/a", "true b?c"},
      {"//a", "//a", "false "},
      {"/a/../b", "/a/../b", "false "},
      {"/?/a", "/", "true /a"},
      {"/%2e%2E", "/%2e%2E", "false "},
      {"/a\\b", "/a\\b", "false "},
      {"/[]{}|^\"<>`", "/[]{}|^\"<>`", "false "},
      {"/:@!$&'()*+,;=", "/:@!$&'()*+,;=", "false "},
      {"http://a", "/", "false "},
      {"http://a?b", "/", "true b"},
      {"http://a/b?c", "/b", "true c"},
      {"http://a/", "/", "false "},
      {"HTTPS://a/b", "/b", "false "},
      {"/http://x/y", "/http://x/y", "false "},
  };
  for (const auto& [target, path, query] : cases) {
    const HttpReading reading = read(fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target));
    EXPECT_TRUE(reading.is_accepted) << target;
    EXPECT_NE(reading.head.find(fmt::format("\npath {}\nquery {}\nauthority a\n", path, query)), std::string::npos)
        << reading.head;
  }
}

TEST(Http1RequestReader, TakesTheHostFromWhereItStands) {
  for (const Accepted& each : std::initializer_list<Accepted>{
           {"GET / HTTP/1.1\r\nHost: EXAMPLE.com:8080\r\n\r\n", "GET / host=example.com 1.1 none keep-alive"},
           {"GET / HTTP/1.1\r\nHost: example.com.\r\n\r\n", "GET / host=example.com 1.1 none keep-alive"},
           {"GET / HTTP/1.1\r\nHost: example.com.:80\r\n\r\n", "GET / host=example.com 1.1 none keep-alive"},
           {"GET / HTTP/1.1\r\nHost: example.com:\r\n\r\n", "GET / host=example.com 1.1 none keep-alive"},
           {"GET / HTTP/1.1\r\nHost: 10.0.0.1:80\r\n\r\n", "GET / host=10.0.0.1 1.1 none keep-alive"},
           {"GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n", "GET / host=[2001:db8::1] 1.1 none keep-alive"},
           {"GET / HTTP/1.1\r\nHost: [::]\r\n\r\n", "GET / host=[::] 1.1 none keep-alive"},
           {"GET / HTTP/1.1\r\nHost: a_b-c.d~e\r\n\r\n", "GET / host=a_b-c.d~e 1.1 none keep-alive"},
           {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / host= 1.1 none keep-alive"},
           {"GET http://B.com/x HTTP/1.1\r\nHost: b.COM\r\n\r\n", "GET http://B.com/x host=b.com 1.1 none keep-alive"},
           {"GET http://b.com:81 HTTP/1.1\r\nHost: b.com:81\r\n\r\n",
            "GET http://b.com:81 host=b.com 1.1 none keep-alive"},
           {"GET http://[::1]/ HTTP/1.1\r\nHost: [::1]\r\n\r\n", "GET http://[::1]/ host=[::1] 1.1 none keep-alive"},
           {"GET http://b.com/x HTTP/1.0\r\n\r\n", "GET http://b.com/x host=b.com 1.0 none"},
           {"GET / HTTP/1.0\r\n\r\n", "GET / host= 1.0 none"},
           {"OPTIONS http://b.com HTTP/1.1\r\nHost: b.com\r\n\r\n",
            "OPTIONS http://b.com host=b.com 1.1 none keep-alive"},
       }) {
    expect_accepted(each);
  }
}

TEST(Http1RequestReader, RefusesInvalidHosts) {
  for (const std::string_view host :
       {"a b",      "a,b",       "a/b",   "a@b",  "user:pass@a", "a:b",    "a:80:80", "a:65536",      "a:999999",
        "a:-1",     "a: 80",     "a:80x", "[::1", "::1",         "[::1]x", "[::1]:x", "[::1%25eth0]", "[v1.a]",
        "[]",       "[1.2.3.4]", "a%41",  "a\"",  "a<",          "a;b",    "a?b",     "a#b",          "a\\b",
        "\xc3\xa4", ":80",       "a$",    "a'",   "(a)",         "a*",     "a+b",     "a=b",          "a&b",
        "a!",       "a[",        "a]",    "[a]",  "a^",          "a|b",    "{a}"}) {
    expect_refused({fmt::format("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host), malformed, "http1.invalid_host"});
  }
  expect_refused(
      {fmt::format("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", std::string(256, 'a')), malformed, "http1.invalid_host"});
  EXPECT_TRUE(read(fmt::format("GET / HTTP/1.1\r\nHost: {}:80\r\n\r\n", std::string(255, 'a'))).is_accepted);
}

TEST(Http1RequestReader, RefusesRequestsWithoutOneTarget) {
  for (const Refused& each : std::initializer_list<Refused>{
           {"GET / HTTP/1.1\r\n\r\n", malformed, "http1.missing_host"},
           {"GET http://a/ HTTP/1.1\r\n\r\n", malformed, "http1.missing_host"},
           {"CONNECT a:1 HTTP/1.1\r\n\r\n", malformed, "http1.missing_host"},
           {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", malformed, "http1.repeated_host"},
           {"GET / HTTP/1.1\r\nHost: a\r\nhOsT: b\r\n\r\n", malformed, "http1.repeated_host"},
           {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", malformed, "http1.repeated_host"},
           {"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", malformed, "http1.host_differs_from_target"},
           {"GET http://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", malformed, "http1.host_differs_from_target"},
           {"GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", malformed, "http1.host_differs_from_target"},
           {"GET http://a/ HTTP/1.1\r\nHost: a a\r\n\r\n", malformed, "http1.invalid_host"},
           {"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.target_without_host"},
           {"GET http://?x HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.target_without_host"},
           {"GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n", malformed, "http1.invalid_host"},
           {"GET http://u@a/ HTTP/1.0\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET http://a:x/ HTTP/1.0\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.unknown_scheme"},
           {"GET ws://a/ HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.unknown_scheme"},
           {"GET file:///a HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.unknown_scheme"},
           {"GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET http: HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.asterisk_without_options"},
           {"OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"OPTIONS */ HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET #a HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.connect_without_port"},
           {"CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.connect_without_port"},
           {"CONNECT :443 HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"CONNECT http://a:443 HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"CONNECT a:443/x HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"CONNECT a:443?x HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"CONNECT u@a:443 HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", malformed, "http1.connect_with_content"},
           {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", malformed,
            "http1.connect_with_content"},
       }) {
    expect_refused(each);
  }
}

TEST(Http1RequestReader, RefusesRequestLinesThatAreNotExactlyAsInTheGrammar) {
  for (const Refused& each : std::initializer_list<Refused>{
           {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_request_line"},
           {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_request_line"},
           {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_method"},
           {"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", malformed, "http1.invalid_version"},
           {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_method"},
           {"GET / http/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_request_line"},
           {"GET / HTTPS/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_version"},
           {"GET / HTTP/1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_version"},
           {"GET / HTTP/1.\r\nHost: a\r\n\r\n", malformed, "http1.invalid_version"},
           {"GET / HTTP/.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_version"},
           {"GET / HTTP/11.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_version"},
           {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", malformed, "http1.invalid_version"},
           {"GET / HTTP/x.y\r\nHost: a\r\n\r\n", malformed, "http1.invalid_version"},
           {"GET / HTTP 1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_version"},
           {"GET / FTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_request_line"},
           {"GET / ICE/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_request_line"},
           {"POST / RTSP/1.0\r\nHost: a\r\n\r\n", malformed, "http1.invalid_request_line"},
           {"GET / RTSP/1.0\r\nHost: a\r\n\r\n", malformed, "http1.invalid_request_line"},
           {"GET / x HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_request_line"},
           {"GET HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_target"},
           {"GET / HTTP/1.1\nHost: a\r\n\r\n", malformed, "http1.invalid_version"},
           {"GET / HTTP/1.1\rHost: a\r\n\r\n", malformed, "http1.codec_error"},
           {"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", malformed, "http1.codec_error"},
           {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_line_end"},
           {"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_line_end"},
           {"\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_line_end"},
           {"\r\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_line_end"},
           {"\x16\x03\x01\x02\x00\x01", malformed, "http1.invalid_method"},
           {"\x80GET / HTTP/1.1\r\n", malformed, "http1.invalid_method"},
           {"G:T / HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_method"},
           {"GE\x01 / HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_method"},
           {"PRI * HTTP/1.1\r\nHost: a\r\n\r\n", malformed, "http1.invalid_version"},
       }) {
    expect_refused(each);
  }
  expect_refused({std::string("\0GET / HTTP/1.1\r\n", 17), malformed, "http1.invalid_method"});
}

TEST(Http1RequestReader, RefusesOtherVersions) {
  for (const std::string_view version : {"0.9", "0.0", "1.2", "1.9", "2.0", "2.1", "3.0", "9.9"}) {
    expect_refused({fmt::format("GET / HTTP/{}\r\nHost: a\r\n\r\n", version), ReadError::version_not_supported,
                    "http1.version_not_supported"});
  }
  expect_refused({"GET /\r\n\r\n", ReadError::version_not_supported, "http1.version_not_supported"});
  expect_refused({"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ReadError::version_not_supported, "http1.version_not_supported"});
}

TEST(Http1RequestReader, AnswersUnknownMethodsAsNotImplemented) {
  for (const std::string_view method : {"FOO",
                                        "get",
                                        "Get",
                                        "GETX",
                                        "GE",
                                        "G",
                                        "X",
                                        "BREW",
                                        "POSTS",
                                        "UPDATE",
                                        "!#$%&'*+-.^_`|~",
                                        "DESCRIBE",
                                        "ANNOUNCE",
                                        "SETUP",
                                        "PLAY",
                                        "RECORD",
                                        "FLUSH",
                                        "SOURCE",
                                        "GET_PARAMETER",
                                        "REDIRECT",
                                        "PRIX"}) {
    expect_refused(
        {fmt::format("{} / HTTP/1.1\r\nHost: a\r\n\r\n", method), ReadError::not_implemented, "http1.unknown_method"});
  }
}

TEST(Http1RequestReader, RefusesEveryByteThatATargetMustNotHold) {
  for (unsigned c = 0; c < 256; ++c) {
    const std::string input = fmt::format("GET /a{}b HTTP/1.1\r\nHost: a\r\n\r\n", static_cast<char>(c));
    const bool is_legal = c > 0x20 && c < 0x7f && c != '#';
    EXPECT_EQ(read(input).is_accepted, is_legal) << c;
    const std::string in_query = fmt::format("GET /?a{}b HTTP/1.1\r\nHost: a\r\n\r\n", static_cast<char>(c));
    EXPECT_EQ(read(in_query).is_accepted, is_legal) << c;
  }
}

TEST(Http1RequestReader, RefusesEveryByteThatANameMustNotHold) {
  for (unsigned c = 0; c < 256; ++c) {
    if (c == ':' || c == '\r') continue;  // end the name, or the head
    const auto byte = static_cast<char>(c);
    for (const std::string& name :
         {fmt::format("x{}y", byte), fmt::format("{}y", byte), fmt::format("y{}", byte),
          // Names that the parser knows.
          fmt::format("upgrade{}", byte), fmt::format("connection{}", byte), fmt::format("content-length{}", byte)}) {
      EXPECT_EQ(read(with_lines(name + ": 0\r\n")).is_accepted, is_token_char(byte)) << name;
    }
  }
}

TEST(Http1RequestReader, RefusesEveryByteThatAValueMustNotHold) {
  for (unsigned c = 0; c < 256; ++c) {
    const auto byte = static_cast<char>(c);
    const bool is_legal = (classes_of(byte) & char_class::value) != 0;
    for (const std::string_view name : {"x", "connection", "upgrade", "te"}) {
      EXPECT_EQ(read(with_lines(fmt::format("{}: a{}b\r\n", name, byte))).is_accepted, is_legal) << name << c;
      EXPECT_EQ(read(with_lines(fmt::format("{}: {}b\r\n", name, byte))).is_accepted, is_legal) << name << c;
      EXPECT_EQ(read(with_lines(fmt::format("{}: b{}\r\n", name, byte))).is_accepted, is_legal) << name << c;
    }
  }
}

TEST(Http1RequestReader, RefusesBrokenFieldLines) {
  for (const Refused& each : std::initializer_list<Refused>{
           {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n c\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n \r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\r\nno colon here\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", malformed, "http1.invalid_line_end"},
           {"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", malformed, "http1.invalid_line_end"},
           {"GET / HTTP/1.1\r\nHost: a\r\nX:\nY: y\r\n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\r\nX: \n\r\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\r\n\n", malformed, "http1.invalid_field"},
           {"GET / HTTP/1.1\r\nHost: a\r\n\rX", malformed, "http1.codec_error"},
           {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n", malformed, "http1.invalid_line_end"},
       }) {
    expect_refused(each);
  }
}

TEST(Http1RequestReader, RefusesLengthsThatTwoReadersCouldTakeDifferently) {
  for (const Refused& each : std::initializer_list<Refused>{
           {"Content-Length: 1\r\nContent-Length: 1\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 1\r\nContent-Length: 2\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 1, 1\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 1,2\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: +1\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: -1\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 0x10\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 1 2\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 1a\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: a\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 1.0\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length:\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: \t \r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: \"1\"\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 18446744073709551616\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 18446744073709551615\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 9223372036854775808\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 99999999999999999999999999999999999\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length : 1\r\n", malformed, "http1.invalid_field"},
           {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", malformed, "http1.invalid_transfer_encoding"},
           {"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", malformed, "http1.invalid_content_length"},
           {"Transfer-Encoding: gzip\r\nContent-Length: 1\r\n", malformed, "http1.invalid_content_length"},
           {"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", malformed, "http1.invalid_transfer_encoding"},
           {"Transfer-Encoding: \r\n", malformed, "http1.invalid_transfer_encoding"},
           {"Transfer-Encoding: ,\r\n", malformed, "http1.invalid_transfer_encoding"},
           {"Transfer-Encoding: chunked, chunked\r\n", malformed, "http1.invalid_transfer_encoding"},
           {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", malformed,
            "http1.invalid_transfer_encoding"},
           {"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", malformed, "http1.invalid_transfer_encoding"},
           {"Transfer-Encoding: chunked, gzip\r\n", malformed, "http1.invalid_transfer_encoding"},
           {"Transfer-Encoding: chunked, identity\r\n", malformed, "http1.invalid_transfer_encoding"},
           {"Transfer-Encoding: chun\x0b"
            "ked\r\n",
            malformed, "http1.invalid_field"},
           {"Transfer-Encoding: \"chunked\"\r\n", malformed, "http1.invalid_transfer_encoding"},
           {"Transfer-Encoding: @chunked\r\n", malformed, "http1.invalid_transfer_encoding"},
           {"Transfer-Encoding : chunked\r\n", malformed, "http1.invalid_field"},
           {"Transfer-Encoding: gzip\r\n", ReadError::not_implemented, "http1.unknown_transfer_coding"},
           {"Transfer-Encoding: gzip, chunked\r\n", ReadError::not_implemented, "http1.unknown_transfer_coding"},
           {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", ReadError::not_implemented,
            "http1.unknown_transfer_coding"},
           {"Transfer-Encoding: identity\r\n", ReadError::not_implemented, "http1.unknown_transfer_coding"},
           {"Transfer-Encoding: xchunked\r\n", ReadError::not_implemented, "http1.unknown_transfer_coding"},
           {"Transfer-Encoding: chunkedx\r\n", ReadError::not_implemented, "http1.unknown_transfer_coding"},
           {"Transfer-Encoding: chunked;q=1\r\n", ReadError::not_implemented, "http1.unknown_transfer_coding"},
       }) {
    expect_refused({with_lines(each.input, "POST"), each.error, each.text});
  }
  expect_refused({"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", malformed,
                  "http1.transfer_encoding_in_1_0"});
}

TEST(Http1RequestReader, ReadsTheChunkedCoding) {
  struct {
    std::string_view body, content, trailers, rest;
  } cases[] = {
      {"0\r\n\r\n", "", "", ""},
      {"5\r\nhello\r\n0\r\n\r\n", "hello", "", ""},
      {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET", "hello world", "", "GET"},
      {"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", "", ""},
      {"0005\r\nhello\r\n000\r\n\r\n", "hello", "", ""},
      {"5;a\r\nhello\r\n0;b=c;d=\"e;\\\"f\"\r\n\r\n", "hello", "", ""},
      {"5\r\n\r\n\r\n0\r\n0\r\n\r\n", "\r\n\r\n0", "", ""},
      {"1\r\nx\r\n0\r\nX-Sum: 7\r\nGrpc-Status:0\r\n\r\nrest", "x", "x-sum: 7\ngrpc-status: 0\n", "rest"},
      {"1\r\nx\r\n0\r\nX-Forwarded-For: 1\r\nx-envoy-internal: 1\r\nA: b\r\n\r\n", "x", "a: b\n", ""},
  };
  for (const auto& [body, content, trailers, rest] : cases) {
    for (const std::string_view coding : {"chunked", "CHUNKED", "Chunked", "chunked "}) {
      const HttpReading reading =
          read(with_lines(fmt::format("Transfer-Encoding: {}\r\n", coding), "POST") + std::string(body));
      EXPECT_TRUE(reading.is_accepted) << body << reading.error_text;
      EXPECT_EQ(reading.summary, "POST / host=a 1.1 chunked keep-alive");
      EXPECT_EQ(reading.body, content);
      EXPECT_EQ(reading.trailers, trailers);
      EXPECT_EQ(reading.rest, rest);
    }
  }
}

TEST(Http1RequestReader, RefusesBrokenChunks) {
  for (const Refused& each : std::initializer_list<Refused>{
           {"x\r\n", malformed, "http1.invalid_chunk_size"},
           {"\r\n", malformed, "http1.invalid_chunk_size"},
           {";a\r\n", malformed, "http1.invalid_chunk_size"},
           {" 5\r\nhello\r\n0\r\n\r\n", malformed, "http1.invalid_chunk_size"},
           {"5 \r\nhello\r\n0\r\n\r\n", malformed, "http1.invalid_chunk_size"},
           {"5\t\r\nhello\r\n0\r\n\r\n", malformed, "http1.invalid_chunk_size"},
           {"-5\r\nhello\r\n0\r\n\r\n", malformed, "http1.invalid_chunk_size"},
           {"+5\r\nhello\r\n0\r\n\r\n", malformed, "http1.invalid_chunk_size"},
           {"0x5\r\nhello\r\n0\r\n\r\n", malformed, "http1.invalid_chunk_size"},
           {"5\nhello\r\n0\r\n\r\n", malformed, "http1.invalid_line_end"},
           {"5\rhello\r\n0\r\n\r\n", malformed, "http1.codec_error"},
           {"5\r\nhello0\r\n\r\n", malformed, "http1.codec_error"},
           {"5\r\nhello\n0\r\n\r\n", malformed, "http1.invalid_line_end"},
           {"5\r\nhello\rX", malformed, "http1.codec_error"},
           {"4\r\nhello\r\n0\r\n\r\n", malformed, "http1.codec_error"},
           {"10000000000000000\r\n", malformed, "http1.invalid_chunk_size"},
           {"fffffffffffffffff\r\n", malformed, "http1.invalid_chunk_size"},
           {"0\r\n\n", malformed, "http1.invalid_field"},
           {"0\r\nX: y\n\r\n", malformed, "http1.invalid_line_end"},
           {"0\r\n X: y\r\n\r\n", malformed, "http1.invalid_field"},
           {"0\r\nX : y\r\n\r\n", malformed, "http1.invalid_field"},
           {"0\r\nX: y\r\n z\r\n\r\n", malformed, "http1.invalid_field"},
           {"0\r\nX: \x01\r\n\r\n", malformed, "http1.invalid_field"},
           {"0\r\nHost: b\r\n\r\n", malformed, "http1.forbidden_trailer"},
           {"0\r\nContent-Length: 5\r\n\r\n", malformed, "http1.invalid_content_length"},
           {"0\r\nTransfer-Encoding: chunked\r\n\r\n", malformed, "http1.invalid_transfer_encoding"},
           {"0\r\nTransfer-Encoding: gzip\r\n\r\n", malformed, "http1.invalid_transfer_encoding"},
           {"0\r\nTrailer: a\r\n\r\n", malformed, "http1.forbidden_trailer"},
           {"0\r\nConnection: close\r\n\r\n", malformed, "http1.forbidden_trailer"},
           {"0\r\nTE: trailers\r\n\r\n", malformed, "http1.forbidden_trailer"},
           {"0\r\nUpgrade: x\r\n\r\n", malformed, "http1.forbidden_trailer"},
           {"5; a=b\r\nhello\r\n0\r\n\r\n", malformed, "http1.codec_error"},
           {"5;a\nhello\r\n0\r\n\r\n", malformed, "http1.invalid_line_end"},
           {"5;a=\"b\r\nhello\r\n0\r\n\r\n", malformed, "http1.codec_error"},
           {"5;a\x01\r\nhello\r\n0\r\n\r\n", malformed, "http1.codec_error"},
       }) {
    expect_refused(
        {with_lines("Transfer-Encoding: chunked\r\n", "POST") + std::string(each.input), each.error, each.text});
  }
}

TEST(Http1RequestReader, BoundsWhatSurroundsChunks) {
  const std::string head = with_lines("Transfer-Encoding: chunked\r\n", "POST");
  const auto extension = [](size_t size) { return fmt::format("1;{}\r\nx\r\n", std::string(size, 'a')); };
  EXPECT_TRUE(read(head + extension(limits::chunk_extension_bytes_max) + "0\r\n\r\n").is_accepted);
  expect_refused({head + extension(limits::chunk_extension_bytes_max + 1) + "0\r\n\r\n", malformed,
                  "http1.chunk_extensions_too_long"});
  std::string many = head;
  for (size_t i = 0; i <= limits::chunk_extension_bytes_max / 100; ++i) many += extension(100);
  expect_refused({many + "0\r\n\r\n", malformed, "http1.chunk_extensions_too_long"});

  expect_refused({head + std::string(limits::chunk_framing_bytes_max + 1, '0') + "1\r\nx\r\n0\r\n\r\n", malformed,
                  "http1.chunk_framing_too_long"});
  expect_refused({head + "1\r\nx\r\n" + std::string(limits::chunk_framing_bytes_max + 1, '0') + "\r\n\r\n", malformed,
                  "http1.chunk_framing_too_long"});

  const auto trailer = [](size_t size) { return fmt::format("0\r\nx: {}\r\n\r\n", std::string(size - 1, 'a')); };
  EXPECT_TRUE(read(head + trailer(limits::trailer_bytes_max)).is_accepted);
  expect_refused(
      {head + trailer(limits::trailer_bytes_max + 1), ReadError::trailers_too_large, "http1.trailers_too_large"});
  std::string counted = head + "0\r\n";
  for (size_t i = 0; i < limits::header_count_max; ++i) counted += "x: y\r\n";
  EXPECT_TRUE(read(counted + "\r\n").is_accepted);
  expect_refused({counted + "x: y\r\n\r\n", ReadError::trailers_too_large, "http1.trailers_too_large"});
}

TEST(Http1RequestReader, KnowsWhetherTheConnectionPersists) {
  struct {
    std::string_view version, lines;
    bool persists;
  } cases[] = {
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: CLOSE\r\n", false},
      {"1.1", "Connection: keep-alive, close\r\n", false},
      {"1.1", "Connection: close, keep-alive\r\n", false},
      {"1.1", "Connection: foo\r\nConnection: close\r\n", false},
      {"1.1", "Connection: foo , ,close ,\r\n", false},
      {"1.1", "Connection: closed\r\n", true},
      {"1.1", "Connection: not close\r\n", true},
      {"1.1", "Connection:\r\n", true},
      {"1.1", "Proxy-Connection: close\r\n", true},
      {"1.0", "", false},
      {"1.0", "Connection: keep-alive\r\n", true},
      {"1.0", "Connection: Keep-Alive\r\n", true},
      {"1.0", "Connection: keep-alive, close\r\n", false},
      {"1.0", "Proxy-Connection: keep-alive\r\n", false},
      {"1.0", "Keep-Alive: timeout=5\r\n", false},
  };
  for (const auto& [version, lines, persists] : cases) {
    const HttpReading reading = read(fmt::format("GET / HTTP/{}\r\nHost: a\r\n{}\r\n", version, lines));
    EXPECT_EQ(reading.summary, fmt::format("GET / host=a {} none{}", version, persists ? " keep-alive" : "")) << lines;
  }
}

TEST(Http1RequestReader, BoundsConnectionOptions) {
  std::string options = "a";
  for (size_t i = 1; i < limits::connection_options_max; ++i) options += ",a";
  EXPECT_TRUE(read(with_lines("Connection: " + options + "\r\n")).is_accepted);
  expect_refused(
      {with_lines("Connection: " + options + "\r\nConnection: b\r\n"), malformed, "http1.too_many_connection_options"});
}

TEST(Http1RequestReader, KnowsWhoExpectsAContinue) {
  struct {
    std::string_view version, lines;
    bool expects;
  } cases[] = {
      {"1.1", "Expect: 100-continue\r\nContent-Length: 1\r\n", true},
      {"1.1", "Expect: 100-Continue\r\nContent-Length: 1\r\n", true},
      {"1.1", "Expect: 100-continue\r\n", false},
      {"1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", false},
      {"1.0", "Expect: 100-continue\r\nContent-Length: 1\r\n", false},
      {"1.1", "Expect: 200-ok\r\nContent-Length: 1\r\n", false},
  };
  for (const auto& [version, lines, expects] : cases) {
    const HttpReading reading = read(fmt::format("POST / HTTP/{}\r\nHost: a\r\n{}\r\nx", version, lines));
    EXPECT_EQ(reading.summary.find(" continue") != std::string::npos, expects) << lines;
  }
}

TEST(Http1RequestReader, EndsAnUpgradeRequestWithItsHead) {
  const Accepted cases[] = {
      {"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x01x",
       "GET /ws host=a 1.1 none keep-alive upgrade=websocket", "", "\x81\x01x"},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, upgrade\r\nUpgrade: foo/2, bar\r\n\r\n",
       "GET / host=a 1.1 none keep-alive upgrade=foo/2, bar"},
      {"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\nrest",
       "POST / host=a 1.1 none keep-alive upgrade=x", "", "rest"},
      // Not an upgrade: content, no option, no field, HTTP/1.0, h2c.
      {"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nabGET",
       "POST / host=a 1.1 length=2 keep-alive", "ab", "GET"},
      {"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: "
       "chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET",
       "POST / host=a 1.1 chunked keep-alive", "a", "GET"},
      {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "GET / host=a 1.1 none keep-alive"},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n", "GET / host=a 1.1 none keep-alive"},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade:\r\n\r\n", "GET / host=a 1.1 none keep-alive"},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n",
       "GET / host=a 1.1 none keep-alive"},
      {"GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "GET / host=a 1.0 none"},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
       "AAMAAABk\r\n\r\nGET",
       "GET / host=a 1.1 none keep-alive", "", "GET"},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket, H2C\r\n\r\n",
       "GET / host=a 1.1 none keep-alive"},
      {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nx",
       "CONNECT a:1 host=a 1.1 none keep-alive", "", "x"},
  };
  for (const Accepted& each : cases) expect_accepted(each);
}

TEST(Http1RequestReader, BoundsTheHead) {
  const auto with_value = [](size_t size) { return with_lines(fmt::format("x: {}\r\n", std::string(size, 'a'))); };
  const size_t overhead = with_value(0).size();
  EXPECT_TRUE(test::read_request(with_value(limits::head_bytes_max - overhead)).is_accepted);
  expect_refused(
      {with_value(limits::head_bytes_max - overhead + 1), ReadError::head_too_large, "http1.head_too_large"});
  expect_refused({with_value(10 * limits::head_bytes_max), ReadError::head_too_large, "http1.head_too_large"});
  expect_refused({fmt::format("GET / HTTP/1.1\r\n{}: a\r\n", std::string(limits::head_bytes_max, 'n')),
                  ReadError::head_too_large, "http1.head_too_large"});
}

TEST(Http1RequestReader, BoundsTheTarget) {
  const auto with_target = [](size_t size) {
    return fmt::format("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", std::string(size - 1, 'a'));
  };
  EXPECT_TRUE(read(with_target(limits::target_bytes_max)).is_accepted);
  expect_refused({with_target(limits::target_bytes_max + 1), ReadError::target_too_long, "http1.target_too_long"});
}

TEST(Http1RequestReader, BoundsTheNumberOfFields) {
  std::string lines;
  for (size_t i = 1; i < limits::header_count_max; ++i) lines += "x: y\r\n";
  EXPECT_TRUE(read(with_lines(lines)).is_accepted);
  expect_refused({with_lines(lines + "x: y\r\n"), ReadError::too_many_headers, "http1.too_many_headers"});
}

TEST(Http1RequestReader, BoundsBlankLinesBeforeARequest) {
  std::string blank_lines;
  for (unsigned i = 0; i < limits::blank_lines_max; ++i) blank_lines += "\r\n";
  EXPECT_TRUE(read(blank_lines + with_lines("")).is_accepted);
  expect_refused({blank_lines + "\r\n" + with_lines(""), malformed, "http1.too_many_blank_lines"});
}

TEST(Http1RequestReader, RefusesAHeadThatDoesNotFitIntoItsArena) {
  Arena arena(2048);
  RequestHead head(arena);
  Http1Reader reader(Http1Reader::Role::requests);
  reader.begin_request(head);
  const std::string input = with_lines(fmt::format("x: {}\r\n", std::string(3000, 'a')));
  EXPECT_EQ(reader.read_head(as_bytes(input)).progress, Progress::failed);
  EXPECT_EQ(reader.error(), ReadError::head_too_large);
  EXPECT_EQ(reader.read_head(as_bytes(input)).progress, Progress::failed);  // for good
}

TEST(Http1RequestReader, SaysThatATruncatedMessageIsTruncated) {
  const std::string_view message =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n";
  EXPECT_TRUE(read(message).is_accepted);
  for (size_t size = 1; size < message.size(); ++size) {
    EXPECT_EQ(read(message.substr(0, size)).error, ReadError::truncated) << message.substr(0, size);
  }
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell").error, ReadError::truncated);
  // Nothing had begun.
  for (const std::string_view nothing : {"", "\r\n", "\r\n\r\n", "\r"}) {
    EXPECT_EQ(read(nothing).error, ReadError::none);
    EXPECT_TRUE(read(nothing).is_incomplete);
  }
}

TEST(Http1RequestReader, ReadsPipelinedRequestsOneByOne) {
  std::string input;
  for (int i = 0; i < 10; ++i) {
    input += fmt::format("GET /{} HTTP/1.1\r\nHost: a\r\nConnection: {}\r\n\r\n", i, i % 2 == 0 ? "close" : "upgrade");
    input += fmt::format("POST /{} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", i);
    input +=
        fmt::format("PUT /{} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n\r\n", i);
  }
  for (const test::Cut& cut : {test::in_one_piece(), test::byte_by_byte(), test::at_random(1)}) {
    Http1Reader reader(Http1Reader::Role::requests);
    Arena arena(limits::exchange_arena_bytes_max);
    std::string_view rest = input;
    for (int i = 0; i < 30; ++i) {
      arena.reset();
      RequestHead head(arena);
      reader.begin_request(head);
      const HttpReading reading = test::read_message(reader, head, rest, cut);
      ASSERT_TRUE(reading.is_accepted) << reading.error_text << i;
      EXPECT_EQ(head.path, fmt::format("/{}", i / 3));
      EXPECT_EQ(reading.body, i % 3 == 0 ? "" : "body");
      rest.remove_prefix(rest.size() - reading.rest.size());
    }
    EXPECT_EQ(rest, "\r\n");
  }
}

TEST(Http1RequestReader, LetsContentPassBy) {
  Arena arena(limits::exchange_arena_bytes_max);
  RequestHead head(arena);
  Http1Reader reader(Http1Reader::Role::requests);
  EXPECT_EQ(reader.passable_bytes(), 0U);
  reader.begin_request(head);
  EXPECT_FALSE(reader.is_inside_head());
  const std::string_view input = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";
  EXPECT_EQ(reader.read_head(as_bytes(input.substr(0, 20))).progress, Progress::more);
  EXPECT_TRUE(reader.is_inside_head());
  const ReadStep step = reader.read_head(as_bytes(input.substr(20)));
  EXPECT_EQ(step.progress, Progress::done);
  EXPECT_FALSE(reader.is_inside_head());
  EXPECT_EQ(reader.passable_bytes(), 10U);
  std::string body;
  EXPECT_EQ(reader.read_body(as_bytes(input.substr(20 + step.consumed)), {test::append_body, &body}).progress,
            Progress::more);
  EXPECT_EQ(body, "abc");
  EXPECT_EQ(reader.read_body({}, {test::append_body, &body}).progress, Progress::more);
  EXPECT_EQ(reader.passable_bytes(), 7U);
  reader.pass_by(0);
  reader.pass_by(6);
  EXPECT_FALSE(reader.is_body_done());
  EXPECT_EQ(reader.passable_bytes(), 1U);
  reader.pass_by(1);
  EXPECT_TRUE(reader.is_body_done());
  EXPECT_EQ(reader.passable_bytes(), 0U);
  EXPECT_EQ(reader.read_body(as_bytes("GET"), {test::append_body, &body}).consumed, 0U);
  EXPECT_EQ(body, "abc");
  EXPECT_TRUE(reader.end_of_input());
}

TEST(Http1RequestReader, DiesWhenMoreThanTheContentPassesBy) {
  Arena arena(limits::exchange_arena_bytes_max);
  RequestHead head(arena);
  Http1Reader reader(Http1Reader::Role::requests);
  reader.begin_request(head);
  EXPECT_EQ(reader.read_head(as_bytes("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")).progress,
            Progress::done);
  EXPECT_DEATH(reader.pass_by(11), "passable_bytes");
}

}  // namespace
}  // namespace sluice::http
