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

TEST(Http2Session, ObjectsAreSmall) {
  EXPECT_LE(sizeof(Http2Stream), 352U);
  EXPECT_LE(sizeof(Http2Session), 704U);
}

}  // namespace
}  // namespace sluice::http
