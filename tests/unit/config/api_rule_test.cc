// Kyma's APIRules: which requests they take, and what becomes of them.
#include "config/api_rule.h"

#include "config_testing.h"

#include "snapshot/regex.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

namespace sluice::config {
namespace {

using snapshot::TextMatch;

constexpr std::string_view gateway_and_services = R"(
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: kyma-gateway, namespace: kyma-system}
spec:
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*.example.com"]
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: test}
spec: {ports: [{name: http, port: 8000}]}
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: other}
spec: {ports: [{name: http, port: 8000}]}
---
)";

std::string api_rule(std::string_view name, std::string_view host, std::string_view spec) {
  return "apiVersion: gateway.kyma-project.io/v2\nkind: APIRule\nmetadata: {name: " + std::string(name) +
         ", namespace: test}\nspec: {hosts: [\"" + std::string(host) +
         "\"], gateway: kyma-system/kyma-gateway, service: {name: app, port: 8000}, " + std::string(spec) + "}\n---\n";
}

bool fits(const TextMatch& match, std::string_view text) {
  switch (match.kind) {
    case TextMatch::Kind::any: return true;
    case TextMatch::Kind::exact: return text == match.text;
    case TextMatch::Kind::prefix: return text.starts_with(match.text);
    case TextMatch::Kind::regex: return match.regex->matches(text);
  }
  return false;
}

class ApiRules : public testing::Test {
 protected:
  void load(std::string_view documents) {
    loaded_ = load_document(std::string(gateway_and_services) + std::string(documents));
  }

  // The first route that takes the request, or nullptr.
  const snapshot::Route* route(std::string_view host, std::string_view method, std::string_view path) const {
    const snapshot::VirtualHost* virtual_host = find_host(loaded_.snapshot->route_tables.at(0), host);
    if (virtual_host == nullptr || !virtual_host->route_list) return nullptr;
    for (const snapshot::RequestMatch& match : loaded_.snapshot->route_lists[*virtual_host->route_list].matches()) {
      if (fits(match.path, path) && fits(match.conditions.at(0).text, method))
        return &loaded_.snapshot->routes[match.route];
    }
    return nullptr;
  }
  std::string cluster(const snapshot::Route& route) const {
    return loaded_.snapshot->clusters[route.destinations.at(0).cluster].name;
  }
  const snapshot::HeaderOperations& operations(const snapshot::Route& route) const {
    return loaded_.snapshot->header_operations[route.header_operations.value()];
  }
  std::vector<std::string> set_fields(const snapshot::Route& route) const {
    std::vector<std::string> names;
    for (const auto& field : operations(route).request.set) names.push_back(field.name);
    return names;
  }

  Loaded loaded_;
};

struct PathCase {
  std::string_view path;
  std::vector<std::string_view> fits;
  std::vector<std::string_view> does_not_fit;
};

