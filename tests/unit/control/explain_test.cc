#include "control/explain.h"

#include "control/build_snapshot.h"
#include "tls/server_context.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::control {
namespace {

using Outcome = Explanation::Outcome;

class Explain : public testing::Test {
 protected:
  static std::unique_ptr<snapshot::Snapshot> load(const std::string& path) {
    EXPECT_TRUE(tls::initialize());
    config::Diagnostics diagnostics;
    auto snapshot = build_snapshot_to_look_at({path}, WallTime{}, diagnostics);
    EXPECT_NE(snapshot, nullptr);
    return snapshot;
  }

  static ExplainRequest get(std::string url, std::vector<std::string> fields = {}) {
    return {.url = std::move(url), .fields = std::move(fields), .client = *SocketAddress::from_ip("192.0.2.7", 0)};
  }

  Explanation explain(const ExplainRequest& request) const {
    auto result = control::explain(*rich_, request);
    EXPECT_TRUE(result) << result.error().message;
    return std::move(*result);
  }
  Explanation explain(std::string url, std::vector<std::string> fields = {}) const {
    return explain(get(std::move(url), std::move(fields)));
  }

  static std::string value_of(const ExplainedFields& fields, std::string_view name) {
    for (const auto& [each, value] : fields) {
      if (each == name) return value;
    }
    return "none";
  }

  std::string error_of(const ExplainRequest& request) const {
    const auto result = control::explain(*rich_, request);
    return result ? "none" : result.error().message;
  }

