#include "acme/account.h"
#include "acme/jws.h"
#include "scripted_server.h"

#include <gtest/gtest.h>

namespace sluice::acme {
namespace {

using Json = nlohmann::json;

AccountKey key() { return *AccountKey::read(kRfc7515EcKey); }

Json payload_of(const ScriptedServer& server) { return Json::parse(server.last().payload); }

TEST(Account, IsMadeWithAContactAndTheTermsAgreedTo) {
  ScriptedServer server;
  Client client = server.client();
  server.answer(201, {{"status", "valid"}}, {{"location", kServer + "/account/7"}});
  const auto url = register_account(client, key(), {.emails = {"a@b.test", "c@d.test"}});
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(*url, kServer + "/account/7");
  EXPECT_EQ(payload_of(server),
            (Json{{"contact", {"mailto:a@b.test", "mailto:c@d.test"}}, {"termsOfServiceAgreed", true}}));
  EXPECT_EQ(server.last().http.url, kServer + "/account");
  EXPECT_EQ(server.last().header["jwk"], Json::parse(key().jwk()));
  EXPECT_FALSE(server.last().header.contains("kid"));
}

TEST(Account, IsLookedForWithoutMakingOne) {
  ScriptedServer server;
  Client client = server.client();
  server.refuse(400, "accountDoesNotExist");
  const auto url = register_account(client, key(), {.only_existing = true});
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().type, "accountDoesNotExist");
  EXPECT_EQ(payload_of(server), (Json{{"onlyReturnExisting", true}}));
}

TEST(Account, IsBoundToAnExternalOne) {
  ScriptedServer server;
  server.directory["meta"] = {{"externalAccountRequired", true}};
  Client client = server.client();
  server.answer(201, {{"status", "valid"}}, {{"location", kServer + "/account/7"}});
  Registration registration;
  registration.external.emplace();
  registration.external->key_id = "kid-1";
  registration.external->mac_key = "bytes of a key\xff";
  ASSERT_TRUE(register_account(client, key(), registration));
  const Json binding = payload_of(server)["externalAccountBinding"];
  EXPECT_EQ(Json::parse(*read_base64url(binding["protected"].get<std::string>())),
            (Json{{"alg", "HS256"}, {"kid", "kid-1"}, {"url", kServer + "/account"}}));
  EXPECT_EQ(Json::parse(*read_base64url(binding["payload"].get<std::string>())), Json::parse(key().jwk()));
  const auto expected = authenticate_jws(as_bytes(registration.external->mac_key),
                                         {.url = kServer + "/account", .key_id = "kid-1"}, key().jwk());
  EXPECT_EQ(binding["signature"], Json::parse(*expected)["signature"]);
}

TEST(Account, FailsWithoutARequestWhenTheExternalOneIsMissing) {
  ScriptedServer server;
  server.directory["meta"] = {{"externalAccountRequired", true}};
  Client client = server.client();
  const auto none = register_account(client, key(), {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, FailureKind::lasting);
  EXPECT_TRUE(none.error().message.contains("externalAccountBinding")) << none.error().message;
  EXPECT_TRUE(server.asked.empty());
}

TEST(Account, ThatHasBeenDeactivatedIsOfNoUse) {
  ScriptedServer server;
  Client client = server.client();
  server.answer(200, {{"status", "deactivated"}}, {{"location", kServer + "/account/7"}});
  const auto url = register_account(client, key(), {});
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().kind, FailureKind::lasting);
}

TEST(Account, NeedsAUrl) {
  for (const std::string location : {"", "http://acme.test/a", "https://acme.test/a b"}) {
    ScriptedServer server;
    Client client = server.client();
    server.answer(201, {{"status", "valid"}}, {{"location", location}});
    EXPECT_FALSE(register_account(client, key(), {})) << location;
  }
}

TEST(Account, ChangesItsKeyByASignatureOfBoth) {
  ScriptedServer server;
  Client client = server.client();
  server.answer(200, Json::object());
  const auto next = AccountKey::read(kRfc7515RsaKey);
  ASSERT_TRUE(change_key(client, server.account(), *next));
  EXPECT_EQ(server.last().header["kid"], kServer + "/account/1");
  EXPECT_EQ(server.last().header["alg"], "ES256");
  const Json inner = payload_of(server);
  EXPECT_EQ(Json::parse(*read_base64url(inner["protected"].get<std::string>())),
            (Json{{"alg", "RS256"}, {"jwk", Json::parse(next->jwk())}, {"url", kServer + "/key"}}));
  EXPECT_EQ(Json::parse(*read_base64url(inner["payload"].get<std::string>())),
            (Json{{"account", kServer + "/account/1"}, {"oldKey", Json::parse(key().jwk())}}));
}

TEST(Account, CannotChangeItsKeyWhereThatIsNotOffered) {
  ScriptedServer server;
  server.directory.erase("keyChange");
  Client client = server.client();
  const auto done = change_key(client, server.account(), *AccountKey::make());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, FailureKind::lasting);
  EXPECT_TRUE(server.asked.empty());
}

}  // namespace
}  // namespace sluice::acme