TEST_F(ApiRules, PathsFitWhatTheirOperatorsSay) {
  const PathCase cases[] = {
      {"/*", {"/", "/a", "/a/b/", "/a|b"}, {}},
      {"/", {"/"}, {"/a", ""}},
      {"/a", {"/a"}, {"/a/", "/ab", "/", "/A"}},
      // Characters that mean something in an expression stand for themselves.
      {"/a.b", {"/a.b"}, {"/axb"}},
      {"/a+(b)$", {"/a+(b)$"}, {"/aab", "/ab"}},
      {"/a.b/{*}", {"/a.b/c"}, {"/axb/c"}},
      {"/a+(b)$/{**}", {"/a+(b)$/"}, {"/aab/", "/ab/"}},
      {"/{*}", {"/a", "/-._~!$&'()*+,;=:@", "/a%20"}, {"/", "/a/b", "/a%2", "/a/", "/a b", "/a|b", "/a?"}},
      {"/a/{*}/b", {"/a/x/b"}, {"/a//b", "/a/x/y/b", "/a/b"}},
      {"/{*}/{*}", {"/a/b"}, {"/a", "/a/b/c"}},
      {"/{**}", {"/", "/a", "/a/b/c/", "/a%20/b"}, {"/a%2", "/a b"}},
      {"/a/{**}", {"/a/", "/a/b", "/a/b/c/"}, {"/a", "/ab"}},
      {"/a/{**}/b", {"/a/x/b", "/a/x/y/b"}, {"/a/b", "/a/x", "/a/x/b/c"}},
      {"/{*}/a/{**}", {"/x/a/", "/x/a/b/c"}, {"/a/b", "//a/b", "/x/y/a/b"}},
      {"/a%20b", {"/a%20b"}, {"/a b"}},
  };
  for (const PathCase& each : cases) {
    load(api_rule("a", "a.example.com",
                  "rules: [{path: \"" + std::string(each.path) + "\", methods: [GET], noAuth: true}]"));
    ASSERT_NE(loaded_.snapshot, nullptr) << each.path << ": " << loaded_.diagnostics.at(0);
    for (const std::string_view path : each.fits)
      EXPECT_NE(route("a.example.com", "GET", path), nullptr) << each.path << " must fit " << path;
    for (const std::string_view path : each.does_not_fit)
      EXPECT_EQ(route("a.example.com", "GET", path), nullptr) << each.path << " must not fit " << path;
  }
}

TEST_F(ApiRules, MethodsOfARuleAreTheOnlyOnes) {
  load(api_rule(
      "a", "a.example.com",
      "rules: [{path: /one, methods: [GET], noAuth: true}, {path: /two, methods: [GET, POST], noAuth: true}]"));
  ASSERT_NE(loaded_.snapshot, nullptr);
  EXPECT_NE(route("a.example.com", "GET", "/one"), nullptr);
  EXPECT_NE(route("a.example.com", "POST", "/two"), nullptr);
  for (const std::string_view method : {"POST", "HEAD", "get", "GETPOST", "GE", ""})
    EXPECT_EQ(route("a.example.com", method, "/one"), nullptr) << method;
  for (const std::string_view method : {"HEAD", "get", "GETPOST", "GET|POST", ""})
    EXPECT_EQ(route("a.example.com", method, "/two"), nullptr) << method;
}

TEST_F(ApiRules, TheFirstRuleThatFitsCounts) {
  load(api_rule("a", "a.example.com",
                "timeout: 7, rules: [{path: /a, methods: [GET], noAuth: true, timeout: 1}, "
                "{path: \"/{*}\", methods: [GET], noAuth: true, timeout: 2}, "
                "{path: /*, methods: [GET], noAuth: true}]"));
  ASSERT_NE(loaded_.snapshot, nullptr);
  EXPECT_EQ(route("a.example.com", "GET", "/a")->timeout, std::chrono::seconds(1));
  EXPECT_EQ(route("a.example.com", "GET", "/b")->timeout, std::chrono::seconds(2));
  EXPECT_EQ(route("a.example.com", "GET", "/b/c")->timeout, std::chrono::seconds(7));
}

TEST_F(ApiRules, TimeoutIs180SecondsByDefault) {
  load(api_rule("a", "a.example.com", "rules: [{path: /*, methods: [GET], noAuth: true}]"));
  ASSERT_NE(loaded_.snapshot, nullptr);
  EXPECT_EQ(route("a.example.com", "GET", "/")->timeout, std::chrono::seconds(180));
}

