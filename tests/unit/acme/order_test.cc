#include "acme/order.h"
#include "base/limits.h"
#include "scripted_server.h"
#include "tls/pem.h"
#include "unit/tls/authority.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sluice::acme {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

const std::vector<Identifier> kNames = {{Identifier::Type::dns, "*.example.org"},
                                        {Identifier::Type::dns, "example.org"},
                                        {Identifier::Type::ip, "192.0.2.1"}};
const std::string kOrderUrl = kServer + "/order/1";

// Of kNames, in another order and spelling.
Json order(const std::string& status) {
  return {{"status", status},
          {"identifiers",
           {{{"type", "ip"}, {"value", "192.0.2.1"}},
            {{"type", "dns"}, {"value", "Example.org"}},
            {{"type", "dns"}, {"value", "*.example.org"}}}},
          {"authorizations", {kServer + "/authz/1", kServer + "/authz/2"}},
          {"finalize", kServer + "/order/1/finalize"}};
}

Answer<Order> read(const Json& body, std::vector<HttpField> fields = {}) {
  ScriptedServer server;
  Client client = server.client();
  server.answer(200, body, std::move(fields));
  return fetch_order(client, server.account(), kOrderUrl, kNames);
}

TEST(Order, AsksForNamesAndAddresses) {
  ScriptedServer server;
  Client client = server.client();
  server.answer(201, order("pending"), {{"location", kOrderUrl}, {"retry-after", "5"}});
  const auto made = new_order(client, server.account(), {.identifiers = kNames});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->url, kOrderUrl);
  EXPECT_EQ(made->status, OrderStatus::pending);
  EXPECT_EQ(made->authorizations.size(), 2);
  EXPECT_EQ(made->finalize, kServer + "/order/1/finalize");
  EXPECT_EQ(made->retry_after, 5s);
  EXPECT_EQ(Json::parse(server.last().payload), (Json{{"identifiers",
                                                       {{{"type", "dns"}, {"value", "*.example.org"}},
                                                        {{"type", "dns"}, {"value", "example.org"}},
                                                        {{"type", "ip"}, {"value", "192.0.2.1"}}}}}));
}

TEST(Order, AsksForAProfileThatTheServerHas) {
  ScriptedServer server;
  server.directory["meta"] = {{"profiles", {{"classic", "90 days"}, {"shortlived", "6 days"}}}};
  Client client = server.client();
  server.answer(201, order("pending"), {{"location", kOrderUrl}});
  ASSERT_TRUE(new_order(client, server.account(), {.identifiers = kNames, .profile = "shortlived"}));
  EXPECT_EQ(Json::parse(server.last().payload)["profile"], "shortlived");
  const auto refused = new_order(client, server.account(), {.identifiers = kNames, .profile = "other"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, FailureKind::lasting);
  EXPECT_TRUE(refused.error().message.ends_with("the server has no profile 'other': it has classic, shortlived"))
      << refused.error().message;
}

TEST(Order, NamesItsPredecessorWhereTheServerKnowsRenewalInformation) {
  for (const bool is_offered : {true, false}) {
    ScriptedServer server;
    if (!is_offered) server.directory.erase("renewalInfo");
    Client client = server.client();
    server.answer(201, order("pending"), {{"location", kOrderUrl}});
    ASSERT_TRUE(new_order(client, server.account(), {.identifiers = kNames, .replaces = "aYhba.AIdl"}));
    EXPECT_EQ(Json::parse(server.last().payload).contains("replaces"), is_offered);
  }
  ScriptedServer server;
  Client client = server.client();
  server.refuse(409, "alreadyReplaced");
  const auto refused = new_order(client, server.account(), {.identifiers = kNames, .replaces = "aYhba.AIdl"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().type, "alreadyReplaced");
}

TEST(Order, ThatIsAboutOtherNamesIsRefused) {
  Json other = order("ready");
  other["identifiers"][1]["value"] = "example.com";
  Json more = order("ready");
  more["identifiers"].push_back({{"type", "dns"}, {"value", "more.test"}});
  Json fewer = order("ready");
  fewer["identifiers"].erase(0);
  Json of_another_type = order("ready");
  of_another_type["identifiers"][0]["type"] = "dns";
  Json none = order("ready");
  none.erase("identifiers");
  for (const Json& body : {other, more, fewer, of_another_type, none}) {
    const auto answer = read(body);
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().kind, FailureKind::order);
  }
  EXPECT_TRUE(read(order("ready")));
}

TEST(Order, ThatLacksWhatItsStatusWantsIsRefused) {
  Json without_finalize = order("ready");
  without_finalize.erase("finalize");
  Json with_http = order("ready");
  with_http["finalize"] = "http://acme.test/f";
  Json without_authorizations = order("pending");
  without_authorizations["authorizations"] = Json::array();
  Json with_a_bad_authorization = order("pending");
  with_a_bad_authorization["authorizations"][1] = "file:///etc/passwd";
  Json with_too_many = order("pending");
  for (size_t i = 0; i < limits::acme_authorizations_max; ++i)
    with_too_many["authorizations"].push_back(kServer + "/authz/x");
  for (const Json& body : {without_finalize, with_http, without_authorizations, with_a_bad_authorization, with_too_many,
                           order("valid"), order("happy"), Json("text"), Json::array()}) {
    const auto answer = read(body);
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().kind, FailureKind::passing);
  }
}

