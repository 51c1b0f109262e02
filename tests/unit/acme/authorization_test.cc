#include "acme/authorization.h"
#include "base/limits.h"
#include "scripted_server.h"

#include <gtest/gtest.h>

namespace sluice::acme {
namespace {

using Json = nlohmann::json;

const std::vector<Identifier> kNames = {{Identifier::Type::dns, "*.example.org"}, {Identifier::Type::ip, "192.0.2.1"}};
const std::string kToken = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";

Json challenge(const std::string& type) {
  return {{"type", type}, {"status", "pending"}, {"url", kServer + "/chall/" + type}, {"token", kToken}};
}

Json authorization(const std::string& status) {
  return {{"status", status},
          {"identifier", {{"type", "dns"}, {"value", "example.org"}}},
          {"wildcard", true},
          {"challenges", {challenge("dns-01"), challenge("dns-account-01"), challenge("tls-alpn-01")}}};
}

Answer<Authorization> read(const Json& body) {
  ScriptedServer server;
  Client client = server.client();
  server.answer(200, body);
  return fetch_authorization(client, server.account(), kServer + "/authz/1", kNames);
}

TEST(Authorization, HasTheChallengesThatAreKnown) {
  const auto answer = read(authorization("pending"));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, AuthorizationStatus::pending);
  EXPECT_EQ(answer->identifier.value, "*.example.org");
  ASSERT_EQ(answer->challenges.size(), 2);
  EXPECT_EQ(text_of(answer->challenges[0].type), "dns-01");
  EXPECT_EQ(text_of(answer->challenges[1].type), "tls-alpn-01");
  EXPECT_EQ(answer->challenges[0].token, kToken);
  EXPECT_EQ(answer->challenges[0].url, kServer + "/chall/dns-01");
  EXPECT_FALSE(answer->failure);
}

TEST(Authorization, IsOfOneOfTheNames) {
  Json without_wildcard = authorization("pending");
  without_wildcard.erase("wildcard");
  EXPECT_FALSE(read(without_wildcard));  // example.org itself was not asked for
  Json of_address = without_wildcard;
  of_address["identifier"] = {{"type", "ip"}, {"value", "192.0.2.1"}};
  ASSERT_TRUE(read(of_address));
  EXPECT_EQ(read(of_address)->identifier.type, Identifier::Type::ip);
  Json without = authorization("pending");
  without.erase("identifier");
  EXPECT_FALSE(read(without));
}

TEST(Authorization, TakesNoTokenThatCouldBeAnotherPath) {
  for (const std::string& token :
       std::vector<std::string>{"", "../../etc/passwd", "a b", "a\r\nb", "a=", std::string(300, 'a')}) {
    Json body = authorization("pending");
    body["challenges"] = Json::array({challenge("http-01")});
    body["challenges"][0]["token"] = token;
    const auto answer = read(body);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->challenges.empty()) << token;
  }
}

TEST(Authorization, SaysWhyItHasFailed) {
  Json body = authorization("invalid");
  body["challenges"][2]["status"] = "invalid";
  body["challenges"][2]["error"] = {{"type", "urn:ietf:params:acme:error:connection"}, {"detail", "timeout"}};
  const auto answer = read(body);
  ASSERT_TRUE(answer);
  ASSERT_TRUE(answer->failure);
  EXPECT_EQ(answer->failure->message,
            "the server could not validate *.example.org by tls-alpn-01: connection: timeout");
  EXPECT_EQ(answer->failure->kind, FailureKind::order);
  EXPECT_EQ(read(authorization("expired"))->failure->message, "the authorization of *.example.org is expired");
}

TEST(Authorization, OfAnUnknownStatusOrWithTooManyChallengesIsRefused) {
  Json many = authorization("pending");
  for (size_t i = 0; i < limits::acme_challenges_max; ++i) many["challenges"].push_back(challenge("dns-01"));
  Json none = authorization("pending");
  none.erase("challenges");
  for (const Json& body : {authorization("maybe"), many, none, Json(7)}) EXPECT_FALSE(read(body)) << body;
}

TEST(Challenge, IsAcceptedWithAnEmptyObject) {
  ScriptedServer server;
  Client client = server.client();
  server.answer(200, challenge("dns-01"));
  ASSERT_TRUE(accept_challenge(client, server.account(), {.url = kServer + "/chall/1"}));
  EXPECT_EQ(server.last().payload, "{}");
  EXPECT_EQ(server.last().http.url, kServer + "/chall/1");
}

TEST(Challenge, IsAnsweredWithTokenAndThumbprint) {
  const auto key = AccountKey::read(kRfc7638Key);
  const std::string proof = key_authorization({.token = kToken}, *key);
  EXPECT_EQ(proof, kToken + ".NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  // printf '%s' PROOF | openssl dgst -sha256 -binary | basenc --base64url
  EXPECT_EQ(dns_value(proof), "_cC5rvB9vM8qzT3MTBcTeVpQwtbNypBXyQnE4fhM9QQ");
  const auto digest = tls_alpn_digest(proof);
  EXPECT_EQ(to_base64url(std::as_bytes(std::span(digest))), dns_value(proof));
}

}  // namespace
}  // namespace sluice::acme
