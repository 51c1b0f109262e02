#include "upstream/cluster_table.h"

#include <gtest/gtest.h>

#include <chrono>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice::upstream {
namespace {

using namespace std::chrono_literals;

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
  EXPECT_FALSE(counts.contains(1)) << "the other one is always among the two";
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

// What a shard goes through: each snapshot takes the place of the one before.
class ClusterTableReload : public testing::Test {
 protected:
  void adopt(snapshot::Snapshot next) {
    auto made = std::make_unique<snapshot::Snapshot>(std::move(next));
    made->cluster_keys = snapshot::key_clusters(*made, snapshots.empty() ? nullptr : snapshots.back().get());
    tables.push_back(std::make_unique<ClusterTable>(*made, tables.empty() ? nullptr : tables.back().get()));
    snapshots.push_back(std::move(made));
  }
  // As a shard that has slept through it.
  void skip(snapshot::Snapshot next) {
    auto made = std::make_unique<snapshot::Snapshot>(std::move(next));
    made->cluster_keys = snapshot::key_clusters(*made, snapshots.back().get());
    snapshots.push_back(std::move(made));
  }
  // The one with this address, of a cluster of the newest table.
  Endpoint* endpoint(uint8_t last, uint32_t cluster = 0) {
    for (int i = 0; i < 100; ++i) {
      Endpoint* chosen = tables.back()->choose(cluster, random, nullptr);
      if (chosen->address() == address(last)) return chosen;
    }
    return nullptr;
  }