  const std::unique_ptr<snapshot::Snapshot> rich_ = load(GOLDEN_FOLDER "/rich.yaml");
};

TEST_F(Explain, ForwardsToEachDestinationWhatItWouldSee) {
  const Explanation found = explain("http://shop.example.com/api/a?q=1#part", {"Cookie: secret", "X-A: 1"});
  EXPECT_EQ(found.outcome, Outcome::forward);
  EXPECT_EQ(found.listener->service_port, 80);
  EXPECT_EQ(found.gateway_server->port_name, "http");
  EXPECT_EQ(found.virtual_host->pattern, "shop.example.com");
  EXPECT_EQ(found.route->name, "api");
  EXPECT_EQ(found.match->path.text, "/api/");
  EXPECT_FALSE(found.answer);
  ASSERT_EQ(found.destinations.size(), 2U);
  const ExplainedDestination& first = found.destinations[0];
  EXPECT_EQ(first.cluster->name, "outbound|80||app.example");
  EXPECT_DOUBLE_EQ(first.percent, 90);
  EXPECT_EQ(first.method + " " + first.target, "GET /v2/a?q=1");
  EXPECT_EQ(value_of(first.fields, "host"), "api.internal");
  EXPECT_EQ(value_of(first.fields, "x-path"), "/api/a?q=1");
  EXPECT_EQ(value_of(first.fields, "x-envoy-original-path"), "/api/a?q=1");
  EXPECT_EQ(value_of(first.fields, "x-forwarded-for"), "192.0.2.7");
  EXPECT_EQ(value_of(first.fields, "x-forwarded-proto"), "http");
  EXPECT_EQ(value_of(first.fields, "cookie"), "none");
  EXPECT_EQ(value_of(first.fields, "x-a"), "1");
  EXPECT_EQ(value_of(first.fields, "x-canary"), "none");
  EXPECT_EQ(value_of(found.destinations[1].fields, "x-canary"), "yes");
  EXPECT_EQ(found.destinations[1].server_name, "secure.example");
}

TEST_F(Explain, HasTheFramingOfContentAndOfUpgrades) {
  ExplainRequest request = get("http://shop.example.com/api/", {"Content-Length: 7"});
  request.method = "PUT";
  EXPECT_EQ(value_of(explain(request).destinations[0].fields, "content-length"), "7");
  const Explanation upgrade = explain("http://shop.example.com/api/", {"Connection: upgrade", "Upgrade: websocket"});
  EXPECT_EQ(value_of(upgrade.destinations[0].fields, "upgrade"), "websocket");
}

TEST_F(Explain, RedirectsWithTheLocation) {
  const Explanation found = explain("http://shop.example.com/old/x?q");
  EXPECT_EQ(found.outcome, Outcome::redirect);
  EXPECT_EQ(found.answer->status, 308);
  EXPECT_EQ(value_of(found.answer->fields, "location"), "https://new.example.com:8443/old/x?q");
}

TEST_F(Explain, NamesTheMatchWhoseConditionsHold) {
  ExplainRequest request = get("http://shop.example.com/gone?v=1", {"X-Team: b"});
  request.method = "POST";
  const Explanation explanation = explain(request);
  EXPECT_EQ(snapshot::route_name(*explanation.route, *explanation.match), "old.post");
  request.fields.push_back("x-beta: 1");
  EXPECT_EQ(explain(request).outcome, Outcome::not_found);
}

TEST_F(Explain, AnswersDirectly) {
  const Explanation found = explain("http://www.example.com/status");
  EXPECT_EQ(found.outcome, Outcome::direct_response);
  EXPECT_EQ(found.answer->status, 503);
  EXPECT_EQ(found.answer->body, "come later\n");
  EXPECT_EQ(value_of(found.answer->fields, "retry-after"), "60");
}

TEST_F(Explain, SaysWhyThereIsNoRoute) {
  const Explanation no_host = explain("http://other.example.com/");
  EXPECT_EQ(no_host.outcome, Outcome::not_found);
  EXPECT_EQ(no_host.virtual_host, nullptr);
  const Explanation no_route = explain("http://shop.example.com/");
  EXPECT_EQ(no_route.outcome, Outcome::not_found);
  EXPECT_NE(no_route.virtual_host, nullptr);
  EXPECT_EQ(no_route.answer->status, 404);
  EXPECT_EQ(explain("http://shop.example.com/nowhere").outcome, Outcome::no_cluster);
}

TEST_F(Explain, TakesAFaultThatEveryRequestGetsForTheAnswer) {
  const Explanation found = explain("http://shop.example.com/broken");
  EXPECT_EQ(found.outcome, Outcome::fault);
  EXPECT_EQ(found.answer->status, 500);
  EXPECT_TRUE(found.destinations.empty());
}

TEST_F(Explain, TellsPreflightsFromOtherRequestsOfTheOrigin) {
  ExplainRequest request = get("http://shop.example.com/api/", {"Origin: https://a.example"});
  const Explanation actual = explain(request);
  EXPECT_EQ(actual.cors, route::CorsRequest::actual);
  EXPECT_EQ(value_of(actual.destinations[0].response_fields, "access-control-allow-origin"), "https://a.example");
  request.method = "OPTIONS";
  request.fields.push_back("Access-Control-Request-Method: PUT");
  const Explanation preflight = explain(request);
  EXPECT_EQ(preflight.outcome, Outcome::cors_preflight);
  EXPECT_EQ(value_of(preflight.answer->fields, "access-control-max-age"), "3600");
}

TEST_F(Explain, RefusesWhatTheProxyRefuses) {
  EXPECT_EQ(explain("http://shop.example.com/%00").answer->status, 400);
  EXPECT_EQ(explain("http://shop.example.com/", {"Host: a", "Host: b"}).answer->status, 400);
  EXPECT_EQ(explain("http://shop.example.com/", {"Bad Name: a"}).outcome, Outcome::refused);
  EXPECT_EQ(explain("http://shop.example.com/" + std::string(20'000, 'x')).answer->status, 414);
  ExplainRequest connect = get("http://shop.example.com/");
  connect.method = "CONNECT";
  EXPECT_EQ(explain(connect).answer->status, 405);
}

TEST_F(Explain, RefusesAPathThatCannotBeRewritten) {
  const Explanation found = explain("http://shop.example.com/letters/" + std::string(101, 'x'));
  EXPECT_EQ(found.outcome, Outcome::refused);
  EXPECT_EQ(found.answer->details, "path_rewrite_failed");
  EXPECT_EQ(found.route->name, "letters");
}

TEST_F(Explain, SeesConnectionsThatAreNotHttp) {
  const Explanation passed = explain("https://A.DB.example.com./");
  EXPECT_EQ(passed.outcome, Outcome::tunnel);
  EXPECT_EQ(passed.server_name, "a.db.example.com");
  EXPECT_EQ(passed.destinations[0].cluster->name, "outbound|5432||db.example");
  EXPECT_EQ(explain("https://b.db.example.com/").outcome, Outcome::no_tcp_route);
  EXPECT_EQ(explain("https://x.test/").outcome, Outcome::no_server);
  EXPECT_EQ(explain("http://x.test:5432/").outcome, Outcome::tunnel);
}

TEST_F(Explain, SaysThatNobodyListensOrSpeaksThat) {
  EXPECT_EQ(explain("http://shop.example.com:81/").outcome, Outcome::no_listener);
  EXPECT_EQ(explain("http://shop.example.com:443/").outcome, Outcome::wrong_protocol);
  EXPECT_EQ(explain("https://shop.example.com:80/").outcome, Outcome::wrong_protocol);
}

TEST_F(Explain, TakesHostFromTheFieldAndSniFromTheUrl) {
  EXPECT_EQ(explain("http://x.test/status", {"Host: shop.example.com"}).outcome, Outcome::direct_response);
  EXPECT_EQ(explain("https://192.0.2.1/").server_name, "") << "no SNI for addresses";
  EXPECT_EQ(explain("https://[2001:db8::1]/").server_name, "");
}

TEST_F(Explain, NeedsNoCertificate) {
  const auto kyma = load(EXAMPLES_FOLDER "/kyma-gateway");
  const auto https = control::explain(*kyma, get("https://httpbin.local.kyma.dev/get"));
  ASSERT_TRUE(https);
  EXPECT_EQ(https->outcome, Outcome::forward);
  EXPECT_EQ(https->tls_server->context, nullptr);
  EXPECT_EQ(https->destinations[0].percent, 100);
  EXPECT_EQ(value_of(https->destinations[0].fields, "x-forwarded-proto"), "https");
  const auto plain = control::explain(*kyma, get("http://httpbin.local.kyma.dev/get"));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->outcome, Outcome::https_redirect);
  EXPECT_EQ(value_of(plain->answer->fields, "location"), "https://httpbin.local.kyma.dev/get");
}

TEST_F(Explain, FailsOnWhatIsNoRequest) {
  EXPECT_TRUE(error_of(get("ftp://a/")).contains("is no URL of http or https"));
  EXPECT_TRUE(error_of(get("shop.example.com")).contains("is no URL"));
  for (const char* url : {"http://", "http:///a", "http://a:70000/", "http://u@a/", "http://a:0/", "http://[::1/"})
    EXPECT_TRUE(error_of(get(url)).contains("host and port") || error_of(get(url)).contains("port 0")) << url;
  EXPECT_TRUE(error_of(get("http://a/\r\nx: y")).contains("control characters"));
  EXPECT_TRUE(error_of(get("http://a/ b")).contains("spaces"));
  EXPECT_TRUE(error_of(get("http://a/", {"no colon"})).contains("is no header field"));
  EXPECT_TRUE(error_of(get("http://a/", {"a: b\r\nhost: c"})).contains("is no header field"));
  ExplainRequest request = get("http://a/");
  request.method = "GET / HTTP/1.1";
  EXPECT_TRUE(error_of(request).contains("is no method"));
}

}  // namespace
}  // namespace sluice::control
