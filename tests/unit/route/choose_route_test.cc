#include "route/choose_route.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::route {
namespace {

using snapshot::PathMatch;

snapshot::Route route_of(std::string name, std::vector<PathMatch> matches,
                         std::vector<snapshot::WeightedDestination> destinations) {
  snapshot::Route route{
      .name = std::move(name), .matches = std::move(matches), .destinations = std::move(destinations)};
  for (const auto& destination : route.destinations) route.total_weight += destination.weight;
  return route;
}

void add_host(snapshot::RouteTable& table, std::string pattern, std::vector<snapshot::Route> routes,
              bool https_redirect = false) {
  ASSERT_TRUE(table.hosts.add(pattern, static_cast<uint32_t>(table.virtual_hosts.size())));
  table.virtual_hosts.push_back(
      {.pattern = std::move(pattern), .https_redirect = https_redirect, .routes = std::move(routes)});
}

const PathMatch any{};
PathMatch exact(std::string text) { return {PathMatch::Kind::exact, std::move(text)}; }
PathMatch prefix(std::string text) { return {PathMatch::Kind::prefix, std::move(text)}; }

Decision decide(const snapshot::RouteTable& table, std::string_view host, std::string_view path, uint64_t random = 0) {
  Arena arena(1024);
  http::RequestHead head(arena);
  head.host = host;
  head.path = path;
  return choose_route(table, head, random);
}

TEST(ChooseRoute, RedirectsOnlyWhatIsNotHttpsAlready) {
  snapshot::RouteTable table;
  add_host(table, "a", {route_of("route", {any}, {{0}})}, /*https_redirect=*/true);
  add_host(table, "without.routes", {}, /*https_redirect=*/true);
  EXPECT_EQ(decide(table, "a", "/").outcome, Outcome::https_redirect);
  Arena arena(1024);
  http::RequestHead head(arena);
  head.path = "/";
  head.is_https = true;
  head.host = "a";
  EXPECT_EQ(choose_route(table, head, 0).outcome, Outcome::forward);
  head.host = "without.routes";
  EXPECT_EQ(choose_route(table, head, 0).outcome, Outcome::not_found);
}

TEST(ChooseRoute, TakesTheMostSpecificHost) {
  snapshot::RouteTable table;
  add_host(table, "*", {route_of("any", {any}, {{0}})});
  add_host(table, "*.example.com", {route_of("suffix", {any}, {{1}})});
  add_host(table, "*.b.example.com", {route_of("longer", {any}, {{2}})});
  add_host(table, "a.b.example.com", {route_of("exact", {any}, {{3}})});
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
    const Decision decision = decide(table, host, "/");
    ASSERT_EQ(decision.outcome, Outcome::forward) << host;
    EXPECT_EQ(decision.route->name, name) << host;
    EXPECT_EQ(decision.virtual_host->routes[0].name, name) << host;
  }
}

TEST(ChooseRoute, DoesNotKnowOtherHosts) {
  snapshot::RouteTable table;
  add_host(table, "a.example.com", {route_of("r", {any}, {{0}})});
  for (const std::string_view host : {"", "example.com", "b.example.com", "a.example.com.evil"}) {
    const Decision decision = decide(table, host, "/");
    EXPECT_EQ(decision.outcome, Outcome::not_found) << host;
    EXPECT_EQ(decision.virtual_host, nullptr) << host;
    EXPECT_EQ(decision.route, nullptr) << host;
  }
}

TEST(ChooseRoute, TakesTheFirstRouteThatFits) {
  snapshot::RouteTable table;
  add_host(table, "h",
           {route_of("exact", {exact("/foo")}, {{1}}), route_of("two", {exact("/x"), prefix("/y/")}, {{2}}),
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
    const Decision decision = decide(table, "h", path);
    EXPECT_EQ(decision.outcome, name.empty() ? Outcome::not_found : Outcome::forward) << path;
    EXPECT_EQ(decision.route == nullptr ? "" : decision.route->name, name) << path;
    EXPECT_NE(decision.virtual_host, nullptr);
  }
  const Decision dead = decide(table, "h", "/dead");
  EXPECT_EQ(dead.outcome, Outcome::no_cluster);
  EXPECT_EQ(dead.route->name, "dead");
}

TEST(ChooseRoute, RedirectsEveryPathOfAHostThatWantsHttps) {
  snapshot::RouteTable table;
  add_host(table, "*.example.com", {route_of("ignored", {any}, {{1}})}, true);
  for (const std::string_view path : {"/", "/a", "/.well-known/acme-challenge/x"}) {
    const Decision decision = decide(table, "a.example.com", path);
    EXPECT_EQ(decision.outcome, Outcome::https_redirect);
    EXPECT_EQ(decision.route, nullptr);
    EXPECT_NE(decision.virtual_host, nullptr);
  }
  EXPECT_EQ(decide(table, "example.com", "/").outcome, Outcome::not_found);
}

TEST(ChooseRoute, SharesByWeight) {
  snapshot::RouteTable table;
  add_host(table, "h", {route_of("r", {any}, {{10, 1}, {11, 0}, {12, 3}, {13, 6}})});
  EXPECT_EQ(decide(table, "h", "/", 0).destination->cluster, 10U);
  EXPECT_EQ(decide(table, "h", "/", UINT64_MAX).destination->cluster, 13U);
  EXPECT_EQ(decide(table, "h", "/", UINT64_MAX / 10 - 1).destination->cluster, 10U);
  EXPECT_EQ(decide(table, "h", "/", UINT64_MAX / 10 + 2).destination->cluster, 12U);

  std::vector<unsigned> counts(14);
  Random random(1);
  constexpr unsigned rounds = 100'000;
  for (unsigned i = 0; i < rounds; ++i) ++counts[decide(table, "h", "/", random.next()).destination->cluster];
  EXPECT_EQ(counts[11], 0U);
  EXPECT_NEAR(counts[10], rounds * 0.1, rounds * 0.01);
  EXPECT_NEAR(counts[12], rounds * 0.3, rounds * 0.01);
  EXPECT_NEAR(counts[13], rounds * 0.6, rounds * 0.01);
}

TEST(ChooseRoute, GivesEverythingToASingleDestinationWhateverItsWeight) {
  snapshot::RouteTable table;
  add_host(table, "h", {route_of("r", {any}, {{7, 0}})});
  EXPECT_EQ(decide(table, "h", "/", 0).destination->cluster, 7U);
  EXPECT_EQ(decide(table, "h", "/", UINT64_MAX).destination->cluster, 7U);
  snapshot::RouteTable none;
  add_host(none, "h", {route_of("r", {any}, {{8, 0}, {9, 0}})});
  EXPECT_EQ(decide(none, "h", "/", 5).destination->cluster, 8U);
}

TEST(ChooseRoute, SharesByWeightsWhoseSumIsLarge) {
  snapshot::RouteTable table;
  add_host(table, "h", {route_of("r", {any}, {{1, UINT32_MAX}, {2, UINT32_MAX}, {3, UINT32_MAX}})});
  EXPECT_EQ(decide(table, "h", "/", 0).destination->cluster, 1U);
  EXPECT_EQ(decide(table, "h", "/", UINT64_MAX / 2).destination->cluster, 2U);
  EXPECT_EQ(decide(table, "h", "/", UINT64_MAX).destination->cluster, 3U);
}

}  // namespace
}  // namespace sluice::route
