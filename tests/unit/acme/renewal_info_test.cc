#include "acme/renewal_info.h"
#include "base/limits.h"
#include "scripted_server.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sluice::acme {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr const char* kRfc9773Id = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";  // its appendix A

Json window(const std::string& start, const std::string& end) {
  return {{"suggestedWindow", {{"start", start}, {"end", end}}}};
}

Answer<std::optional<RenewalInfo>> read(const Json& body, std::vector<HttpField> fields = {}) {
  ScriptedServer server;
  Client client = server.client();
  server.answer(200, body, std::move(fields));
  return fetch_renewal_info(client, kRfc9773Id);
}

TEST(RenewalInfo, IsAskedForWithoutAnAccount) {
  ScriptedServer server;
  Client client = server.client();
  Json body = window("2025-01-02T04:00:00Z", "2025-01-03T04:00:00Z");
  body["explanationURL"] = "https://acme.example.com/docs/ari";
  server.answer(200, body, {{"retry-after", "21600"}});
  const auto info = fetch_renewal_info(client, kRfc9773Id);
  ASSERT_TRUE(info) << info.error().message;
  ASSERT_TRUE(*info);
  EXPECT_EQ((*info)->start, WallTime(1735790400s));
  EXPECT_EQ((*info)->end, WallTime(1735876800s));
  EXPECT_EQ((*info)->explanation_url, "https://acme.example.com/docs/ari");
  EXPECT_EQ((*info)->ask_again, 6h);
  EXPECT_EQ(server.last().http.url, kServer + "/renewal/" + kRfc9773Id);
  EXPECT_EQ(server.last().http.method, Method::get);
  EXPECT_EQ(server.nonces, 0);
}

TEST(RenewalInfo, IsAskedForAgainBetweenAMinuteAndADayLater) {
  const Json body = window("2025-01-02T04:00:00Z", "2025-01-03T04:00:00Z");
  EXPECT_EQ((*read(body, {{"retry-after", "1"}}))->ask_again, 1min);
  EXPECT_EQ((*read(body, {{"retry-after", "9999999"}}))->ask_again, 24h);
  EXPECT_EQ((*read(body))->ask_again, limits::acme_window_interval_default);
}

TEST(RenewalInfo, IsNothingWhereItIsNotOffered) {
  ScriptedServer without;
  without.directory.erase("renewalInfo");
  Client client = without.client();
  const auto info = fetch_renewal_info(client, kRfc9773Id);
  ASSERT_TRUE(info);
  EXPECT_FALSE(*info);
  ScriptedServer other;
  Client other_client = other.client();
  other.refuse(404, "malformed", "unknown certificate");
  const auto unknown = fetch_renewal_info(other_client, kRfc9773Id);
  ASSERT_TRUE(unknown);
  EXPECT_FALSE(*unknown);
}

TEST(RenewalInfo, WithoutAUsableWindowIsAFailureThatPasses) {
  for (const Json& body : {window("2025-01-03T04:00:00Z", "2025-01-02T04:00:00Z"), window("soon", "later"),
                           Json{{"suggestedWindow", 7}}, Json::object(), Json::array()}) {
    const auto info = read(body);
    ASSERT_FALSE(info) << body;
    EXPECT_EQ(info.error().kind, FailureKind::passing);
  }
}

}  // namespace
}  // namespace sluice::acme
