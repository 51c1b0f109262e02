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

Speaker* find(Dialogue& dialogue, std::string_view host) {
  for (size_t i = 0; i < dialogue.upstream_count(); ++i) {
    if (dialogue.upstream(i).heard().contains(host)) return &dialogue.upstream(i);
  }
  return nullptr;
}
Speaker& mirror_in(Dialogue& dialogue) { return *find(dialogue, "\r\nhost: x.test-shadow"); }
Speaker& destination_in(Dialogue& dialogue) {
  Speaker* found = find(dialogue, "\r\nhost: x.test:80\r\n");
  return found != nullptr ? *found : *find(dialogue, "\r\nhost: x.test\r\n");
}

class MirroredRequestTest : public testing::Test {
 protected:
  [[nodiscard]] proxy::Services& services() { return dialogue.gateway().services(); }
  [[nodiscard]] uint64_t lost() { return dialogue.gateway().counters().mirrored_requests_lost.value(); }

  [[nodiscard]] Speaker& mirror() { return mirror_in(dialogue); }
  [[nodiscard]] Speaker& destination() { return destination_in(dialogue); }

  Dialogue dialogue{seed, sim::fine_weather(), {}, mirroring()};
  Speaker& client = dialogue.connect();
};

const std::string get = "GET /a HTTP/1.1\r\nHost: x.test:80\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_F(MirroredRequestTest, LeavesTheClientAlone) {
  client.say(get);
  dialogue.settle();
  ASSERT_EQ(dialogue.upstream_count(), 2U);
  EXPECT_TRUE(mirror().heard().starts_with("GET /a HTTP/1.1\r\nhost: x.test-shadow:80\r\n")) << mirror().heard();
  mirror().say("HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nbad");
  dialogue.settle();
  EXPECT_EQ(client.heard(), "");
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
  destination().say(ok);
  dialogue.settle();
  EXPECT_TRUE(client.heard().ends_with("\r\n\r\nok")) << client.heard();
}

TEST_F(MirroredRequestTest, LearnsHowLongItsConnectionIsKept) {
  client.say(get);
  dialogue.settle();
  destination().say(ok);
  mirror().say("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=4\r\nContent-Length: 2\r\n\r\nok");
  dialogue.settle();
  Speaker& patient = destination();
  Speaker& impatient = mirror();
  EXPECT_FALSE(impatient.has_ended());
  dialogue.settle(4s);
  EXPECT_TRUE(impatient.has_ended());
  EXPECT_FALSE(patient.has_ended());
}

TEST_F(MirroredRequestTest, OutlivesItsClientAndItsSnapshot) {
  client.say(get);
  dialogue.settle();
  client.reset();
  dialogue.reload(sim::one_upstream_snapshot());
  dialogue.settle();
  EXPECT_EQ(services().mirrored_requests.count(), 1U);
  EXPECT_EQ(services().snapshots.oldest_version(), 1U);
  mirror().say(ok);
  dialogue.settle();
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
  EXPECT_EQ(services().snapshots.oldest_version(), 2U);
}

TEST_F(MirroredRequestTest, HasLimitedTime) {
  client.say(get);
  dialogue.settle();
  destination().say(ok);
  dialogue.settle(limits::mirrored_request_timeout - 1s);
  EXPECT_EQ(services().mirrored_requests.count(), 1U);
  dialogue.settle(2s);
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
  EXPECT_TRUE(mirror().has_ended());
}