TEST_F(ApiRules, NamespaceOfAServiceIsOfTheRuleThenOfTheSpecThenOfTheDocument) {
  load(
      api_rule("a", "a.example.com",
               "rules: [{path: /own, methods: [GET], noAuth: true, service: {name: app, namespace: other, port: 8000}},"
               "{path: /*, methods: [GET], noAuth: true}]"));
  ASSERT_NE(loaded_.snapshot, nullptr) << loaded_.diagnostics.at(0);
  EXPECT_TRUE(cluster(*route("a.example.com", "GET", "/own")).contains("app.other.svc.cluster.local"));
  EXPECT_TRUE(cluster(*route("a.example.com", "GET", "/")).contains("app.test.svc.cluster.local"));
  load(
      "apiVersion: gateway.kyma-project.io/v2\nkind: APIRule\nmetadata: {name: b, namespace: test}\n"
      "spec: {hosts: [b.example.com], gateway: kyma-system/kyma-gateway, "
      "service: {name: app, namespace: other, port: 8000}, "
      "rules: [{path: /*, methods: [GET], noAuth: true, service: {name: app, port: 8000}}]}\n");
  ASSERT_NE(loaded_.snapshot, nullptr) << loaded_.diagnostics.at(0);
  EXPECT_TRUE(cluster(*route("b.example.com", "GET", "/")).contains("app.other.svc.cluster.local"));
}

TEST_F(ApiRules, ShortHostHasTheDomainOfTheGateway) {
  load(api_rule("a", "app", "rules: [{path: /*, methods: [GET], noAuth: true}]"));
  ASSERT_NE(loaded_.snapshot, nullptr) << loaded_.diagnostics.at(0);
  EXPECT_NE(route("app.example.com", "GET", "/"), nullptr);
  EXPECT_EQ(route("other.example.com", "GET", "/"), nullptr);
}

TEST_F(ApiRules, DestinationLearnsTheHostAndUpstreamsDoNotSayWhatPagesMayDo) {
  load(api_rule("a", "app", "rules: [{path: /*, methods: [GET], noAuth: true}]") +
       api_rule("b", "*.b.example.com", "rules: [{path: /*, methods: [GET], noAuth: true}]"));
  ASSERT_NE(loaded_.snapshot, nullptr) << loaded_.diagnostics.at(0);
  const snapshot::HeaderOperations& of_name = operations(*route("app.example.com", "GET", "/"));
  ASSERT_EQ(of_name.request.set.size(), 1u);
  EXPECT_EQ(of_name.request.set[0].name, "x-forwarded-host");
  EXPECT_EQ(of_name.response.remove,
            (std::vector<std::string>{"access-control-allow-credentials", "access-control-allow-headers",
                                      "access-control-allow-methods", "access-control-allow-origin",
                                      "access-control-expose-headers", "access-control-max-age"}));
  EXPECT_EQ(set_fields(*route("x.b.example.com", "GET", "/")), std::vector<std::string>{"x-forwarded-host"});
}

TEST_F(ApiRules, RequestFieldsAndCookiesAreSet) {
  load(api_rule("a", "app",
                "rules: [{path: /*, methods: [GET], noAuth: true, "
                "request: {headers: {X-Forwarded-Host: mine, x-a: b}, cookies: {c: d, e: f}}}]"));
  ASSERT_NE(loaded_.snapshot, nullptr) << loaded_.diagnostics.at(0);
  EXPECT_EQ(set_fields(*route("app.example.com", "GET", "/")),
            (std::vector<std::string>{"cookie", "x-a", "x-forwarded-host"}));
}

TEST_F(ApiRules, CorsPolicyIsOfEveryRule) {
  load(api_rule("a", "app",
                "corsPolicy: {allowOrigins: [{exact: \"https://a.example\"}], allowMethods: [GET, PUT], maxAge: 600}, "
                "rules: [{path: /a, methods: [GET], noAuth: true}, {path: /b, methods: [GET], noAuth: true}]"));
  ASSERT_NE(loaded_.snapshot, nullptr) << loaded_.diagnostics.at(0);
  for (const std::string_view path : {"/a", "/b"}) {
    const snapshot::Route* found = route("app.example.com", "GET", path);
    ASSERT_NE(found, nullptr);
    ASSERT_NE(found->cors, nullptr);
    EXPECT_EQ(found->cors->origins.at(0).text, "https://a.example");
    EXPECT_EQ(found->cors->allow_methods, "GET,PUT");
    EXPECT_EQ(found->cors->max_age, "600");
  }
}

