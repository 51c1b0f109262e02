#include "upstream/cluster_table.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace sluice::upstream {
namespace {

SocketAddress address(uint8_t last) {
  SocketAddress result;
  result.ip = {192, 0, 2, last};
  result.port = 80;
  return result;
}

snapshot::Snapshot with_cluster(const std::string& name, std::vector<snapshot::Endpoint> endpoints,
                                snapshot::LoadBalancing balancing) {
  snapshot::Snapshot made;
  snapshot::Cluster& cluster = made.clusters.emplace_back();
  cluster.name = name;
  cluster.load_balancing = balancing;
  cluster.endpoints = std::move(endpoints);
  return made;
}

std::map<uint8_t, unsigned> count_choices(ClusterTable& table, unsigned rounds) {
  Random random(1);
  std::map<uint8_t, unsigned> counts;
  for (unsigned i = 0; i < rounds; ++i) ++counts[table.choose(0, random, nullptr)->address().ip[3]];
  return counts;
}

TEST(ClusterTable, HasNothingToChooseInAnEmptyCluster) {
  const auto snapshot = with_cluster("c", {}, snapshot::LoadBalancing::random);
  ClusterTable table(snapshot, nullptr);
  Random random(1);
  EXPECT_EQ(table.choose(0, random, nullptr), nullptr);
}

TEST(ClusterTable, GoesAroundInTurn) {
  const auto snapshot = with_cluster("c", {{.address = address(1)}, {.address = address(2)}, {.address = address(3)}},
                                     snapshot::LoadBalancing::round_robin);
  ClusterTable table(snapshot, nullptr);
  for (const auto& [last, count] : count_choices(table, 300)) EXPECT_EQ(count, 100U) << unsigned{last};
}

TEST(ClusterTable, ChoosesAtRandomInProportionToTheWeights) {
  for (const auto balancing : {snapshot::LoadBalancing::round_robin, snapshot::LoadBalancing::random}) {
    const auto snapshot =
        with_cluster("c", {{.address = address(1), .weight = 1}, {.address = address(2), .weight = 3}}, balancing);
    ClusterTable table(snapshot, nullptr);
    const auto counts = count_choices(table, 10'000);
    EXPECT_NEAR(counts.at(1), 2'500, 300);
    EXPECT_NEAR(counts.at(2), 7'500, 300);
  }
}

TEST(ClusterTable, PrefersTheLessBusyOfTwo) {
  const auto snapshot =
      with_cluster("c", {{.address = address(1)}, {.address = address(2)}}, snapshot::LoadBalancing::least_request);
  ClusterTable table(snapshot, nullptr);
  Random random(1);
  Endpoint* busy = nullptr;
  while (busy == nullptr || busy->address().ip[3] != 1) busy = table.choose(0, random, nullptr);
  busy->active_requests = 100;
  const auto counts = count_choices(table, 1'000);
  EXPECT_NEAR(counts.at(1), 250, 80) << "only when both picks are the busy one";
  busy->active_requests = 0;
}

// A retry went to the failed one again when six random choices happened to be it: one request in 64.
TEST(ClusterTable, AlwaysAvoidsAnEndpointWhenThereIsAnother) {
  const auto snapshot =
      with_cluster("c", {{.address = address(1)}, {.address = address(2)}}, snapshot::LoadBalancing::least_request);
  ClusterTable table(snapshot, nullptr);
  Random random(1);
  const Endpoint* failed = table.choose(0, random, nullptr);
  for (int i = 0; i < 1'000; ++i) {
    const Endpoint* chosen = table.choose(0, random, failed);
    ASSERT_NE(chosen, failed);
    failed = chosen;
  }
}

TEST(ClusterTable, AvoidsTheOneThatHasJustFailed) {
  const auto snapshot = with_cluster("c", {{.address = address(1)}, {.address = address(2)}, {.address = address(3)}},
                                     snapshot::LoadBalancing::random);
  ClusterTable table(snapshot, nullptr);
  Random random(1);
  Endpoint* failed = table.choose(0, random, nullptr);
  unsigned again = 0;
  for (int i = 0; i < 1'000; ++i) again += table.choose(0, random, failed) == failed ? 1 : 0;
  EXPECT_LT(again, 20U);
}

TEST(ClusterTable, ChoosesTheOnlyOneAlsoWhenItHasJustFailed) {
  const auto snapshot = with_cluster("c", {{.address = address(1)}}, snapshot::LoadBalancing::least_request);
  ClusterTable table(snapshot, nullptr);
  Random random(1);
  Endpoint* only = table.choose(0, random, nullptr);
  EXPECT_EQ(table.choose(0, random, only), only);
}

// A reload keeps the connections of what stays.
TEST(ClusterTable, TakesOverTheEndpointsThatStay) {
  const auto before =
      with_cluster("c", {{.address = address(1)}, {.address = address(2)}}, snapshot::LoadBalancing::round_robin);
  const auto after =
      with_cluster("c", {{.address = address(2)}, {.address = address(3)}}, snapshot::LoadBalancing::round_robin);
  ClusterTable old_table(before, nullptr);
  ClusterTable new_table(after, &old_table);
  Random random(1);
  std::map<uint8_t, std::set<Endpoint*>> endpoints;
  for (int i = 0; i < 10; ++i) {
    for (ClusterTable* table : {&old_table, &new_table}) {
      Endpoint* endpoint = table->choose(0, random, nullptr);
      endpoints[endpoint->address().ip[3]].insert(endpoint);
    }
  }
  ASSERT_EQ(endpoints.size(), 3U);
  for (const auto& [last, objects] : endpoints) EXPECT_EQ(objects.size(), 1U) << unsigned{last};
}

TEST(ClusterTable, DoesNotShareEndpointsBetweenClusters) {
  const auto before = with_cluster("one", {{.address = address(1)}}, snapshot::LoadBalancing::random);
  const auto after = with_cluster("another", {{.address = address(1)}}, snapshot::LoadBalancing::random);
  ClusterTable old_table(before, nullptr);
  ClusterTable new_table(after, &old_table);
  Random random(1);
  EXPECT_NE(old_table.choose(0, random, nullptr), new_table.choose(0, random, nullptr));
}

}  // namespace
}  // namespace sluice::upstream
