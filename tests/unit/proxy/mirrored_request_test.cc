// Copies of requests for mirrors, from both of their ends, in the simulated world. The first connection that the
// gateway makes is for the request, the second for its copy.
#include "proxy/mirrored_request.h"

#include "base/limits.h"
#include "dialogue.h"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using sim::Dialogue;
using sim::Speaker;
using namespace std::chrono_literals;

std::unique_ptr<snapshot::Snapshot> mirroring(size_t mirrors = 1) {
  auto snapshot = sim::one_upstream_snapshot();
  snapshot->routes[0].mirrors.resize(mirrors);
  return snapshot;
}

constexpr uint64_t seed = 1;

class MirroredRequestTest : public testing::Test {
 protected:
  [[nodiscard]] proxy::Services& services() { return dialogue.gateway().services(); }
  [[nodiscard]] uint64_t lost() { return dialogue.gateway().counters().mirrored_requests_lost.value(); }

  Dialogue dialogue{seed, sim::fine_weather(), {}, mirroring()};
  Speaker& client = dialogue.connect();
};

const std::string get = "GET /a HTTP/1.1\r\nHost: x.test:80\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_F(MirroredRequestTest, LeavesTheClientAlone) {
  client.say(get);
  dialogue.settle();
  ASSERT_EQ(dialogue.upstream_count(), 2U);
  EXPECT_TRUE(dialogue.upstream(1).heard().starts_with("GET /a HTTP/1.1\r\nhost: x.test-shadow:80\r\n"))
      << dialogue.upstream(1).heard();
  dialogue.upstream(1).say("HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nbad");
  dialogue.settle();
  EXPECT_EQ(client.heard(), "");
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
  dialogue.upstream(0).say(ok);
  dialogue.settle();
  EXPECT_TRUE(client.heard().ends_with("\r\n\r\nok")) << client.heard();
}

TEST_F(MirroredRequestTest, OutlivesItsClientAndItsSnapshot) {
  client.say(get);
  dialogue.settle();
  client.reset();
  dialogue.reload(sim::one_upstream_snapshot());
  dialogue.settle();
  EXPECT_EQ(services().mirrored_requests.count(), 1U);
  EXPECT_EQ(services().snapshots.oldest_version(), 1U);
  dialogue.upstream(1).say(ok);
  dialogue.settle();
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
  EXPECT_EQ(services().snapshots.oldest_version(), 2U);
}

TEST_F(MirroredRequestTest, HasLimitedTime) {
  client.say(get);
  dialogue.settle();
  dialogue.upstream(0).say(ok);
  dialogue.settle(limits::mirrored_request_timeout - 1s);
  EXPECT_EQ(services().mirrored_requests.count(), 1U);
  dialogue.settle(2s);
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
  EXPECT_TRUE(dialogue.upstream(1).has_ended());
}

TEST_F(MirroredRequestTest, EndsWithResponsesThatAreNone) {
  const std::string_view responses[] = {"nonsense\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
  size_t connection = 0;
  for (const std::string_view response : responses) {
    client.say(get);
    dialogue.settle();
    // The first request opened two; the one of the client is used again.
    Speaker& mirror = dialogue.upstream(connection == 0 ? 1 : connection);
    connection = connection == 0 ? 2 : connection + 1;
    mirror.say(response);
    dialogue.settle();
    EXPECT_EQ(services().mirrored_requests.count(), 0U) << response;
    EXPECT_TRUE(mirror.has_ended()) << response;
    dialogue.upstream(0).say(ok);
    dialogue.settle();
    EXPECT_TRUE(client.take_heard().ends_with("ok"));
  }
}

TEST_F(MirroredRequestTest, HearsABoundedNumberOfInformationalResponses) {
  client.say(get);
  dialogue.settle();
  for (int i = 0; i < 1000; ++i) dialogue.upstream(1).say("HTTP/1.1 103 Early Hints\r\n\r\n");
  dialogue.settle();
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
}

TEST_F(MirroredRequestTest, WaitsForAMirrorThatDoesNotReadWithoutHoldingUpTheRequest) {
  const std::string content(limits::mirrored_content_bytes_max, 'c');
  client.say("POST /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n" +
             content);
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 2; }));
  Speaker& mirror = dialogue.upstream(1);
  mirror.stop_listening();
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream(0).heard().ends_with(content); }));
  dialogue.upstream(0).say(ok);
  dialogue.settle();
  EXPECT_TRUE(client.heard().ends_with("ok"));
  EXPECT_EQ(services().mirrored_requests.count(), 1U);
  EXPECT_EQ(services().kept_content.bytes_taken(), content.size());
  mirror.resume_listening();
  ASSERT_TRUE(dialogue.until([&] { return mirror.heard().ends_with(content); }));
  mirror.say(ok);
  dialogue.settle();
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
  EXPECT_EQ(services().kept_content.bytes_taken(), 0U);
}

TEST_F(MirroredRequestTest, IsLostWhereNobodyCanBeConnectedTo) {
  client.say(get);
  dialogue.settle();
  dialogue.upstream(0).say(ok);
  dialogue.upstream(1).say(ok);
  dialogue.settle();
  dialogue.upstream(1).close();
  dialogue.settle();
  dialogue.connect_error = ECONNREFUSED;
  client.say(get);
  dialogue.settle(5s);
  EXPECT_EQ(lost(), 1U);
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
}

TEST_F(MirroredRequestTest, IsLostWhenThereAreTooMany) {
  for (uint32_t i = 0; i < limits::mirrored_requests_max + 3; ++i) {
    Speaker& each = dialogue.connect();
    each.say(get);
    dialogue.settle(5ms);
    each.reset();
  }
  EXPECT_EQ(services().mirrored_requests.count(), limits::mirrored_requests_max);
  EXPECT_EQ(lost(), 3U);
}

TEST_F(MirroredRequestTest, IsNotMadeOfUpgrades) {
  client.say("GET /a HTTP/1.1\r\nHost: x.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  dialogue.settle();
  EXPECT_EQ(dialogue.upstream_count(), 1U);
}

TEST(MirroredRequests, GoToEveryMirrorOfTheRoute) {
  Dialogue dialogue(seed, sim::fine_weather(), {}, mirroring(limits::mirrors_max));
  dialogue.connect().say(get);
  dialogue.settle();
  EXPECT_EQ(dialogue.upstream_count(), 1 + limits::mirrors_max);
}

}  // namespace
}  // namespace sluice::proxy
