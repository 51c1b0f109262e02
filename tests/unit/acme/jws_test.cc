#include "acme/jws.h"
#include "acme/account_key.h"
#include "base/base64.h"
#include "keys.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <nlohmann/json.hpp>

namespace sluice::acme {
namespace {

using Json = nlohmann::json;

std::string decoded(const Json& jws, const char* part) { return *read_base64url(jws[part].get<std::string>()); }

TEST(Jws, ShowsTheKeyUntilThereIsAnAccount) {
  const auto key = AccountKey::read(kRfc7515EcKey);
  const auto jws = sign_jws(*key, {.url = "https://a/new", .nonce = "n1"}, R"({"a":1})");
  ASSERT_TRUE(jws);
  const Json json = Json::parse(*jws);
  EXPECT_EQ(json.size(), 3);
  const Json header = Json::parse(decoded(json, "protected"));
  EXPECT_EQ(header,
            (Json{{"alg", "ES256"}, {"jwk", Json::parse(key->jwk())}, {"nonce", "n1"}, {"url", "https://a/new"}}));
  EXPECT_EQ(decoded(json, "payload"), R"({"a":1})");
  EXPECT_EQ(decoded(json, "signature").size(), 64);
}

TEST(Jws, NamesTheAccountOnceThereIsOne) {
  const auto key = AccountKey::read(kRfc7515RsaKey);
  const auto jws = sign_jws(*key, {.url = "https://a/o", .key_id = "https://a/1", .nonce = "n"}, "");
  const Json json = Json::parse(*jws);
  EXPECT_EQ(Json::parse(decoded(json, "protected")),
            (Json{{"alg", "RS256"}, {"kid", "https://a/1"}, {"nonce", "n"}, {"url", "https://a/o"}}));
  EXPECT_EQ(json["payload"], "");  // POST-as-GET
  const std::string text = json["protected"].get<std::string>() + ".";
  EXPECT_EQ(decoded(json, "signature"), *key->sign(text));  // RS256 has no random part
}

TEST(Jws, IsAuthenticatedByHmacForExternalAccounts) {
  const std::string mac_key = *read_base64url("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");
  const auto jws = authenticate_jws(as_bytes(mac_key), {.url = "https://a/new", .key_id = "kid-1"}, "{}");
  ASSERT_TRUE(jws);
  const Json json = Json::parse(*jws);
  EXPECT_EQ(Json::parse(decoded(json, "protected")),
            (Json{{"alg", "HS256"}, {"kid", "kid-1"}, {"url", "https://a/new"}}));
  const std::string text = json["protected"].get<std::string>() + "." + json["payload"].get<std::string>();
  unsigned char mac[32];
  HMAC(EVP_sha256(), mac_key.data(), static_cast<int>(mac_key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, nullptr);
  EXPECT_EQ(decoded(json, "signature"), std::string(reinterpret_cast<char*>(mac), 32));
}

}  // namespace
}  // namespace sluice::acme
