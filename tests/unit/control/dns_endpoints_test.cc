#include "control/dns_endpoints.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::control {
namespace {

using namespace std::chrono_literals;

dns::AddressAnswer answer_of(std::initializer_list<const char*> ips, Duration ttl) {
  dns::AddressAnswer answer;
  for (const char* ip : ips) answer.addresses.push_back(*SocketAddress::from_ip(ip, 0));
  answer.ttl = ttl;
  return answer;
}

dns::AddressAnswer failed() {
  dns::AddressAnswer answer;
  answer.error = "Domain name not found";
  return answer;
}

snapshot::Cluster cluster_of(std::vector<snapshot::Cluster::DnsName> names) {
  snapshot::Cluster cluster;
  cluster.dns_names = std::move(names);
  return cluster;
}

std::vector<std::string> endpoints_of(const snapshot::Cluster& cluster) {
  std::vector<std::string> texts;
  for (const auto& endpoint : cluster.endpoints)
    texts.push_back(endpoint.address.to_string() + "*" + std::to_string(endpoint.weight));
  return texts;
}

using Strings = std::vector<std::string>;

class DnsEndpointsOfASnapshot : public testing::Test {
 protected:
  DnsEndpointsOfASnapshot() {
    snapshot_.clusters.push_back(cluster_of({{.name = "a.test", .port = 80, .weight = 1}}));
    snapshot_.clusters.push_back(
        cluster_of({{.name = "a.test", .port = 81, .weight = 5}, {.name = "b.test", .port = 82, .weight = 1}}));
    snapshot_.clusters[1].endpoints.push_back({.address = *SocketAddress::parse("10.9.9.9:1"), .weight = 7});
    snapshot_.clusters.push_back(cluster_of({}));
    snapshot_.clusters[2].endpoints.push_back({.address = *SocketAddress::parse("10.8.8.8:1"), .weight = 1});
    dns_.follow(snapshot_);
  }

