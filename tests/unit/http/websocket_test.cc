#include "http/websocket.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::http {
namespace {

TEST(WebSocket, IsNamedInAnyCase) {
  EXPECT_TRUE(is_websocket("websocket"));
  EXPECT_TRUE(is_websocket("WebSocket"));
  EXPECT_FALSE(is_websocket("websocket2"));
  EXPECT_FALSE(is_websocket(""));
}

// RFC 6455 1.3 and 4.1: 0x01 to 0x10.
TEST(WebSocket, KeysAreTheStandards) {
  const uint64_t random[2] = {0x0807060504030201, 0x100f0e0d0c0b0a09};
  EXPECT_EQ(WebSocketKey(random).text(), "AQIDBAUGBwgJCgsMDQ4PEA==");
}

// The first is RFC 6455's own, the others were made with openssl(1).
TEST(WebSocket, AnswersToKeysAreTheStandards) {
  EXPECT_EQ(WebSocketAccept("dGhlIHNhbXBsZSBub25jZQ==").text(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(WebSocketAccept("").text(), "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=");
  EXPECT_EQ(WebSocketAccept(std::string(8000, 'k')).text(), "cGmopETqU/DzSIOwINPTdkRWlrI=");
}

}  // namespace
}  // namespace sluice::http
