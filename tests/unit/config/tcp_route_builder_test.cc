#include "config/tcp_route_builder.h"

#include "config_testing.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

constexpr std::string_view secret = R"(
apiVersion: v1
kind: Secret
metadata: {name: certs, namespace: istio-system}
stringData: {tls.crt: chain, tls.key: key}
---
)";

std::string server(std::string_view name, std::string_view protocol, unsigned port, std::string_view hosts,
                   std::string_view mode = "") {
  std::string result = "{port: {number: " + std::to_string(port) + ", name: " + std::string(name) +
                       ", protocol: " + std::string(protocol) + "}, hosts: " + std::string(hosts);
  if (!mode.empty()) result += ", tls: {mode: " + std::string(mode);
  if (!mode.empty() && mode != "PASSTHROUGH") result += ", credentialName: certs";
  return result + (mode.empty() ? "}" : "}}");
}

std::string entries() {
  std::string result;
  for (const std::string name : {"a", "b", "c"})
    result += service_entry(name, "hosts: [" + name + ".example], resolution: DNS, ports: [{number: 9000, name: tcp}]");
  return result;
}

std::string to(std::string_view name) { return "route: [{destination: {host: " + std::string(name) + ".example}}]"; }

// "name: pattern,pattern -> cluster*weight ...; ..." of each table that has such routes.
std::string routes(const Loaded& loaded) {
  if (!loaded.snapshot) return loaded.diagnostics.at(0);
  std::string result;
  for (const snapshot::RouteTable& table : loaded.snapshot->route_tables) {
    if (table.tcp_routes.empty()) continue;
    EXPECT_TRUE(table.virtual_hosts.empty());
    result += (result.empty() ? "" : " | ") + table.name + ":";
    for (const snapshot::TcpRoute& route : table.tcp_routes) {
      for (const std::string& name : route.server_names) result += " " + name;
      result += " ->";
      uint64_t sum = 0;
      for (const snapshot::WeightedDestination& destination : route.destinations) {
        result +=
            " " + loaded.snapshot->clusters.at(destination.cluster).host + "*" + std::to_string(destination.weight);
        sum += destination.weight;
      }
      result += ";";
      EXPECT_EQ(route.total_weight, sum);
    }
  }
  return result;
}

std::string routes(const std::string& documents) {
  const Loaded loaded = load_document(documents + entries() + std::string(secret));
  for (const std::string& said : loaded.diagnostics) ADD_FAILURE() << said;
  return routes(loaded);
}

