#include "acme/client.h"
#include "base/limits.h"
#include "scripted_server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>

namespace sluice::acme {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

const Request kRequest{.doing = "making an order", .url = kServer + "/order", .payload = "{}"};

Failure refusal_of(ScriptedServer& server) {
  Client client = server.client();
  const auto response = client.post(server.account(), kRequest);
  EXPECT_FALSE(response);
  return response ? Failure{} : response.error();
}

TEST(Client, ReadsWhatTheDirectoryOffers) {
  ScriptedServer server;
  server.directory["meta"] = {{"termsOfService", "https://acme.test/terms"},
                              {"externalAccountRequired", true},
                              {"profiles", {{"classic", "90 days"}, {"shortlived", "6 days"}}}};
  Client client = server.client();
  const auto directory = client.directory();
  ASSERT_TRUE(directory);
  EXPECT_EQ((*directory)->new_order, kServer + "/order");
  EXPECT_EQ((*directory)->renewal_info, kServer + "/renewal");
  EXPECT_EQ((*directory)->terms_of_service, "https://acme.test/terms");
  EXPECT_TRUE((*directory)->needs_external_account);
  EXPECT_EQ((*directory)->profiles.size(), 2);
  EXPECT_TRUE(client.directory());
  EXPECT_EQ(server.directories, 1);
}

TEST(Client, RefusesADirectoryWithoutHttps) {
  ScriptedServer server;
  server.directory["newOrder"] = "http://acme.test/order";
  Client client = server.client();
  const auto directory = client.directory();
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().message,
            "reading the directory at https://acme.test/directory: it is no directory of an ACME server (newNonce, "
            "newAccount, newOrder with https:// URLs)");
  EXPECT_EQ(directory.error().kind, FailureKind::passing);
  EXPECT_FALSE(Client(nullptr, "http://acme.test/directory").directory());
}

TEST(Client, SignsWithANonceAndKeepsTheOneOfTheAnswer) {
  ScriptedServer server;
  Client client = server.client();
  for (int i = 0; i < 3; ++i) {
    server.answer(200, Json::object());
    EXPECT_TRUE(client.post(server.account(), kRequest));
    EXPECT_EQ(server.last().header["nonce"], "nonce-" + std::to_string(i));
  }
  EXPECT_EQ(server.nonces, 1);
  EXPECT_EQ(server.last().http.url, kServer + "/order");
  EXPECT_EQ(server.last().header["url"], kServer + "/order");
  EXPECT_EQ(server.last().header["kid"], kServer + "/account/1");
}

TEST(Client, TriesAgainWithTheNonceThatARefusalBrings) {
  ScriptedServer server;
  Client client = server.client();
  for (int i = 0; i < 20; ++i) server.refuse(400, "badNonce");
  server.answer(200, Json::object());
  EXPECT_TRUE(client.post(server.account(), kRequest));
  std::set<std::string> nonces;
  for (const auto& asked : server.asked) nonces.insert(asked.header["nonce"].get<std::string>());
  EXPECT_EQ(nonces.size(), 21);
  EXPECT_EQ(server.nonces, 1);
}

TEST(Client, GivesUpWithAServerThatLikesNoNonce) {
  ScriptedServer server;
  Client client = server.client();
  for (unsigned i = 0; i < limits::acme_nonce_retries_max + 10; ++i) server.refuse(400, "badNonce");
  const auto response = client.post(server.account(), kRequest);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, FailureKind::passing);
  EXPECT_EQ(response.error().type, "badNonce");
  EXPECT_EQ(server.asked.size(), limits::acme_nonce_retries_max + 1);
}