  snapshot::Snapshot snapshot_;
  DnsEndpoints dns_;
  DnsEndpoints::Time start_ = std::chrono::steady_clock::now();
};

TEST_F(DnsEndpointsOfASnapshot, AsksForEachNameOnceAtTheStart) {
  EXPECT_EQ(dns_.due_names(start_), (Strings{"a.test", "b.test"}));
}

TEST_F(DnsEndpointsOfASnapshot, PutsAddressesBesideTheConfiguredEndpointsAndOnlyOnce) {
  EXPECT_TRUE(
      dns_.record({{"a.test", answer_of({"10.0.0.1", "::1"}, 30s)}, {"b.test", answer_of({"10.0.0.2"}, 30s)}}, start_));
  for (int round = 0; round < 2; ++round) {
    dns_.fill(snapshot_);
    EXPECT_EQ(endpoints_of(snapshot_.clusters[0]), (Strings{"10.0.0.1:80*1", "[::1]:80*1"}));
    EXPECT_EQ(endpoints_of(snapshot_.clusters[1]),
              (Strings{"10.9.9.9:1*7", "10.0.0.1:81*5", "[::1]:81*5", "10.0.0.2:82*1"}));
    EXPECT_EQ(endpoints_of(snapshot_.clusters[2]), (Strings{"10.8.8.8:1*1"}));
  }
}

TEST_F(DnsEndpointsOfASnapshot, AsksAgainWhenTheTtlIsOverButNotTooSoonAndNotTooLate) {
  dns_.record({{"a.test", answer_of({"10.0.0.1"}, 0s)}, {"b.test", answer_of({"10.0.0.2"}, 100h)}}, start_);
  EXPECT_EQ(dns_.due_names(start_ + 4900ms), Strings{});
  EXPECT_EQ(dns_.due_names(start_ + 5s), Strings{"a.test"});
  EXPECT_EQ(dns_.due_names(start_ + 59min), Strings{"a.test"});
  EXPECT_EQ(dns_.due_names(start_ + 1h), (Strings{"a.test", "b.test"}));
}

TEST_F(DnsEndpointsOfASnapshot, AsksALittleLaterForWhatARoundThatWasGivenUpDidNotAnswer) {
  dns_.record({{"a.test", answer_of({"10.0.0.1"}, 30s)}, {"b.test", answer_of({"10.0.0.2"}, 30s)}}, start_);
  dns_.record({{"a.test", answer_of({"10.0.0.1"}, 30s)}}, start_ + 31s);
  dns_.postpone_due_names(start_ + 31s);
  EXPECT_EQ(dns_.due_names(start_ + 35s), Strings{});
  EXPECT_EQ(dns_.due_names(start_ + 36s), Strings{"b.test"});
  dns_.fill(snapshot_);
  EXPECT_EQ(endpoints_of(snapshot_.clusters[0]), Strings{"10.0.0.1:80*1"});
  EXPECT_EQ(endpoints_of(snapshot_.clusters[1]), (Strings{"10.9.9.9:1*7", "10.0.0.1:81*5", "10.0.0.2:82*1"}));
}

TEST_F(DnsEndpointsOfASnapshot, SaysWhetherAnAddressHasChanged) {
  dns_.record({{"a.test", answer_of({"10.0.0.1"}, 30s)}}, start_);
  EXPECT_FALSE(dns_.record({{"a.test", answer_of({"10.0.0.1"}, 99s)}}, start_ + 30s));
  EXPECT_TRUE(dns_.record({{"a.test", answer_of({"10.0.0.3"}, 30s)}}, start_ + 130s));
  EXPECT_FALSE(dns_.record({{"stranger.test", answer_of({"10.0.0.3"}, 30s)}}, start_));
}

TEST_F(DnsEndpointsOfASnapshot, KeepsOldAddressesWhenALookupFailsAndAsksAgainAfterAMinute) {
  dns_.record({{"a.test", answer_of({"10.0.0.1"}, 30s)}, {"b.test", answer_of({"10.0.0.2"}, 1h)}}, start_);
  EXPECT_FALSE(dns_.record({{"a.test", failed()}}, start_ + 30s));
  dns_.fill(snapshot_);
  EXPECT_EQ(endpoints_of(snapshot_.clusters[0]), Strings{"10.0.0.1:80*1"});
  EXPECT_EQ(dns_.due_names(start_ + 89s), Strings{});
  EXPECT_EQ(dns_.due_names(start_ + 90s), Strings{"a.test"});
}

TEST_F(DnsEndpointsOfASnapshot, AsksSoonAgainForANameThatNeverHadAnAddress) {
  EXPECT_FALSE(dns_.record({{"a.test", failed()}, {"b.test", failed()}}, start_));
  dns_.fill(snapshot_);
  EXPECT_EQ(endpoints_of(snapshot_.clusters[0]), Strings{});
  EXPECT_EQ(dns_.due_names(start_ + limits::dns_ttl_min), (Strings{"a.test", "b.test"}));
}

TEST_F(DnsEndpointsOfASnapshot, KeepsAnswersAcrossAReloadAndForgetsNamesThatAreGone) {
  dns_.record({{"a.test", answer_of({"10.0.0.1"}, 30s)}, {"b.test", answer_of({"10.0.0.2"}, 30s)}}, start_);
  snapshot::Snapshot next;
  next.clusters.push_back(cluster_of({{.name = "new.test", .port = 1, .weight = 1}}));
  next.clusters.push_back(cluster_of({{.name = "a.test", .port = 2, .weight = 1}}));
  dns_.follow(next);
  EXPECT_EQ(dns_.due_names(start_), Strings{"new.test"});
  dns_.fill(next);
  EXPECT_EQ(endpoints_of(next.clusters[1]), Strings{"10.0.0.1:2*1"});
}

// Shards do that, when somebody connects.
TEST_F(DnsEndpointsOfASnapshot, LeavesNamesToShardsThatLookThemUpThemselves) {
  snapshot::Snapshot next;
  next.clusters.push_back(cluster_of({{.name = "round-robin.test", .port = 80, .weight = 1}}));
  next.clusters[0].resolution = snapshot::Resolution::by_name;
  next.clusters.push_back(cluster_of({{.name = "a.test", .port = 80, .weight = 1}}));
  dns_.follow(next);
  EXPECT_EQ(dns_.due_names(start_), Strings{"a.test"});
  dns_.record({{"a.test", answer_of({"10.0.0.1"}, 30s)}}, start_);
  dns_.fill(next);
  EXPECT_EQ(endpoints_of(next.clusters[0]), Strings{});
  EXPECT_EQ(endpoints_of(next.clusters[1]), Strings{"10.0.0.1:80*1"});
}

}  // namespace
}  // namespace sluice::control
