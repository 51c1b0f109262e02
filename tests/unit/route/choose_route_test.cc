#include "route/choose_route.h"

#include "base/random.h"
#include "route_tables.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::route {
namespace {

using test::exact;
using test::prefix;

// A snapshot with one tables.
struct Tables {
  snapshot::Snapshot snapshot{.route_tables = std::vector<snapshot::RouteTable>(1)};

  void add_host(std::string pattern, std::vector<test::TestRoute> routes, bool https_redirect = false) {
    snapshot::RouteTable& table = snapshot.route_tables[0];
    ASSERT_TRUE(table.hosts.add(pattern, static_cast<uint32_t>(table.virtual_hosts.size())));
    table.virtual_hosts.push_back({.pattern = std::move(pattern), .https_redirect = https_redirect});
    if (!routes.empty()) table.virtual_hosts.back().route_list = test::add_route_list(snapshot, std::move(routes));
  }
};

test::TestRoute route_of(std::string name, std::vector<snapshot::RequestMatch> matches,
                         std::vector<snapshot::WeightedDestination> destinations) {
  return {{.name = std::move(name), .destinations = std::move(destinations)}, std::move(matches)};
}

const snapshot::RequestMatch any{};

Decision decide(const Tables& tables, std::string_view host, std::string_view path, uint64_t random = 0) {
  Arena arena(1024);
  http::RequestHead head(arena);
  head.host = host;
  head.path = path;
  return choose_route(tables.snapshot, tables.snapshot.route_tables[0], head, random);
}

TEST(ChooseRoute, RedirectsOnlyWhatIsNotHttpsAlready) {
  Tables tables;
  tables.add_host("a", {route_of("route", {any}, {{0}})}, /*https_redirect=*/true);
  tables.add_host("without.routes", {}, /*https_redirect=*/true);
  EXPECT_EQ(decide(tables, "a", "/").outcome, Outcome::https_redirect);
  Arena arena(1024);
  http::RequestHead head(arena);
  head.path = "/";
  head.is_https = true;
  head.host = "a";
  EXPECT_EQ(choose_route(tables.snapshot, tables.snapshot.route_tables[0], head, 0).outcome, Outcome::forward);
  head.host = "without.routes";
  EXPECT_EQ(choose_route(tables.snapshot, tables.snapshot.route_tables[0], head, 0).outcome, Outcome::not_found);
}

// Before every route and redirect, on connections without TLS; what is not known is somebody else's.
TEST(ChooseRoute, AnswersAnAcmeServer) {
  Tables tables;
  tables.add_host("a", {route_of("route", {any}, {{0}})}, /*https_redirect=*/true);
  snapshot::Listener listener;
  snapshot::TlsServer tls_server;
  const auto outcome = [&](std::string_view method, std::string_view host, std::string_view path, bool is_tls) {
    Arena arena(1024);
    http::RequestHead head(arena);
    head.method = method;
    head.host = host;
    head.path = path;
    return choose_route(tables.snapshot, listener, is_tls ? &tls_server : nullptr, head, 0);
  };
  constexpr std::string_view path = "/.well-known/acme-challenge/token-1";
  EXPECT_EQ(outcome("GET", "a", path, false).outcome, Outcome::https_redirect);
  snapshot::AcmeChallenges challenges;
  challenges.key_authorizations = {{"token-1", "token-1.thumbprint"}, {"token-2", "token-2.thumbprint"}};
  tables.snapshot.challenges = std::make_shared<const snapshot::AcmeChallenges>(challenges);
  for (const std::string_view host : {"a", "unknown"}) {
    const Decision decision = outcome("GET", host, path, false);
    EXPECT_EQ(decision.outcome, Outcome::acme_challenge);
    EXPECT_EQ(decision.key_authorization, "token-1.thumbprint");
    EXPECT_EQ(decision.route, nullptr);
  }
  EXPECT_EQ(outcome("HEAD", "a", path, false).outcome, Outcome::acme_challenge);
  EXPECT_EQ(outcome("POST", "a", path, false).outcome, Outcome::https_redirect);
  for (const std::string_view other : {"/.well-known/acme-challenge/token-3", "/.well-known/acme-challenge/token-1/",
                                       "/.well-known/acme-challenge/", "/.well-known/acme-challenge", "/token-1"})
    EXPECT_EQ(outcome("GET", "a", other, false).outcome, Outcome::https_redirect) << other;
  EXPECT_NE(outcome("GET", "a", path, true).outcome, Outcome::acme_challenge);
}

TEST(ChooseRoute, TakesTheMostSpecificHost) {
  Tables tables;
  tables.add_host("*", {route_of("any", {any}, {{0}})});
  tables.add_host("*.example.com", {route_of("suffix", {any}, {{1}})});
  tables.add_host("*.b.example.com", {route_of("longer", {any}, {{2}})});
  tables.add_host("a.b.example.com", {route_of("exact", {any}, {{3}})});
  struct {
    std::string_view host, name;
  } cases[] = {
      {"a.b.example.com", "exact"},
      {"x.b.example.com", "longer"},
      {"x.y.b.example.com", "longer"},
      {"b.example.com", "suffix"},
      {"x.example.com", "suffix"},
      {"example.com", "any"},
      {"other", "any"},
      {"", "any"},
      {"[::1]", "any"},
      {"10.0.0.1", "any"},
  };
  for (const auto& [host, name] : cases) {
    const Decision decision = decide(tables, host, "/");
    ASSERT_EQ(decision.outcome, Outcome::forward) << host;
    EXPECT_EQ(decision.route->name, name) << host;
  }
}

TEST(ChooseRoute, DoesNotKnowOtherHosts) {
  Tables tables;
  tables.add_host("a.example.com", {route_of("r", {any}, {{0}})});
  for (const std::string_view host : {"", "example.com", "b.example.com", "a.example.com.evil"}) {
    const Decision decision = decide(tables, host, "/");
    EXPECT_EQ(decision.outcome, Outcome::not_found) << host;
    EXPECT_EQ(decision.virtual_host, nullptr) << host;
    EXPECT_EQ(decision.route, nullptr) << host;
  }
}

TEST(ChooseRoute, TakesTheFirstRouteThatFits) {
  Tables tables;
  tables.add_host("h", {route_of("exact", {exact("/foo")}, {{1}}), route_of("two", {exact("/x"), prefix("/y/")}, {{2}}),
                        route_of("prefix", {prefix("/foo")}, {{3}}), route_of("never", {prefix("/foo/bar")}, {{4}}),
                        route_of("dead", {exact("/dead")}, {})});
  struct {
    std::string_view path, name;
  } cases[] = {
      {"/foo", "exact"}, {"/foo/", "prefix"}, {"/foobar", "prefix"}, {"/foo/bar", "prefix"}, {"/x", "two"},
      {"/y/z", "two"},   {"/y", ""},          {"/x/", ""},           {"/FOO", ""},           {"/", ""},
      {"", ""},          {"/fo", ""},
  };
  for (const auto& [path, name] : cases) {
    const Decision decision = decide(tables, "h", path);
    EXPECT_EQ(decision.outcome, name.empty() ? Outcome::not_found : Outcome::forward) << path;
    EXPECT_EQ(decision.route == nullptr ? "" : decision.route->name, name) << path;
    EXPECT_NE(decision.virtual_host, nullptr);
  }
  const Decision dead = decide(tables, "h", "/dead");
  EXPECT_EQ(dead.outcome, Outcome::no_cluster);
  EXPECT_EQ(dead.route->name, "dead");
}

TEST(ChooseRoute, RedirectsEveryPathOfAHostThatWantsHttps) {
  Tables tables;
  tables.add_host("*.example.com", {route_of("ignored", {any}, {{1}})}, true);
  for (const std::string_view path : {"/", "/a", "/.well-known/acme-challenge/x"}) {
    const Decision decision = decide(tables, "a.example.com", path);
    EXPECT_EQ(decision.outcome, Outcome::https_redirect);
    EXPECT_EQ(decision.route, nullptr);
    EXPECT_NE(decision.virtual_host, nullptr);
  }
  EXPECT_EQ(decide(tables, "example.com", "/").outcome, Outcome::not_found);
}

TEST(ChooseRoute, SaysHowARouteAnswersItself) {
  Tables tables;
  snapshot::Route redirect{.redirect = std::make_shared<snapshot::Redirect>()};
  snapshot::Route direct{.direct_response = std::make_shared<snapshot::DirectResponse>()};
  tables.add_host("h", {{redirect, {exact("/r")}}, {direct, {exact("/d")}}});
  EXPECT_EQ(decide(tables, "h", "/r").outcome, Outcome::redirect);
  EXPECT_EQ(decide(tables, "h", "/d").outcome, Outcome::direct_response);
}

TEST(ChooseRoute, SharesByWeight) {
  Tables tables;
  tables.add_host("h", {route_of("r", {any}, {{10, 1}, {11, 0}, {12, 3}, {13, 6}})});
  EXPECT_EQ(decide(tables, "h", "/", 0).destination->cluster, 10U);
  EXPECT_EQ(decide(tables, "h", "/", UINT64_MAX).destination->cluster, 13U);
  EXPECT_EQ(decide(tables, "h", "/", UINT64_MAX / 10 - 1).destination->cluster, 10U);
  EXPECT_EQ(decide(tables, "h", "/", UINT64_MAX / 10 + 2).destination->cluster, 12U);

  std::vector<unsigned> counts(14);
  Random random(1);
  constexpr unsigned rounds = 100'000;
  for (unsigned i = 0; i < rounds; ++i) ++counts[decide(tables, "h", "/", random.next()).destination->cluster];
  EXPECT_EQ(counts[11], 0U);
  EXPECT_NEAR(counts[10], rounds * 0.1, rounds * 0.01);
  EXPECT_NEAR(counts[12], rounds * 0.3, rounds * 0.01);
  EXPECT_NEAR(counts[13], rounds * 0.6, rounds * 0.01);
}

TEST(ChooseRoute, GivesEverythingToASingleDestinationWhateverItsWeight) {
  Tables tables;
  tables.add_host("h", {route_of("r", {any}, {{7, 0}})});
  EXPECT_EQ(decide(tables, "h", "/", 0).destination->cluster, 7U);
  EXPECT_EQ(decide(tables, "h", "/", UINT64_MAX).destination->cluster, 7U);
  Tables none;
  none.add_host("h", {route_of("r", {any}, {{8, 0}, {9, 0}})});
  EXPECT_EQ(decide(none, "h", "/", 5).destination->cluster, 8U);
}

TEST(ChooseRoute, SharesByWeightsWhoseSumIsLarge) {
  Tables tables;
  tables.add_host("h", {route_of("r", {any}, {{1, UINT32_MAX}, {2, UINT32_MAX}, {3, UINT32_MAX}})});
  EXPECT_EQ(decide(tables, "h", "/", 0).destination->cluster, 1U);
  EXPECT_EQ(decide(tables, "h", "/", UINT64_MAX / 2).destination->cluster, 2U);
  EXPECT_EQ(decide(tables, "h", "/", UINT64_MAX).destination->cluster, 3U);
}

}  // namespace
}  // namespace sluice::route