TEST(Client, TakesNoNonceThatIsNotBase64Url) {
  const auto transport = [](const HttpRequest& request) -> Answer<HttpResponse> {
    if (request.url.ends_with("/directory"))
      return HttpResponse{.status = 200,
                          .body = R"({"newNonce":"https://a/n","newAccount":"https://a/a","newOrder":"https://a/o"})"};
    return HttpResponse{.status = 200, .fields = {{"replay-nonce", "a\"b"}}};
  };
  Client client(transport, "https://a/directory");
  const auto response = client.post({std::make_shared<AccountKey>(*AccountKey::make()), "https://a/1"}, kRequest);
  ASSERT_FALSE(response);
  EXPECT_TRUE(response.error().message.contains("no usable Replay-Nonce")) << response.error().message;
}

TEST(Client, SaysWhatIsWrongWithAnOrderAndItsNames) {
  ScriptedServer server;
  server.answer(403, {{"type", "urn:ietf:params:acme:error:rejectedIdentifier"},
                      {"detail", "policy\nforbids"},
                      {"subproblems",
                       {{{"type", "urn:ietf:params:acme:error:rejectedIdentifier"},
                         {"detail", "\x1b[31mnot this one"},
                         {"identifier", {{"type", "dns"}, {"value", "a.test"}}}},
                        "no object",
                        {{"type", "about:blank"}, {"detail", 7}}}}});
  const Failure failure = refusal_of(server);
  EXPECT_EQ(failure.message,
            "making an order at https://acme.test/order: it answers 403 (rejectedIdentifier: policy forbids; a.test: "
            "rejectedIdentifier: ?[31mnot this one; ; )");
  EXPECT_EQ(failure.kind, FailureKind::lasting);
  EXPECT_EQ(failure.type, "rejectedIdentifier");
}

TEST(Client, TellsPassingFailuresFromLastingOnes) {
  const std::vector<std::tuple<unsigned, std::string, FailureKind>> cases = {
      {429, "rateLimited", FailureKind::passing},
      {500, "serverInternal", FailureKind::passing},
      {503, "malformed", FailureKind::passing},
      {404, "malformed", FailureKind::order},
      {409, "alreadyReplaced", FailureKind::order},
      {403, "unauthorized", FailureKind::lasting},
      {400, "badCSR", FailureKind::lasting},
      {403, "orderNotReady", FailureKind::passing},
      {403, "caa", FailureKind::order},
      {400, "unknownOne", FailureKind::lasting}};
  for (const auto& [status, type, kind] : cases) {
    ScriptedServer server;
    server.refuse(status, type);
    const Failure failure = refusal_of(server);
    EXPECT_EQ(failure.kind, kind) << type;
    EXPECT_EQ(failure.type, type);
  }
  ScriptedServer proxy;  // a firewall, say
  proxy.answer_text(403, "<html>no</html>");
  EXPECT_EQ(refusal_of(proxy).kind, FailureKind::passing);
  ScriptedServer nobody;
  EXPECT_EQ(refusal_of(nobody).kind, FailureKind::passing);
}

TEST(Client, WaitsAsLongAsTheServerWantsWithinReason) {
  const auto wait_of = [](const std::string& text) {
    ScriptedServer server;
    server.refuse(429, "rateLimited", "slow down", {{"retry-after", text}});
    return refusal_of(server).retry_after;
  };
  EXPECT_EQ(wait_of("120"), 120s);
  EXPECT_EQ(wait_of("604800"), 168h);
  EXPECT_EQ(wait_of("99999999999999999999999"), limits::acme_retry_after_max);
  EXPECT_EQ(wait_of("-5"), 0s);
  EXPECT_EQ(wait_of("Thu, 01 Jan 1970 00:00:00 GMT"), 0s);
  EXPECT_EQ(wait_of("Fri, 01 Jan 2100 00:00:00 GMT"), limits::acme_retry_after_max);
  EXPECT_EQ(wait_of("soon"), std::nullopt);
  EXPECT_EQ(wait_of(""), std::nullopt);
}

TEST(Client, FindsAlternateChainsInLinks) {
  ScriptedServer server;
  Client client = server.client();
  server.answer(200, Json::object(),
                {{"link", "<https://acme.test/directory>;rel=\"index\""},
                 {"link", "<https://acme.test/c/1>;rel=\"alternate\", <https://acme.test/c/2>; rel=\"alternate\""},
                 {"link", "<http://acme.test/c/3>;rel=\"alternate\", <https://acme.test/c/4"}});
  const auto response = client.post(server.account(), kRequest);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->alternates, (std::vector<std::string>{"https://acme.test/c/1", "https://acme.test/c/2"}));
}

TEST(Client, NamesWhatTheServerWantsAPersonToRead) {
  ScriptedServer server;
  server.answer(403, {{"type", "urn:ietf:params:acme:error:userActionRequired"},
                      {"detail", "terms have changed"},
                      {"instance", "https://acme.test/terms"}});
  EXPECT_TRUE(refusal_of(server).message.ends_with("; see https://acme.test/terms"));
}

}  // namespace
}  // namespace sluice::acme