TEST_F(ApiRules, OlderOnesComeFirstAmongVirtualServicesToo) {
  load(
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
      "metadata: {name: vs, namespace: test, creationTimestamp: \"2026-01-02T00:00:00Z\"}\n"
      "spec: {hosts: [\"*.example.com\"], gateways: [kyma-system/kyma-gateway], "
      "http: [{name: theirs, match: [{method: {exact: GET}}], directResponse: {status: 200}}]}\n---\n"
      "apiVersion: gateway.kyma-project.io/v2\nkind: APIRule\n"
      "metadata: {name: a, namespace: test, creationTimestamp: \"2026-01-01T00:00:00Z\"}\n"
      "spec: {hosts: [\"*.example.com\"], gateway: kyma-system/kyma-gateway, service: {name: app, port: 8000}, "
      "rules: [{path: /*, methods: [GET], noAuth: true}]}\n");
  // Kyma gives a host to one of them only.
  EXPECT_EQ(loaded_.snapshot, nullptr);
  ASSERT_EQ(loaded_.diagnostics.size(), 1u);
  EXPECT_TRUE(loaded_.diagnostics[0].contains("VirtualService test/vs has host \"*.example.com\" already"))
      << loaded_.diagnostics[0];
}

// Whatever asks for authentication, and however it is written.
TEST_F(ApiRules, NothingThatAsksForAuthenticationBecomesARoute) {
  for (const std::string_view access :
       {"", "noAuth: false", "noAuth: null", "jwt: {}", "jwt: []", "jwt: [[]]", "jwt: text", "jwt: \"\"", "jwt: null",
        "extAuth: []", "extAuth: {authorizers: [a]}", "jwt: [], extAuth: []", "noAuth: true, jwt: []",
        "noAuth: true, extAuth: {}", "noAuth: false, jwt: []", "noAuth: \"true\"", "noAuth: [true]",
        "accessStrategies: [{handler: jwt}]", "noAuth: true, accessStrategies: [{handler: jwt}]"}) {
    load(api_rule("a", "a.example.com",
                  "rules: [{path: /*, methods: [GET], " + std::string(access) +
                      "}, {path: /open, methods: [GET], noAuth: true}]"));
    EXPECT_EQ(loaded_.snapshot, nullptr) << access;
    EXPECT_TRUE(std::ranges::any_of(loaded_.diagnostics, [](const std::string& line) {
      return line.contains(": error: ");
    })) << access;
  }
}

// Each rule has the policy: a document of some kilobytes would be gigabytes in memory.
TEST_F(ApiRules, PolicyOfManyRulesIsBounded) {
  std::string origins;
  std::string rules;
  for (int i = 0; i < 1500; ++i) {
    origins += "{exact: a},";
    rules += "{path: /" + std::to_string(i) + ", methods: [GET], noAuth: true},";
  }
  load(api_rule("a", "app", "corsPolicy: {allowOrigins: [" + origins + "]}, rules: [" + rules + "]"));
  EXPECT_EQ(loaded_.snapshot, nullptr);
  ASSERT_EQ(loaded_.diagnostics.size(), 1u);
  EXPECT_TRUE(loaded_.diagnostics[0].contains("the APIRules have more than 2000000 values")) << loaded_.diagnostics[0];
}

TEST(RegexOfPath, IsAnExpressionForEveryPath) {
  for (const std::string_view path : {"/", "/{*}", "/{**}", "/a.b$(c)+/{*}/{**}", "/-._~!$&'()+,;=:@/%20/{*}"})
    EXPECT_TRUE(snapshot::Regex::compile(regex_of_path(path)).has_value()) << path;
}

}  // namespace
}  // namespace sluice::config