  std::vector<std::unique_ptr<snapshot::Snapshot>> snapshots;
  std::vector<std::unique_ptr<ClusterTable>> tables;
  Random random{1};
};

snapshot::Snapshot with_endpoints(const std::string& name, std::initializer_list<uint8_t> lasts) {
  std::vector<snapshot::Endpoint> endpoints;
  for (const uint8_t last : lasts) endpoints.push_back({.address = address(last)});
  return with_cluster(name, std::move(endpoints), snapshot::LoadBalancing::round_robin);
}

snapshot::Snapshot joined(snapshot::Snapshot first, const snapshot::Snapshot& second) {
  first.clusters.insert(first.clusters.end(), second.clusters.begin(), second.clusters.end());
  return first;
}

// A reload keeps the connections of what stays.
TEST_F(ClusterTableReload, KeepsTheEndpointsThatStay) {
  adopt(with_endpoints("c", {1, 2}));
  const Endpoint* staying = endpoint(2);
  adopt(with_endpoints("c", {2, 3}));
  EXPECT_EQ(endpoint(2), staying);
  EXPECT_NE(endpoint(3), nullptr);
  EXPECT_EQ(endpoint(1), nullptr);
}

TEST_F(ClusterTableReload, KeepsWhatHasNotChangedWhereverItStands) {
  adopt(joined(with_endpoints("a", {1}), with_endpoints("b", {1})));
  const Endpoint* of_a = endpoint(1, 0);
  const Endpoint* of_b = endpoint(1, 1);
  EXPECT_NE(of_a, of_b);
  adopt(joined(joined(with_endpoints("new", {1}), with_endpoints("b", {1})), with_endpoints("a", {1})));
  EXPECT_NE(endpoint(1, 0), of_a);
  EXPECT_NE(endpoint(1, 0), of_b);
  EXPECT_EQ(endpoint(1, 1), of_b);
  EXPECT_EQ(endpoint(1, 2), of_a);
}

TEST_F(ClusterTableReload, GoesOnWhereTheTurnIs) {
  adopt(with_endpoints("c", {1, 2}));
  EXPECT_EQ(tables.back()->choose(0, random, nullptr)->address(), address(1));
  adopt(with_endpoints("c", {1, 2}));
  EXPECT_EQ(tables.back()->choose(0, random, nullptr)->address(), address(2));
}

TEST_F(ClusterTableReload, DoesNotShareEndpointsBetweenClusters) {
  adopt(with_endpoints("one", {1}));
  const Endpoint* of_one = endpoint(1);
  adopt(with_endpoints("another", {1}));
  EXPECT_NE(endpoint(1), of_one);
}

TEST_F(ClusterTableReload, DoesNotShareEndpointsThatAreSpokenToInAnotherWay) {
  adopt(with_endpoints("c", {1}));
  const Endpoint* plain = endpoint(1);
  snapshot::Snapshot with_tls = with_endpoints("c", {1});
  with_tls.clusters[0].tls.emplace().identity = "x";
  adopt(std::move(with_tls));
  EXPECT_NE(endpoint(1), plain);

  adopt(with_endpoints("c", {1}));
  const Endpoint* without_header = endpoint(1);
  snapshot::Snapshot with_header = with_endpoints("c", {1});
  with_header.clusters[0].proxy_protocol = snapshot::ProxyProtocol::v1;
  adopt(std::move(with_header));
  const Endpoint* version1 = endpoint(1);
  EXPECT_NE(version1, without_header);
  snapshot::Snapshot with_other = with_endpoints("c", {1});
  with_other.clusters[0].proxy_protocol = snapshot::ProxyProtocol::v2;
  adopt(std::move(with_other));
  EXPECT_NE(endpoint(1), version1);
}

// The slot of a cluster that went is another one's by then.
TEST_F(ClusterTableReload, DoesNotTakeAnotherClusterForItsOwnWhenItHasSleptThroughASnapshot) {
  adopt(joined(with_endpoints("a", {1}), with_endpoints("b", {1})));
  const Endpoint* of_a = endpoint(1, 0);
  const Endpoint* of_b = endpoint(1, 1);
  skip(with_endpoints("b", {1}));
  adopt(joined(with_endpoints("b", {1}), with_endpoints("c", {1})));
  EXPECT_EQ(endpoint(1, 0), of_b);
  EXPECT_NE(endpoint(1, 1), of_a);
  EXPECT_NE(endpoint(1, 1), of_b);
}

// --- destinations that clients name ----------------------------------------------------------------

snapshot::Snapshot with_requested(const std::string& name, snapshot::Resolution resolution) {
  snapshot::Snapshot made = with_cluster(name, {}, snapshot::LoadBalancing::round_robin);
  made.clusters[0].resolution = resolution;
  if (resolution == snapshot::Resolution::by_name) made.clusters[0].dns_names = {{.name = "a.test", .port = 80}};
  return made;
}

class ClusterTableOfRequested : public ClusterTableReload {
 protected:
  Endpoint* requested(uint32_t cluster = 0) {
    return tables.back()->find_requested(cluster, {.host = "a.test", .port = 80}, Instant(1s)).endpoint;
  }
};

TEST_F(ClusterTableOfRequested, FindsTheEndpointOfWhatIsRequestedInItsCluster) {
  adopt(joined(joined(with_requested("by-request", snapshot::Resolution::by_request),
                      with_requested("original", snapshot::Resolution::original)),
               with_endpoints("configured", {1})));
  EXPECT_TRUE(tables.back()->takes_requested(0));
  EXPECT_TRUE(tables.back()->takes_requested(1));
  EXPECT_FALSE(tables.back()->takes_requested(2));
  EXPECT_EQ(requested(0), requested(0));
  EXPECT_NE(requested(0), requested(1)) << "endpoints are of one cluster";
  EXPECT_EQ(tables.back()->requested_count(), 2U);
}

TEST_F(ClusterTableOfRequested, KeepsEndpointsWhileTheyAreReachedInTheSameWay) {
  adopt(with_requested("c", snapshot::Resolution::by_request));
  const Endpoint* first = requested();
  adopt(joined(with_endpoints("new", {1}), with_requested("c", snapshot::Resolution::by_request)));
  EXPECT_EQ(requested(1), first);
  snapshot::Snapshot with_terms = with_requested("c", snapshot::Resolution::by_request);
  with_terms.clusters[0].connection_terms.requests_max = 7;
  adopt(std::move(with_terms));
  EXPECT_EQ(requested(), first);
  EXPECT_EQ(first->terms.requests_max, 7U);
}

TEST_F(ClusterTableOfRequested, KeepsNoEndpointsThatAreReachedInAnotherWay) {
  const auto changed = [&](auto change) {
    adopt(with_requested("c", snapshot::Resolution::by_request));
    const Endpoint* before = requested();
    snapshot::Snapshot next = with_requested("c", snapshot::Resolution::by_request);
    change(next.clusters[0]);
    adopt(std::move(next));
    return requested() != before;
  };
  EXPECT_FALSE(changed([](snapshot::Cluster&) {}));
  EXPECT_TRUE(changed([](snapshot::Cluster& cluster) { cluster.guard.named = AddressScope::global; }));
  EXPECT_TRUE(changed(
      [](snapshot::Cluster& cluster) { cluster.guard.registered.push_back(*AddressRange::parse("10.0.0.0/8")); }));
  EXPECT_TRUE(changed([](snapshot::Cluster& cluster) { cluster.requested_port = 8080; }));
  EXPECT_TRUE(changed([](snapshot::Cluster& cluster) { cluster.resolution = snapshot::Resolution::original; }));
  EXPECT_TRUE(changed([](snapshot::Cluster& cluster) { cluster.tls.emplace().identity = "x"; }));
}

TEST_F(ClusterTableOfRequested, HasOneEndpointForTheNameOfTheDocuments) {
  adopt(with_requested("c", snapshot::Resolution::by_name));
  Endpoint* first = tables.back()->choose(0, random, nullptr);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->name(), "a.test");
  EXPECT_EQ(tables.back()->choose(0, random, first), first);
  adopt(joined(with_endpoints("new", {1}), with_requested("c", snapshot::Resolution::by_name)));
  EXPECT_EQ(tables.back()->choose(1, random, nullptr), first);
  snapshot::Snapshot guarded = with_requested("c", snapshot::Resolution::by_name);
  guarded.clusters[0].guard.named = AddressScope::global;
  adopt(std::move(guarded));
  EXPECT_NE(tables.back()->choose(0, random, nullptr), first);
  adopt(with_endpoints("c", {1}));
  EXPECT_EQ(tables.back()->choose(0, random, nullptr)->address(), address(1));
}

}  // namespace
}  // namespace sluice::upstream
