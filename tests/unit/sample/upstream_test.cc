#include "sample/upstream.h"

#include "http_client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace sluice::sample {
namespace {

class Upstream : public testing::Test {
 protected:
  Upstream() : server_(*start_upstream(*SocketAddress::parse("127.0.0.1:0"))) {}

  std::string get(const std::string& path, const std::string& more = "") const {
    return request("GET " + path + " HTTP/1.1\r\nHost: up.test\r\n" + more);
  }

  std::string request(const std::string& head, std::string_view body = "") const {
    const HttpClient client(*server_);
    client.send(head + "Connection: close\r\n\r\n" + std::string(body));
    return client.read();
  }

  std::unique_ptr<web::Server> server_;
};

TEST_F(Upstream, ShowsTheRequestInTheMannerOfHttpbin) {
  const std::string response =
      get("/get?a=1&b=x%20y+z&c", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nx-q: \"\r\n");
  EXPECT_EQ(response.substr(response.find("\r\n\r\n") + 4),
            "{\n  \"args\": {\n    \"a\": \"1\",\n    \"b\": \"x y z\",\n    \"c\": \"\"\n  },\n  \"headers\": {\n"
            "    \"Connection\": \"close\",\n    \"Host\": \"up.test\",\n    \"X-Forwarded-For\": \"192.0.2.1\",\n"
            "    \"X-Forwarded-Proto\": \"https\",\n    \"X-Q\": \"\\\"\"\n  },\n  \"origin\": \"192.0.2.1\",\n"
            "  \"url\": \"https://up.test/get?a=1&b=x%20y+z&c\"\n}\n");
}

TEST_F(Upstream, JoinsRepeatedHeaders) {
  EXPECT_TRUE(get("/headers", "X-A: 1\r\nx-a: 2\r\n").contains("\"X-A\": \"1, 2\""));
}

TEST_F(Upstream, EchoesMethodAndContent) {
  const std::string response =
      request("PATCH /anything/x HTTP/1.1\r\nHost: up.test\r\nContent-Length: 4\r\n", "a\"\x01\xff");
  EXPECT_TRUE(response.contains("\"data\": \"a\\\"\\u0001\\u00ff\"")) << response;
  EXPECT_TRUE(response.contains("\"method\": \"PATCH\"")) << response;
  EXPECT_TRUE(response.contains("\"bytes\": 4")) << response;
}

TEST_F(Upstream, RefusesOtherMethodsOnGet) {
  EXPECT_TRUE(request("POST /get HTTP/1.1\r\nHost: up.test\r\nContent-Length: 0\r\n").starts_with("HTTP/1.1 405 "));
}

TEST_F(Upstream, AnswersWithTheStatusThatIsAskedFor) {
  EXPECT_TRUE(get("/status/503").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_FALSE(get("/status/204").contains("content-length"));
  for (const char* path :
       {"/status/", "/status/99", "/status/199", "/status/600", "/status/65736", "/status/2x0", "/status/-1",
        "/bytes/x", "/bytes/18446744073709551616", "/delay/x", "/delay/nan", "/delay/-1"}) {
    EXPECT_TRUE(get(path).starts_with("HTTP/1.1 400 ")) << path;
  }
  EXPECT_TRUE(get("/nowhere").starts_with("HTTP/1.1 404 "));
}

TEST_F(Upstream, SendsTheSameBytesEachTime) {
  constexpr size_t kSize = 3'000'001;
  const std::string response = get("/bytes/" + std::to_string(kSize));
  ASSERT_TRUE(response.contains("content-length: 3000001\r\n"));
  const std::string body = response.substr(response.find("\r\n\r\n") + 4);
  ASSERT_EQ(body.size(), kSize);
  for (size_t i = 0; i < kSize; ++i) ASSERT_EQ(static_cast<std::byte>(body[i]), sample_byte(i)) << i;
  EXPECT_TRUE(get("/bytes/0").ends_with("\r\n\r\n"));
}

TEST_F(Upstream, ShowsTheLengthOfAHugeBodyToHeadAtOnce) {
  const std::string response = request("HEAD /bytes/1099511627776 HTTP/1.1\r\nHost: up.test\r\n");
  EXPECT_TRUE(response.contains("content-length: 1099511627776\r\n")) << response;
  EXPECT_TRUE(response.ends_with("\r\n\r\n"));
}

TEST_F(Upstream, StreamsLinesInChunks) {
  const std::string response = get("/stream/3");
  EXPECT_TRUE(response.contains("transfer-encoding: chunked\r\n"));
  EXPECT_TRUE(response.ends_with("\r\n\r\na\r\n{\"id\": 0}\n\r\na\r\n{\"id\": 1}\n\r\na\r\n{\"id\": 2}\n\r\n0\r\n\r\n"))
      << response;
}

TEST_F(Upstream, WaitsAsLongAsItIsAskedTo) {
  const auto started = std::chrono::steady_clock::now();
  EXPECT_TRUE(get("/delay/0.3").starts_with("HTTP/1.1 200 "));
  EXPECT_GE(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(300));
}

TEST_F(Upstream, CountsAndChecksABodyOfAnySizeWithoutKeepingIt) {
  std::string body(5'000'000, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(sample_byte(i));
  const std::string response = request("POST /count HTTP/1.1\r\nHost: up.test\r\nContent-Length: 5000000\r\n", body);
  char checksum[17];
  std::snprintf(checksum, sizeof checksum, "%016lx", add_to_checksum(checksum_start, as_bytes(body)));
  EXPECT_TRUE(response.ends_with("{\n  \"bytes\": 5000000,\n  \"checksum\": \"" + std::string(checksum) + "\"\n}\n"))
      << response;
}

// http://www.isthe.com/chongo/tech/comp/fnv/
TEST(SampleChecksum, IsFnv1a) {
  EXPECT_EQ(add_to_checksum(checksum_start, {}), 0xcbf29ce484222325U);
  EXPECT_EQ(add_to_checksum(checksum_start, as_bytes("foobar")), 0x85944171f73967e8U);
}

}  // namespace
}  // namespace sluice::sample
