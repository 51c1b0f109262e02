#include "route/choose_tcp_route.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice::route {
namespace {

void add_route(snapshot::RouteTable& table, std::vector<std::string> server_names,
               std::vector<snapshot::WeightedDestination> destinations) {
  snapshot::TcpRoute& route = table.tcp_routes.emplace_back();
  route.server_names = std::move(server_names);
  for (const auto& destination : destinations) route.total_weight += destination.weight;
  route.destinations = std::move(destinations);
}

std::optional<uint32_t> cluster_of(const TcpDecision& decision) {
  if (decision.destination == nullptr) return std::nullopt;
  return decision.destination->cluster;
}

TEST(ChooseTcpRoute, TakesTheFirstRouteThatMatchesTheServerName) {
  snapshot::RouteTable table;
  add_route(table, {"x.test", "y.test"}, {{1}});
  add_route(table, {"*.a.test"}, {{2}});
  add_route(table, {"b.a.test", "*.test"}, {{3}});
  struct {
    std::string_view server_name;
    std::optional<uint32_t> cluster;
  } cases[] = {
      {"x.test", 1},     {"y.test", 1},       {"b.a.test", 2},  // the first, not the most specific
      {"c.b.a.test", 2}, {"a.test", 3},       {"other.test", 3}, {"test", {}},
      {".test", {}},     {"x.test.evil", {}}, {"evilx.tes", {}}, {"", {}},
  };
  for (const auto& [server_name, cluster] : cases) {
    const TcpDecision decision = choose_tcp_route(table, server_name, nullptr, 0);
    EXPECT_EQ(cluster_of(decision), cluster) << server_name;
    EXPECT_EQ(decision.route != nullptr, cluster.has_value()) << server_name;
  }
}

TEST(ChooseTcpRoute, TakesARouteWithoutServerNamesForAnyNameAndForNone) {
  for (std::vector<std::string> any : {std::vector<std::string>{}, std::vector<std::string>{"*"}}) {
    snapshot::RouteTable table;
    add_route(table, {"x.test"}, {{1}});
    add_route(table, std::move(any), {{2}});
    EXPECT_EQ(choose_tcp_route(table, "x.test", nullptr, 0).destination->cluster, 1U);
    EXPECT_EQ(choose_tcp_route(table, "y.test", nullptr, 0).destination->cluster, 2U);
    EXPECT_EQ(choose_tcp_route(table, "", nullptr, 0).destination->cluster, 2U);
  }
}

TEST(ChooseTcpRoute, FindsNothingInATableWithoutRoutes) {
  const TcpDecision decision = choose_tcp_route(snapshot::RouteTable{}, "x.test", nullptr, 0);
  EXPECT_EQ(decision.route, nullptr);
  EXPECT_EQ(decision.destination, nullptr);
}

// It is still the first that matches: the next one is not for its connections.
TEST(ChooseTcpRoute, TellsARouteWithoutAKnownDestinationFromNone) {
  snapshot::RouteTable table;
  add_route(table, {"x.test"}, {});
  add_route(table, {}, {{1}});
  const TcpDecision decision = choose_tcp_route(table, "x.test", nullptr, 0);
  EXPECT_EQ(decision.route, &table.tcp_routes[0]);
  EXPECT_EQ(decision.destination, nullptr);
}

TEST(ChooseTcpRoute, LooksAtWhatTheClientHasConnectedTo) {
  snapshot::RouteTable table;
  add_route(table, {}, {{1}});
  table.tcp_routes[0].addresses = {*AddressRange::parse("10.0.0.0/8"), *AddressRange::parse("2001:db8::1")};
  add_route(table, {"x.test"}, {{2}});
  table.tcp_routes[1].addresses = {*AddressRange::parse("192.0.2.0/24")};
  const auto choose = [&](std::string_view name, std::string_view ip) {
    const SocketAddress address = SocketAddress::from_ip(ip, 80).value();
    return cluster_of(choose_tcp_route(table, name, &address, 0));
  };
  EXPECT_EQ(choose("", "10.1.2.3"), 1U);
  EXPECT_EQ(choose("any.test", "2001:db8::1"), 1U);
  EXPECT_EQ(choose("", "11.1.2.3"), std::nullopt);
  EXPECT_EQ(choose("x.test", "192.0.2.7"), 2U);
  EXPECT_EQ(choose("y.test", "192.0.2.7"), std::nullopt);
  EXPECT_EQ(cluster_of(choose_tcp_route(table, "x.test", nullptr, 0)), std::nullopt);  // nobody says
}

TEST(ChooseTcpRoute, SharesByWeight) {
  snapshot::RouteTable table;
  add_route(table, {}, {{10, 1}, {11, 0}, {12, 3}});
  std::vector<unsigned> counts(13);
  Random random(1);
  constexpr unsigned rounds = 100'000;
  for (unsigned i = 0; i < rounds; ++i)
    ++counts[choose_tcp_route(table, "a", nullptr, random.next()).destination->cluster];
  EXPECT_EQ(counts[11], 0U);
  EXPECT_NEAR(counts[10], rounds * 0.25, rounds * 0.01);
  EXPECT_NEAR(counts[12], rounds * 0.75, rounds * 0.01);
}

}  // namespace
}  // namespace sluice::route