TEST(ServerKinds, FollowFromProtocolAndMode) {
  using snapshot::ServerKind;
  const std::string servers = server("a", "HTTPS", 443, "[a.example.com]", "SIMPLE") + ", " +
                              server("b", "https", 443, "[b.example.com]", "PASSTHROUGH") + ", " +
                              server("c", "TLS", 443, "[c.example.com]", "SIMPLE") + ", " +
                              server("d", "TLS", 443, "[d.example.com]", "PASSTHROUGH") + ", " +
                              "{port: {number: 443, name: e, protocol: TLS}, hosts: [e.example.com], tls: {}}, " +
                              server("f", "TCP", 443, "[f.example.com]", "SIMPLE") + ", " +
                              server("g", "MONGO", 27017, "['*']") + ", " + server("h", "mysql", 3306, "['*']") + ", " +
                              server("i", "REDIS", 6379, "['*']") + ", " + server("j", "TCP", 81, "['*']") + ", " +
                              server("k", "HTTP", 80, "['*']") + ", " + server("l", "HTTP2", 82, "['*']") + ", " +
                              server("m", "grpc", 83, "['*']");
  const Loaded loaded = load_document(gateway("gw", "[" + servers + "]") + std::string(secret));
  ASSERT_NE(loaded.snapshot, nullptr) << loaded.diagnostics.at(0);
  EXPECT_TRUE(loaded.diagnostics.empty());
  const std::vector<snapshot::TlsServer>& tls = loaded.snapshot->listeners.at(0).tls_servers;
  std::vector<ServerKind> kinds;
  for (const snapshot::TlsServer& some : tls) kinds.push_back(some.kind);
  EXPECT_EQ(kinds, (std::vector{ServerKind::http, ServerKind::passthrough, ServerKind::tcp, ServerKind::passthrough,
                                ServerKind::passthrough, ServerKind::tcp}));
  EXPECT_EQ(tls[0].settings.alpn, (std::vector<std::string>{"h2", "http/1.1"}));
  EXPECT_TRUE(tls[2].settings.alpn.empty()) << "what is inside is not known";
  EXPECT_EQ(tls[2].key_pairs.size(), 1U);
  EXPECT_TRUE(tls[3].key_pairs.empty());
  EXPECT_FALSE(tls[3].settings.cipher_suites.empty());
  EXPECT_EQ(loaded.snapshot->route_tables.at(tls[3].route_table).name, "tls.443.d.gw.default");
  ASSERT_EQ(loaded.snapshot->listeners.size(), 8U);
  for (size_t i = 1; i < 8; ++i) {
    const snapshot::Listener& listener = loaded.snapshot->listeners.at(i);
    EXPECT_FALSE(listener.is_tls);
    EXPECT_EQ(listener.is_tcp, i < 5) << i;
  }
  EXPECT_EQ(loaded.snapshot->route_tables.at(loaded.snapshot->listeners[1].route_table).name, "tcp.27017");
}

TEST(TlsRoutes, AreForServersThatPassTlsThroughAndTcpRoutesForTheOthers) {
  EXPECT_EQ(routes(gateway("gw", "[" + server("passed", "TLS", 443, "[a.example.com]", "PASSTHROUGH") + ", " +
                                     server("ended", "TLS", 443, "[b.example.com]", "SIMPLE") + ", " +
                                     server("plain", "TCP", 81, "[b.example.com]") + ", " +
                                     server("http", "HTTP", 80, "['*']") + "]") +
                   virtual_service("vs",
                                   "hosts: [a.example.com, b.example.com], gateways: [gw], tls: [{match: "
                                   "[{sniHosts: [A.example.com]}], " +
                                       to("a") + "}], tcp: [{" + to("b") + "}]")),
            "tls.443.passed.gw.default: a.example.com -> a.example*1; | tls.443.ended.gw.default: -> b.example*1; | "
            "tcp.81: -> b.example*1;");
}

TEST(TlsRoutes, StandInTheOrderOfTheirNamesAsEnvoyMatchesThem) {
  EXPECT_EQ(routes(gateway("gw", "[" + server("s", "TLS", 443, "['*']", "PASSTHROUGH") + "]") +
                   virtual_service("vs", "hosts: ['*'], gateways: [gw], tls: [{match: [{sniHosts: ['*']}], " + to("a") +
                                             "}, {match: [{sniHosts: ['*.example.com', '*.b.example.com']}], " +
                                             to("b") + "}, {match: [{sniHosts: [a.example.com]}], " + to("c") + "}]")),
            "tls.443.s.gw.default: a.example.com -> c.example*1; *.b.example.com -> b.example*1; *.example.com -> "
            "b.example*1; -> a.example*1;");
}

TEST(TlsRoutes, AreOfTheNamesThatServerAndRouteHaveInCommon) {
  EXPECT_EQ(
      routes(gateway("gw", "[" +
                               server("s", "TLS", 443, "[a.example.com, 'other/b.example.com', '*.c.example.com']",
                                      "PASSTHROUGH") +
                               "]") +
             virtual_service("vs",
                             "hosts: ['*.example.com'], gateways: [gw], tls: [{match: [{sniHosts: "
                             "['*.example.com']}], " +
                                 to("a") + "}]")),
      "tls.443.s.gw.default: a.example.com -> a.example*1; *.c.example.com -> a.example*1;");
}