TEST(Order, ThatHasFailedSaysWhy) {
  Json body = order("invalid");
  body["error"] = {{"type", "urn:ietf:params:acme:error:unauthorized"}, {"detail", "wrong key"}};
  const auto failed = read(body);
  ASSERT_TRUE(failed);
  ASSERT_TRUE(failed->failure);
  EXPECT_EQ(failed->failure->message, "the order has failed: unauthorized: wrong key");
  EXPECT_EQ(failed->failure->kind, FailureKind::order);
  EXPECT_EQ(read(order("invalid"))->failure->message, "the order has failed: the server does not say why");
}

TEST(Order, ThatTheServerHasForgottenIsMadeAnew) {
  ScriptedServer server;
  Client client = server.client();
  server.refuse(404, "malformed");
  const auto answer = fetch_order(client, server.account(), kOrderUrl, kNames);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, FailureKind::order);
}

TEST(Order, IsFinalizedWithARequestInDer) {
  ScriptedServer server;
  Client client = server.client();
  server.answer(200, order("processing"), {{"retry-after", "3"}});
  const Order ready{.url = kOrderUrl, .status = OrderStatus::ready, .finalize = kServer + "/order/1/finalize"};
  const auto answer = finalize_order(client, server.account(), ready, as_bytes("\x30\xff"), kNames);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->url, kOrderUrl);
  EXPECT_EQ(answer->status, OrderStatus::processing);
  EXPECT_EQ(answer->retry_after, 3s);
  EXPECT_EQ(server.last().http.url, ready.finalize);
  EXPECT_EQ(server.last().payload, R"({"csr":"MP8"})");
}

// --- Certificates ----------------------------------------------------------------------------------

struct Chains {
  test::Authority old_root{"Old Root"};
  test::Authority new_root{"New Root"};
  test::Authority intermediate{"Intermediate", &old_root};
  std::string leaf = intermediate.issue({.alternative_names = "DNS:example.org"}).certificate;
  std::string by_old = leaf + intermediate.certificate();
  std::string by_new = leaf + intermediate.cross_signed_by(new_root);
};

const Chains& chains() {
  static const Chains made;
  return made;
}

Answer<std::string> fetch(ScriptedServer& server, const IsPreferred& is_preferred = {}) {
  Client client = server.client();
  return fetch_certificate(client, server.account(), kServer + "/c/0", is_preferred);
}

const HttpField kAlternate = {"link", "<https://acme.test/c/1>;rel=\"alternate\""};

TEST(Certificate, IsTheChainOfTheServersChoice) {
  ScriptedServer server;
  server.answer_text(200, chains().by_old, {kAlternate});
  const auto pem = fetch(server);
  ASSERT_TRUE(pem) << pem.error().message;
  EXPECT_EQ(*pem, chains().by_old);
  EXPECT_EQ(server.asked.size(), 1);
  EXPECT_EQ(server.last().payload, "");
  EXPECT_EQ(server.last().http.accept, "application/pem-certificate-chain");
}

TEST(Certificate, IsTheAlternateChainThatIsPreferred) {
  ScriptedServer server;
  server.answer_text(200, chains().by_old, {kAlternate});
  server.answer_text(200, chains().by_new, {kAlternate});
  EXPECT_EQ(fetch(server, [](const std::string& pem) { return pem == chains().by_new; }), chains().by_new);
  EXPECT_EQ(server.last().http.url, "https://acme.test/c/1");
}

TEST(Certificate, IsTheServersChoiceWhenNoChainIsPreferred) {
  ScriptedServer server;
  server.answer_text(200, chains().by_old, {kAlternate});
  server.answer_text(200, chains().by_new);
  std::vector<std::string> seen;
  const auto is_preferred = [&seen](const std::string& pem) {
    seen.push_back(pem);
    return false;
  };
  EXPECT_EQ(fetch(server, is_preferred), chains().by_old);
  EXPECT_EQ(seen, (std::vector{chains().by_old, chains().by_new}));
  EXPECT_FALSE(server.has_answers_left());
}

TEST(Certificate, WithAnythingElseBesideItIsRefused) {
  std::string long_chain;
  for (size_t i = 0; i <= limits::acme_chain_certificates_max; ++i) long_chain += chains().leaf;
  for (const std::string& text :
       {std::string(), std::string("text"), chains().leaf + std::string(kRfc7515EcKey), long_chain,
        chains().leaf.substr(0, 100), std::string("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")}) {
    ScriptedServer server;
    server.answer_text(200, text);
    const auto pem = fetch(server);
    ASSERT_FALSE(pem) << text;
    EXPECT_EQ(pem.error().kind, FailureKind::passing);
  }
}

TEST(Certificate, ThatIsCutOffOrLongerIsRefused) {
  const std::string der = test::der_of(chains().leaf);
  std::vector<std::string> broken = {der + "x"};
  for (size_t size = 1; size < der.size(); ++size) broken.push_back(der.substr(0, size));
  for (const std::string& each : broken) {
    ScriptedServer server;
    server.answer_text(200, tls::encode_pem(as_bytes(each), tls::kCertificateLabel));
    EXPECT_FALSE(fetch(server)) << each.size();
  }
}

TEST(Certificate, IsRevokedWithAReason) {
  ScriptedServer server;
  Client client = server.client();
  server.answer_text(200, "");
  ASSERT_TRUE(revoke_certificate(client, server.account(), as_bytes("\x30\xff"), 4));
  EXPECT_EQ(Json::parse(server.last().payload), (Json{{"certificate", "MP8"}, {"reason", 4}}));
  EXPECT_EQ(server.last().http.url, kServer + "/revoke");
  server.refuse(400, "alreadyRevoked");
  const auto again = revoke_certificate(client, server.account(), as_bytes("\x30\xff"), {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().type, "alreadyRevoked");
  EXPECT_EQ(Json::parse(server.last().payload), (Json{{"certificate", "MP8"}}));
}

}  // namespace
}  // namespace sluice::acme
