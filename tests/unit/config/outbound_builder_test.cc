#include "config/outbound_builder.h"

#include "outbound_testing.h"

#include <vector>

namespace sluice::config {
namespace {

using Lines = std::vector<std::string>;

const std::string web = service_entry(
    "web",
    "hosts: [a.example, '*.b.example'], resolution: DYNAMIC_DNS, ports: [{number: 80, name: h, protocol: HTTP}, "
    "{number: 443, name: s, protocol: TLS}]");

std::string mesh_service(std::string_view name, std::string_view spec) { return virtual_service(name, spec); }

TEST(OutboundBuilder, EachPortThatIsRegisteredHasATable) {
  const auto tables = outbound_snapshot(open_mesh + web);
  ASSERT_EQ(tables->outbound->ports.size(), 2u);
  EXPECT_EQ(tables->outbound->ports[0].number, 80);
  EXPECT_EQ(tables->outbound->ports[1].number, 443);
  EXPECT_EQ(table_of(*tables, 80).name, "80");
  EXPECT_EQ(table_of(*tables, 443).name, "443");
  EXPECT_EQ(table_of(*tables, 8080).name, "other");
}

TEST(OutboundBuilder, RegisteredHostsLeadToTheirClusters) {
  const auto tables = outbound_snapshot(closed_mesh + web);
  EXPECT_EQ(http_target(*tables, 80, "a.example"), "outbound|80||a.example");
  EXPECT_EQ(http_target(*tables, 80, "x.y.b.example"), "outbound|80||*.b.example");
  EXPECT_EQ(http_target(*tables, 443, "a.example"), "502 block_all") << "TLS has no plain requests";
  EXPECT_EQ(tcp_routes(*tables, 80),
            (Lines{"a.example -> outbound|80||a.example", "*.b.example -> outbound|80||*.b.example"}));
  EXPECT_EQ(tcp_routes(*tables, 443),
            (Lines{"a.example -> outbound|443||a.example", "*.b.example -> outbound|443||*.b.example"}));
}

TEST(OutboundBuilder, WithRegistryOnlyTheRestIsRefused) {
  const auto tables = outbound_snapshot(closed_mesh + web);
  for (const uint16_t port : {uint16_t{80}, uint16_t{443}, uint16_t{8080}})
    EXPECT_EQ(http_target(*tables, port, "other.example"), "502 block_all");
  EXPECT_EQ(tcp_routes(*tables, 8080), Lines{});
  const snapshot::VirtualHost* host = find_host(table_of(*tables, 8080), "any");
  const auto& list = tables->route_lists.at(*host->route_list);
  EXPECT_EQ(tables->routes.at(list.matches().front().route).direct_response->details, "not_registered");
}

TEST(OutboundBuilder, WithAllowAnyTheRestGoesWhereItWants) {
  const auto tables = outbound_snapshot(open_mesh + web);
  for (const uint16_t port : {uint16_t{80}, uint16_t{443}, uint16_t{8080}})
    EXPECT_EQ(http_target(*tables, port, "other.example"), "PassthroughCluster");
  EXPECT_EQ(tcp_routes(*tables, 8080), Lines{"* -> PassthroughCluster"});
  EXPECT_EQ(tcp_routes(*tables, 443).back(), "* -> PassthroughCluster");
  const snapshot::Cluster& cluster = cluster_named(*tables, "PassthroughCluster");
  EXPECT_EQ(cluster.resolution, snapshot::Resolution::original);
  EXPECT_EQ(cluster.guard.named, AddressScope::global);
  EXPECT_EQ(cluster.guard.original, AddressScope::site);
  EXPECT_EQ(cluster.requested_port, 0);
  EXPECT_EQ(cluster.service_name, "PassthroughCluster");
}

TEST(OutboundBuilder, ServicesHaveShortNamesAndTheirAddress) {
  const auto tables = outbound_snapshot(
      closed_mesh +
      service("app",
              "clusterIP: 10.0.0.7, ports: [{name: http, port: 80}, {name: udp, port: 53, protocol: UDP}, "
              "{name: tcp-db, port: 5432}, {name: web, port: 9000}]"));
  const std::string cluster = "outbound|80||app.default.svc.cluster.local";
  for (const std::string_view name : {"app.default", "app.default.svc", "app.default.svc.cluster.local", "10.0.0.7"})
    EXPECT_EQ(http_target(*tables, 80, name), cluster) << name;
  EXPECT_EQ(http_target(*tables, 80, "app"), "502 block_all") << "it is of another namespace than the gateway";
  EXPECT_EQ(http_target(*tables, 5432, "app.default"), "502 block_all");
  EXPECT_EQ(http_target(*tables, 9000, "app.default"), "outbound|9000||app.default.svc.cluster.local")
      << "what the name of the port does not tell may be HTTP";
  EXPECT_EQ(table_of(*tables, 53).name, "other");
  const std::string names = "app.default.svc.cluster.local,app.default.svc,app.default,10.0.0.7";
  EXPECT_EQ(tcp_routes(*tables, 80), Lines{names + " -> " + cluster});
  EXPECT_EQ(tcp_routes(*tables, 5432), (Lines{names + " -> outbound|5432||app.default.svc.cluster.local",
                                              "10.0.0.7/32 -> outbound|5432||app.default.svc.cluster.local"}));
}

TEST(OutboundBuilder, AServiceOfTheGatewaysNamespaceHasItsBareName) {
  const auto tables =
      outbound_snapshot(closed_mesh +
                        "apiVersion: v1\nkind: Service\nmetadata: {name: istiod, namespace: istio-system}\n"
                        "spec: {clusterIP: 10.0.0.7, ports: [{name: http, port: 15014}]}\n");
  EXPECT_EQ(http_target(*tables, 15014, "istiod"), "outbound|15014||istiod.istio-system.svc.cluster.local");
}

TEST(OutboundBuilder, AddressesOfEntriesFindWhatIsNotHttp) {
  const auto tables =
      outbound_snapshot(open_mesh +
                        service_entry("wide",
                                      "hosts: [wide.example], addresses: [10.0.0.0/8], resolution: NONE, "
                                      "ports: [{number: 5432, name: db, protocol: TCP}]") +
                        service_entry("narrow",
                                      "hosts: [narrow.example], addresses: [10.1.0.0/16, 10.2.0.1], resolution: NONE, "
                                      "ports: [{number: 5432, name: db, protocol: TCP}]"));
  EXPECT_EQ(
      tcp_routes(*tables, 5432),
      (Lines{"wide.example -> outbound|5432||wide.example", "narrow.example,10.2.0.1 -> outbound|5432||narrow.example",
             "10.2.0.1/32 -> outbound|5432||narrow.example", "10.1.0.0/16 -> outbound|5432||narrow.example",
             "10.0.0.0/8 -> outbound|5432||wide.example", "* -> PassthroughCluster"}));
}

TEST(OutboundBuilder, AnAddressOfVersion6IsAHostInBrackets) {
  const auto tables = outbound_snapshot(closed_mesh + service_entry("six",
                                                                    "hosts: [six.example], addresses: ['fd00::1'], "
                                                                    "resolution: NONE, ports: [{number: 80, "
                                                                    "name: h, protocol: HTTP}]"));
  EXPECT_EQ(http_target(*tables, 80, "[fd00::1]"), "outbound|80||six.example");
}

TEST(OutboundBuilder, WhatIsNotExportedToTheGatewayIsNotRegistered) {
  const auto tables =
      outbound_snapshot(closed_mesh + service_entry("web",
                                                    "hosts: [a.example], exportTo: ['.'], resolution: DNS, "
                                                    "ports: [{number: 80, name: h, protocol: HTTP}]"));
  EXPECT_TRUE(tables->outbound->ports.empty());
}

TEST(OutboundBuilder, TheFirstOfSeveralEntriesForAHostAndPortCounts) {
  const auto tables = outbound_snapshot(
      closed_mesh +
      service_entry("one", "hosts: [a.example], resolution: DNS, ports: [{number: 80, name: h, protocol: HTTP}]") +
      service_entry("two",
                    "hosts: [a.example], resolution: DNS, ports: [{number: 80, name: h, protocol: TCP}, "
                    "{number: 81, name: i, protocol: HTTP}]"));
  EXPECT_EQ(http_target(*tables, 80, "a.example"), "outbound|80||a.example");
  EXPECT_EQ(http_target(*tables, 81, "a.example"), "outbound|81||a.example");
}

// --- VirtualServices for the mesh --------------------------------------------------------------------

TEST(OutboundBuilder, RoutesForTheMeshTakeThePlaceOfTheDefault) {
  for (const std::string_view gateways : {"", "gateways: [mesh], ", "gateways: [other, mesh], "}) {
    const auto tables = outbound_snapshot(
        closed_mesh + web +
        mesh_service("vs", "hosts: [a.example], " + std::string(gateways) +
                               "http: [{route: [{destination: {host: c.b.example, port: {number: 80}}}]}]"));
    EXPECT_EQ(http_target(*tables, 80, "a.example"), "outbound|80||c.b.example");
    EXPECT_EQ(http_target(*tables, 80, "z.b.example"), "outbound|80||*.b.example");
  }
}

TEST(OutboundBuilder, RoutesForGatewaysOnlyAreNotForOutboundTraffic) {
  const auto tables = outbound_snapshot(
      closed_mesh + web + std::string(plain_gateway) +
      mesh_service("vs", "hosts: [a.example], gateways: [gw], http: [{directResponse: {status: 418}}]") +
      mesh_service("vs2",
                   "hosts: [a.example], gateways: [gw, mesh], http: [{match: [{gateways: [gw]}], "
                   "directResponse: {status: 418}}]"));
  EXPECT_EQ(http_target(*tables, 80, "a.example"), "outbound|80||a.example");
}

TEST(OutboundBuilder, WhatIsNotExportedToTheGatewayHasNoEffect) {
  const auto tables = outbound_snapshot(
      closed_mesh + web +
      mesh_service("vs", "hosts: [a.example], exportTo: ['.'], http: [{directResponse: {status: 418}}]"));
  EXPECT_EQ(http_target(*tables, 80, "a.example"), "outbound|80||a.example");
}

TEST(OutboundBuilder, AMatchForAPortIsForThatPortOnly) {
  const auto tables = outbound_snapshot(
      closed_mesh + app_entry.data() +
      service_entry("two",
                    "hosts: [two.example], resolution: DNS, ports: [{number: 80, name: a, protocol: HTTP}, "
                    "{number: 81, name: b, protocol: HTTP}, {number: 82, name: c, protocol: HTTP}]") +
      mesh_service("vs",
                   "hosts: [two.example], http: [{match: [{port: 81}, {port: 83}], route: [{destination: {host: "
                   "app.example}}]}]"));
  EXPECT_EQ(http_target(*tables, 80, "two.example"), "outbound|80||two.example");
  EXPECT_EQ(http_target(*tables, 81, "two.example"), "outbound|9000||app.example");
  EXPECT_EQ(http_target(*tables, 82, "two.example"), "outbound|82||two.example");
  EXPECT_EQ(table_of(*tables, 83).name, "83") << "a match may name a port that nobody has registered";
}

TEST(OutboundBuilder, ADestinationWithoutPortMeansThePortThatIsAskedFor) {
  const auto tables = outbound_snapshot(
      closed_mesh +
      service_entry("two",
                    "hosts: [two.example], resolution: DNS, ports: [{number: 80, name: a, protocol: HTTP}, "
                    "{number: 81, name: b, protocol: HTTP}]") +
      mesh_service("vs", "hosts: [two.example], http: [{timeout: 3s, route: [{destination: {host: two.example}}]}]"));
  EXPECT_EQ(http_target(*tables, 80, "two.example"), "outbound|80||two.example");
  EXPECT_EQ(http_target(*tables, 81, "two.example"), "outbound|81||two.example");
}

TEST(OutboundBuilder, LabelsOfCallersAreThoseOfTheGateway) {
  const auto target = [](std::string_view labels) {
    const auto tables =
        outbound_snapshot(closed_mesh + web +
                          "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: egress}\n"
                          "spec: {selector: {istio: egressgateway}, servers: [{port: {number: 80, name: h, protocol: "
                          "HTTP}, hosts: ['*']}]}"
                          "\n---\n" +
                          mesh_service("vs", "hosts: [a.example], http: [{match: [{sourceLabels: {" +
                                                 std::string(labels) + "}}], directResponse: {status: 418}}]"));
    return http_target(*tables, 80, "a.example");
  };
  EXPECT_EQ(target("istio: egressgateway"), "418 ");
  EXPECT_EQ(target("app: other"), "outbound|80||a.example");
}

TEST(OutboundBuilder, TheMostSpecificHostOfAVirtualServiceIsForARegisteredHost) {
  const auto tables = outbound_snapshot(
      closed_mesh +
      service_entry("web",
                    "hosts: [a.x.example, b.x.example], resolution: DNS, ports: [{number: 80, name: h, "
                    "protocol: HTTP}]") +
      mesh_service("wide", "hosts: ['*.example'], http: [{directResponse: {status: 401}}]") +
      mesh_service("narrow", "hosts: [b.x.example], http: [{directResponse: {status: 402}}]"));
  EXPECT_EQ(http_target(*tables, 80, "a.x.example"), "401 ");
  EXPECT_EQ(http_target(*tables, 80, "b.x.example"), "402 ");
  EXPECT_EQ(http_target(*tables, 80, "c.x.example"), "502 block_all") << "as in Istio: only hosts that are registered";
}

TEST(OutboundBuilder, AVirtualServiceBelowARegisteredWildcardIsForItsPorts) {
  const auto tables = outbound_snapshot(
      closed_mesh + web + mesh_service("vs", "hosts: [c.b.example], http: [{directResponse: {status: 418}}]"));
  EXPECT_EQ(http_target(*tables, 80, "c.b.example"), "418 ");
  EXPECT_EQ(http_target(*tables, 80, "d.b.example"), "outbound|80||*.b.example");
  EXPECT_EQ(http_target(*tables, 443, "c.b.example"), "502 block_all");
  EXPECT_EQ(http_target(*tables, 8080, "c.b.example"), "502 block_all");
}

TEST(OutboundBuilder, HostsThatNobodyRegistersAreRoutedOnEveryPort) {
  const auto tables = outbound_snapshot(
      closed_mesh + web + mesh_service("vs", "hosts: [nobody.example], http: [{directResponse: {status: 418}}]"));
  for (const uint16_t port : {uint16_t{80}, uint16_t{443}, uint16_t{8080}})
    EXPECT_EQ(http_target(*tables, port, "nobody.example"), "418 ");
}

TEST(OutboundBuilder, TlsRoutesComeBeforeRegisteredHosts) {
  const auto tables = outbound_snapshot(
      closed_mesh + web + std::string(app_entry) +
      mesh_service("vs",
                   "hosts: [a.example], tls: [{match: [{port: 443, sniHosts: [a.example]}], route: [{destination: "
                   "{host: app.example}}]}]"));
  EXPECT_EQ(tcp_routes(*tables, 443),
            (Lines{"a.example -> outbound|9000||app.example", "*.b.example -> outbound|443||*.b.example"}));
  EXPECT_EQ(tcp_routes(*tables, 80).front(), "a.example -> outbound|80||a.example");
}

TEST(OutboundBuilder, TcpRoutesAreForTheNamesAndAddressesOfTheirHosts) {
  const auto tables = outbound_snapshot(
      closed_mesh + std::string(app_entry) +
      service_entry("db",
                    "hosts: [db.example], addresses: [10.0.0.1], resolution: DNS, "
                    "ports: [{number: 5432, name: db, protocol: TCP}]") +
      mesh_service("vs",
                   "hosts: [db.example], tcp: [{match: [{port: 5432, destinationSubnets: [10.9.0.0/16]}], route: "
                   "[{destination: {host: db.example}}]}, {match: [{port: 5432}], route: [{destination: {host: "
                   "app.example}}]}]"));
  EXPECT_EQ(tcp_routes(*tables, 5432),
            (Lines{"db.example,10.0.0.1 -> outbound|9000||app.example", "10.0.0.1/32 -> outbound|9000||app.example",
                   "10.9.0.0/16 -> outbound|5432||db.example"}));
}

// --- Hostile documents -------------------------------------------------------------------------------

std::string numbered(std::string_view before, size_t count, std::string_view after) {
  std::string text;
  for (size_t i = 1; i <= count; ++i)
    text += (i == 1 ? "" : ", ") + std::string(before) + std::to_string(i) + std::string(after);
  return text;
}

std::string ports(size_t count) {
  std::string text;
  for (size_t i = 1; i <= count; ++i)
    text += (i == 1 ? "" : ", ") + ("{number: " + std::to_string(i)) + ", name: p" + std::to_string(i) + "}";
  return text;
}

std::string first_error(const std::string& documents) {
  for (const std::string& line : load_document(documents).diagnostics) {
    if (line.contains("error:")) return line;
  }
  return {};
}

TEST(OutboundBuilder, HostsTimesPortsAreBounded) {
  EXPECT_TRUE(first_error(closed_mesh + service_entry("wide", "hosts: [" + numbered("h", 256, ".example") +
                                                                  "], resolution: DNS, ports: [" + ports(500) + "]"))
                  .contains("more than 100000 pairs of a host and a port for outbound traffic"));
}

TEST(OutboundBuilder, PortsTimesHostsOfVirtualServicesAreBounded) {
  EXPECT_TRUE(
      first_error(closed_mesh +
                  mesh_service("vs", "hosts: [" + numbered("h", 2000, ".example") + "], http: [{match: [" +
                                         numbered("{port: ", 20'000, "}") + "], directResponse: {status: 200}}]"))
          .contains("too many routes of outbound traffic"));
}

TEST(OutboundBuilder, AddressesOfManyHostsAreBounded) {
  const std::string addresses = numbered("10.1.", 200, ".0/24") + ", " + numbered("10.2.", 200, ".0/24");
  EXPECT_TRUE(first_error(closed_mesh +
                          service_entry("wide", "hosts: [" + numbered("h", 250, ".example") + "], addresses: [" +
                                                    addresses + "], resolution: NONE, ports: [" + ports(20) + "]"))
                  .contains("more than 1000000 endpoints in all"));
}

TEST(OutboundBuilder, TheTableIsPartOfTheHash) {
  const std::string base = closed_mesh + web;
  const std::string hash = outbound_snapshot(base)->hash;
  EXPECT_EQ(outbound_snapshot(base)->hash, hash);
  const std::string others[] = {
      open_mesh + web,
      mesh("proxyHttpPort: 3129, outboundTrafficPolicy: {mode: REGISTRY_ONLY}") + web,
      mesh("proxyHttpPort: 3128, protocolDetectionTimeout: 1s, outboundTrafficPolicy: {mode: REGISTRY_ONLY}") + web,
      mesh("proxyHttpPort: 3128, outboundTrafficPolicy: {mode: REGISTRY_ONLY}", "sluice.io/host-agreement: enforce") +
          web,
      closed_mesh + service_entry("web", "hosts: [a.example], resolution: DYNAMIC_DNS, ports: [{number: 80, name: h}]"),
      base + service_entry("more", "hosts: [c.example], resolution: NONE, ports: [{number: 80, name: h}]"),
      base + service_entry("more",
                           "hosts: [c.example], addresses: [10.0.0.0/8], resolution: NONE, ports: [{number: 80, "
                           "name: h}]")};
  std::vector<std::string> hashes{hash};
  for (const std::string& documents : others) {
    hashes.push_back(outbound_snapshot(documents)->hash);
    for (size_t i = 0; i + 1 < hashes.size(); ++i) EXPECT_NE(hashes[i], hashes.back()) << documents;
  }
}

}  // namespace
}  // namespace sluice::config
