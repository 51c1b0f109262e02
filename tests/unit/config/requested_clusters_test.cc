#include "config/requested_clusters.h"

#include "outbound_testing.h"

#include <vector>

namespace sluice::config {
namespace {

using snapshot::Resolution;

// The cluster that a Gateway's route to `host` leads to.
snapshot::Cluster routed_cluster(std::string_view entry, std::string_view host) {
  const Loaded loaded =
      load_document(std::string(plain_gateway) + service_entry("entry", entry) +
                    virtual_service("vs", "hosts: ['*'], gateways: [gw], http: [{route: [{destination: {host: \"" +
                                              std::string(host) + "\"}}]}]"));
  if (loaded.snapshot && loaded.snapshot->clusters.size() == 1) return loaded.snapshot->clusters.front();
  ADD_FAILURE() << (loaded.diagnostics.empty() ? "" : loaded.diagnostics.front());
  return {};
}

TEST(RequestedClusters, NoneIsTheDefaultResolution) {
  const auto cluster = routed_cluster("hosts: [a.example], ports: [{number: 80, name: http}]", "a.example");
  EXPECT_EQ(cluster.resolution, Resolution::original);
}

TEST(RequestedClusters, ANameOfTheDocumentsIsNeverTakenFromTheRequest) {
  for (const auto& [resolution, expected] :
       {std::pair("NONE", Resolution::original), std::pair("DYNAMIC_DNS", Resolution::by_name),
        std::pair("DNS_ROUND_ROBIN", Resolution::by_name)}) {
    const auto cluster = routed_cluster("hosts: [a.example], resolution: " + std::string(resolution) +
                                            ", ports: [{number: 80, name: http, targetPort: 8080}]",
                                        "a.example");
    EXPECT_EQ(cluster.resolution, expected) << resolution;
    ASSERT_EQ(cluster.dns_names.size(), 1u) << resolution;
    EXPECT_EQ(cluster.dns_names.front().name, "a.example");
    EXPECT_EQ(cluster.dns_names.front().port, 8080);
    EXPECT_EQ(cluster.requested_port, 8080);
    EXPECT_EQ(cluster.guard.named, AddressScope::host) << resolution;
    EXPECT_EQ(cluster.guard.original, AddressScope::site) << resolution;
    EXPECT_TRUE(cluster.endpoints.empty());
  }
}

TEST(RequestedClusters, BelowAWildcardTheRequestNamesTheHostAndMayNotReachPrivateAddresses) {
  for (const auto& [resolution, expected] :
       {std::pair("NONE", Resolution::original), std::pair("DYNAMIC_DNS", Resolution::by_request)}) {
    const auto cluster = routed_cluster("hosts: ['*.example.com'], resolution: " + std::string(resolution) +
                                            ", ports: [{number: 443, name: tls, protocol: TLS}]",
                                        "*.example.com");
    EXPECT_EQ(cluster.name, "outbound|443||*.example.com");
    EXPECT_EQ(cluster.resolution, expected) << resolution;
    EXPECT_TRUE(cluster.dns_names.empty()) << resolution;
    EXPECT_EQ(cluster.requested_port, 443);
    EXPECT_EQ(cluster.guard.named, AddressScope::global) << resolution;
    EXPECT_EQ(cluster.guard.original, AddressScope::site) << resolution;
  }
}

TEST(RequestedClusters, WhatIsInsideOfTheMeshMayHavePrivateAddresses) {
  const auto cluster = routed_cluster(
      "hosts: ['*.example.com'], resolution: DYNAMIC_DNS, location: MESH_INTERNAL, "
      "ports: [{number: 80, name: http}]",
      "*.example.com");
  EXPECT_EQ(cluster.guard.named, AddressScope::site);
}

TEST(RequestedClusters, AddressesOfTheEntryAreRegistered) {
  const auto cluster = routed_cluster(
      "hosts: ['*.example.com'], addresses: [10.0.0.0/8, '2001:db8::1'], resolution: NONE, "
      "ports: [{number: 80, name: http}]",
      "*.example.com");
  ASSERT_EQ(cluster.guard.registered.size(), 2u);
  EXPECT_EQ(cluster.guard.registered[0].to_string(), "10.0.0.0/8");
  EXPECT_EQ(cluster.guard.registered[1].to_string(), "2001:db8::1/128");
}

TEST(RequestedClusters, ADestinationBelowAWildcardIsFoundAndLookedUpByItsOwnName) {
  const std::string wildcard = "hosts: ['*.example.com'], ports: [{number: 80, name: http}], resolution: ";
  for (const auto& [resolution, expected] :
       {std::pair("NONE", Resolution::original), std::pair("DYNAMIC_DNS", Resolution::by_name)}) {
    const auto cluster = routed_cluster(wildcard + resolution, "a.b.example.com");
    EXPECT_EQ(cluster.name, "outbound|80||a.b.example.com");
    EXPECT_EQ(cluster.resolution, expected) << resolution;
    ASSERT_EQ(cluster.dns_names.size(), 1u) << resolution;
    EXPECT_EQ(cluster.dns_names.front().name, "a.b.example.com");
    EXPECT_EQ(cluster.guard.named, AddressScope::host) << resolution;
    EXPECT_EQ(cluster.guard.original, AddressScope::site) << "a client may have chosen that address";
  }
}

TEST(RequestedClusters, TheLongestWildcardWins) {
  const Loaded loaded = load_document(
      std::string(plain_gateway) +
      service_entry("wide", "hosts: ['*.com'], resolution: NONE, ports: [{number: 80, name: http, targetPort: 1}]") +
      service_entry("narrow",
                    "hosts: ['*.example.com'], resolution: NONE, ports: [{number: 80, name: h, targetPort: 2}]") +
      virtual_service("vs", "hosts: ['*'], gateways: [gw], http: [{route: [{destination: {host: a.example.com}}]}]"));
  ASSERT_TRUE(loaded.snapshot);
  EXPECT_EQ(loaded.snapshot->clusters.at(0).requested_port, 2);
}

TEST(RequestedClusters, RoundRobinHasTheNameOfItsEndpoint) {
  const auto cluster = routed_cluster(
      "hosts: [a.example], resolution: DNS_ROUND_ROBIN, ports: [{number: 80, name: http, targetPort: 81}], "
      "endpoints: [{address: B.example, ports: {http: 82}}]",
      "a.example");
  EXPECT_EQ(cluster.resolution, Resolution::by_name);
  ASSERT_EQ(cluster.dns_names.size(), 1u);
  EXPECT_EQ(cluster.dns_names.front().name, "b.example");
  EXPECT_EQ(cluster.dns_names.front().port, 82);
}

TEST(RequestedClusters, AnAddressIsNotLookedUp) {
  const auto cluster = routed_cluster(
      "hosts: [a.example], resolution: DNS_ROUND_ROBIN, ports: [{number: 80, name: http}], "
      "endpoints: [{address: 10.0.0.1}]",
      "a.example");
  EXPECT_EQ(cluster.resolution, Resolution::configured);
  ASSERT_EQ(cluster.endpoints.size(), 1u);
  EXPECT_EQ(cluster.endpoints.front().address.to_string(), "10.0.0.1:80");
}

TEST(RequestedClusters, TheServerNameOfTLSBelowAWildcardIsThatOfTheRequest) {
  const Loaded loaded = load_document(
      std::string(plain_gateway) +
      service_entry(
          "entry",
          "hosts: ['*.example.com'], resolution: DYNAMIC_DNS, ports: [{number: 80, name: http, targetPort: 443}]") +
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: wide}\n"
      "spec: {host: '*.com', trafficPolicy: {tls: {mode: DISABLE}}}\n---\n"
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: narrow}\n"
      "spec: {host: '*.example.com', trafficPolicy: {tls: {mode: SIMPLE}}}\n---\n" +
      virtual_service("vs", "hosts: ['*'], gateways: [gw], http: [{route: [{destination: {host: '*.example.com'}}]}]"));
  ASSERT_TRUE(loaded.snapshot);
  const snapshot::Cluster& cluster = loaded.snapshot->clusters.at(0);
  ASSERT_TRUE(cluster.tls) << "the rule of the longest wildcard";
  EXPECT_EQ(cluster.tls->server_name, "");
  EXPECT_EQ(cluster.requested_port, 443);
}

}  // namespace
}  // namespace sluice::config
