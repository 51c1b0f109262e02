#include "sample/websocket.h"

#include "http_client.h"
#include "sample/upstream.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace sluice::sample {
namespace {

constexpr std::string_view kHandshake =
    "GET /ws HTTP/1.1\r\nHost: up.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

// As a client sends it: masked (RFC 6455 5.3).
std::string frame(uint8_t first_byte, std::string_view payload) {
  std::string out(1, static_cast<char>(first_byte));
  const auto put_length = [&](uint8_t marker, int bytes) {
    out += static_cast<char>(0x80 | marker);
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
  };
  if (payload.size() <= 125) {
    put_length(static_cast<uint8_t>(payload.size()), 0);
  } else if (payload.size() <= 0xffff) {
    put_length(126, 2);
  } else {
    put_length(127, 8);
  }
  constexpr std::string_view mask = "\x11\x22\x33\x44";
  out += mask;
  for (size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

class Websocket : public testing::Test {
 protected:
  Websocket() : server_(*start_upstream(*SocketAddress::parse("127.0.0.1:0"))), client_(*server_) {}

  void open() {
    client_.send(kHandshake);
    EXPECT_EQ(client_.read_head(),
              "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nconnection: "
              "upgrade\r\n"
              "upgrade: websocket\r\n\r\n");
  }

  std::unique_ptr<web::Server> server_;
  HttpClient client_;
};

TEST_F(Websocket, SaysBackFramesOfEveryLength) {
  open();
  for (const size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U, 300'000U}) {
    const std::string payload(size, 'p');
    std::string expected = frame(0x82, payload);
    client_.send(expected);
    // Unmasked: bit 7 of the length byte, the four mask bytes, and the mask itself are gone.
    const size_t head = size <= 125 ? 2 : size <= 65535 ? 4 : 10;
    expected[1] = static_cast<char>(expected[1] & 0x7f);
    EXPECT_EQ(client_.read(head + size), expected.substr(0, head) + payload) << size;
  }
}

TEST_F(Websocket, AnswersAPingBetweenFragmentsAndIgnoresAPong) {
  open();
  client_.send(frame(0x01, "Hel") + frame(0x89, "?") + frame(0x8a, "!") + frame(0x80, "lo"));
  EXPECT_EQ(client_.read(3 + 2 + 3 + 4), "\x01\x03Hel\x8a\x01?" + std::string("\x80\x02lo", 4));
}

TEST_F(Websocket, ClosesWhenTheClientDoes) {
  open();
  client_.send(frame(0x88, "\x03\xe8"));
  EXPECT_EQ(client_.read(), std::string("\x88\x02\x03\xe8"));
}

TEST_F(Websocket, ClosesOnWhatAClientMustNotSend) {
  for (const std::string& bad :
       {std::string("\x81\x01x"), frame(0xc1, "x"), frame(0x09, "x"), frame(0x89, std::string(126, 'x')),
        std::string("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x01\x01")}) {
    const HttpClient client(*server_);
    client.send(kHandshake);
    client.read_head();
    client.send(bad);
    EXPECT_EQ(client.read(), "");
  }
}

TEST_F(Websocket, RefusesWhatIsNoHandshake) {
  const auto answer_to = [this](std::string_view request) {
    const HttpClient client(*server_);
    client.send(request);
    return client.read_head().substr(0, 13);
  };
  EXPECT_EQ(answer_to("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 426 ");
  EXPECT_EQ(answer_to("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"), "HTTP/1.1 426 ");
  EXPECT_EQ(answer_to("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
            "HTTP/1.1 400 ");
}

}  // namespace
}  // namespace sluice::sample