TEST(TlsRoutes, AreForThePortAndTheGatewaysOfTheirMatches) {
  const std::string passed = "['*.example.com']";
  const std::string documents = gateway("one", "[" + server("s", "TLS", 443, passed, "PASSTHROUGH") + ", " +
                                                   server("t", "TLS", 444, passed, "PASSTHROUGH") + "]") +
                                gateway("two", "[" + server("s", "TLS", 445, passed, "PASSTHROUGH") + "]");
  const auto matched = [&](std::string_view more) {
    return routes(documents + virtual_service("vs",
                                              "hosts: [a.example.com], gateways: [one, two], tls: [{match: "
                                              "[{sniHosts: [a.example.com]" +
                                                  std::string(more) + "}], " + to("a") + "}]"));
  };
  const std::string route = ": a.example.com -> a.example*1;";
  EXPECT_EQ(matched(", port: 444"), "tls.444.t.one.default" + route);
  EXPECT_EQ(matched(", gateways: [two]"), "tls.445.s.two.default" + route);
  EXPECT_EQ(matched(", gateways: [default/one], port: 443"), "tls.443.s.one.default" + route);
  EXPECT_EQ(matched(""),
            "tls.443.s.one.default" + route + " | tls.444.t.one.default" + route + " | tls.445.s.two.default" + route);
}

TEST(TcpRoutes, AreForThePortAndTheGatewaysOfTheirMatches) {
  EXPECT_EQ(
      routes(gateway("one", "[" + server("s", "TCP", 81, "['*']") + ", " + server("t", "TCP", 82, "['*']") + "]") +
             gateway("two", "[" + server("s", "TCP", 83, "['*']") + "]") +
             virtual_service("vs",
                             "hosts: ['*'], gateways: [one, two], tcp: [{match: [{port: 82}, {gateways: "
                             "[two]}], " +
                                 to("a") + "}, {match: [{port: 81}], " + to("b") + "}]")),
      "tcp.81: -> b.example*1; | tcp.82: -> a.example*1; | tcp.83: -> a.example*1;");
}

TEST(TcpRoutes, SplitConnectionsByWeight) {
  EXPECT_EQ(routes(gateway("gw", "[" + server("s", "TCP", 81, "['*']") + "]") +
                   virtual_service("vs",
                                   "hosts: ['*'], gateways: [gw], tcp: [{route: [{destination: {host: a.example}, "
                                   "weight: 1}, {destination: {host: b.example}}, {destination: {host: "
                                   "c.example}, weight: 3}]}]")),
            "tcp.81: -> a.example*1 c.example*3;");
}

TEST(TcpRoutes, HaveNoDestinationsWhileNoneIsKnown) {
  const Loaded loaded = load_document(
      gateway("gw", "[" + server("s", "TCP", 81, "['*']") + "]") +
      virtual_service("vs", "hosts: ['*'], gateways: [gw], tcp: [{route: [{destination: {host: x.y}}]}]"));
  EXPECT_EQ(routes(loaded), "tcp.81: ->;");
  EXPECT_EQ(loaded.diagnostics.size(), 1U);
}

TEST(TcpRoutes, DoNotMakeVirtualHosts) {
  const Loaded loaded = load_document(
      gateway("gw", "[" + server("http", "HTTP", 80, "['*']") + ", " + server("tcp", "TCP", 81, "['*']") + "]") +
      virtual_service("vs", "hosts: [a.example.com], gateways: [gw], tcp: [{" + to("a") + "}]") + entries());
  ASSERT_NE(loaded.snapshot, nullptr);
  EXPECT_TRUE(loaded.snapshot->route_tables.at(0).virtual_hosts.empty());
  EXPECT_EQ(routes(loaded), "tcp.81: -> a.example*1;");
}

}  // namespace
}  // namespace sluice::config