TEST(MirroredRequests, EndWithResponsesThatAreNone) {
  const std::string_view responses[] = {"nonsense\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
  for (const std::string_view response : responses) {
    Dialogue each(seed, sim::fine_weather(), {}, mirroring());
    Speaker& asking = each.connect();
    asking.say(get);
    each.settle();
    mirror_in(each).say(response);
    each.settle();
    EXPECT_EQ(each.gateway().services().mirrored_requests.count(), 0U) << response;
    EXPECT_TRUE(mirror_in(each).has_ended()) << response;
    destination_in(each).say(ok);
    each.settle();
    EXPECT_TRUE(asking.heard().ends_with("ok")) << response;
  }
}

TEST_F(MirroredRequestTest, HearsABoundedNumberOfInformationalResponses) {
  client.say(get);
  dialogue.settle();
  for (int i = 0; i < 1000; ++i) mirror().say("HTTP/1.1 103 Early Hints\r\n\r\n");
  dialogue.settle();
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
}

TEST_F(MirroredRequestTest, WaitsForAMirrorThatDoesNotReadWithoutHoldingUpTheRequest) {
  const std::string content(limits::mirrored_content_bytes_max, 'c');
  client.say("POST /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n" +
             content);
  ASSERT_TRUE(dialogue.until([&] { return find(dialogue, "-shadow") != nullptr; }));
  Speaker& mirror = mirror_in(dialogue);
  mirror.stop_listening();
  ASSERT_TRUE(dialogue.until([&] { return destination().heard().ends_with(content); }));
  destination().say(ok);
  dialogue.settle();
  EXPECT_TRUE(client.heard().ends_with("ok"));
  EXPECT_EQ(services().mirrored_requests.count(), 1U);
  EXPECT_EQ(services().kept_content.bytes_taken(), content.size());
  mirror.resume_listening();
  ASSERT_TRUE(dialogue.until([&] { return mirror.heard().ends_with(content); }));
  EXPECT_EQ(services().kept_content.bytes_taken(), 0U) << "not until the mirror answers, which it may never do";
  mirror.say(ok);
  dialogue.settle();
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
}

TEST_F(MirroredRequestTest, IsLostWhereNobodyCanBeConnectedTo) {
  dialogue.connect_error = ECONNREFUSED;
  client.say(get);
  dialogue.settle(5s);
  EXPECT_EQ(lost(), 1U);
  EXPECT_EQ(services().mirrored_requests.count(), 0U);
}

TEST_F(MirroredRequestTest, IsLostWhenItsMirrorHasNotAnsweredTooMany) {
  for (uint32_t i = 0; i < limits::mirrored_requests_per_cluster_max + 3; ++i) {
    Speaker& each = dialogue.connect();
    each.say(get);
    dialogue.settle(5ms);
    each.reset();
  }
  EXPECT_EQ(services().mirrored_requests.count(), limits::mirrored_requests_per_cluster_max);
  EXPECT_EQ(lost(), 3U);
  mirror().say(ok);
  dialogue.settle();
  Speaker& next = dialogue.connect();
  next.say(get);
  dialogue.settle();
  EXPECT_EQ(services().mirrored_requests.count(), limits::mirrored_requests_per_cluster_max)
      << "there was room for one";
  EXPECT_EQ(lost(), 3U);
}

TEST_F(MirroredRequestTest, IsSentAlsoWhenTheDestinationCannotBeReached) {
  auto elsewhere = mirroring();
  elsewhere->clusters.push_back(elsewhere->clusters[0]);
  elsewhere->clusters[1].name = "outbound|8000||dead";
  elsewhere->clusters[1].endpoints.clear();
  elsewhere->routes[0].destinations[0].cluster = 1;
  dialogue.reload(std::move(elsewhere));
  client.say(get);
  dialogue.settle();
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 503 "));
  ASSERT_EQ(dialogue.upstream_count(), 1U);
  EXPECT_TRUE(dialogue.upstream(0).heard().contains("host: x.test-shadow:80\r\n"));
  static_cast<void>(client.take_heard());
  client.say("POST /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: 1\r\n\r\nx");
  dialogue.settle();
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(dialogue.upstream_count(), 1U);
  EXPECT_EQ(lost(), 1U) << "its content was not read";
}

// Whether a copy is made, which chance decides, is nothing to the client: content of 64 KiB is all that is repeated.
TEST_F(MirroredRequestTest, DoesNotMakeARequestRepeatable) {
  auto retrying = mirroring();
  auto policy = std::make_shared<snapshot::RetryPolicy>();
  policy->conditions = static_cast<uint32_t>(snapshot::RetryOn::any_5xx);
  retrying->routes[0].retries = std::move(policy);
  dialogue.reload(std::move(retrying));
  const std::string content(limits::replayed_content_bytes_max + 1, 'c');
  client.say("POST /a HTTP/1.1\r\nHost: x.test\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n" +
             content);
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 2; }));
  destination().say("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
  dialogue.settle();
  EXPECT_TRUE(client.heard().starts_with("HTTP/1.1 503 No\r\n")) << client.heard();
  EXPECT_EQ(dialogue.gateway().counters().upstream_retries.value(), 0U);
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
