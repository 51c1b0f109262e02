#include "config/listener_builder.h"

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

std::string https(std::string_view name, std::string_view hosts, std::string_view more = "") {
  return "{port: {number: 443, name: " + std::string(name) + ", protocol: HTTPS}, hosts: " + std::string(hosts) +
         ", tls: {mode: SIMPLE, credentialName: certs}" + std::string(more) + "}";
}

// "0.0.0.0:80 0.0.0.0:443"
std::string addresses(const snapshot::Snapshot& snapshot) {
  std::string result;
  for (const snapshot::Listener& listener : snapshot.listeners)
    result += (result.empty() ? "" : " ") + listener.address.to_string();
  return result;
}

std::string addresses(const Loaded& loaded) { return loaded.snapshot ? addresses(*loaded.snapshot) : "errors"; }

std::string selected(std::string_view selector) {
  return "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec: {selector: " +
         std::string(selector) + ", servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}\n---\n";
}

TEST(Listeners, BindThePortItselfWithoutAService) { EXPECT_EQ(addresses(load_document(plain_gateway)), "0.0.0.0:80"); }

TEST(Listeners, MapPortsThroughTheServiceThatSelectsTheSamePods) {
  const std::string mapped = "selector: {app: a, istio: b}, ports: [{port: 80, targetPort: 8080}]";
  EXPECT_EQ(addresses(load_document(selected("{app: a, istio: b}") + service("s", mapped))), "0.0.0.0:8080");
  EXPECT_EQ(addresses(load_document(selected("{app: a, istio: b, more: c}") + service("s", mapped))), "0.0.0.0:8080");
  EXPECT_EQ(addresses(load_document(selected("{istio: b}") + service("s", mapped))), "0.0.0.0:8080");
}

TEST(Listeners, AreNotMappedByOtherServices) {
  const std::string mapped = "selector: {app: a}, ports: [{port: 80, targetPort: 8080}]";
  EXPECT_EQ(addresses(load_document(selected("{istio: b}") + service("s", mapped))), "0.0.0.0:80");
  EXPECT_EQ(addresses(load_document(selected("{app: other}") + service("s", mapped))), "0.0.0.0:80");
  EXPECT_EQ(addresses(load_document(selected("{}") + service("s", mapped))), "0.0.0.0:80");
  EXPECT_EQ(addresses(load_document(selected("{app: a}") + service("s", "ports: [{port: 80, targetPort: 8080}]"))),
            "0.0.0.0:80");
  EXPECT_EQ(addresses(load_document(selected("{app: a}") +
                                    service("s", "selector: {app: a}, ports: [{port: 81, targetPort: 8080}]"))),
            "0.0.0.0:80");
}

TEST(Listeners, OfAGatewayWithoutSelectorAreMappedAsThoseOfTheOtherGateways) {
  const std::string any = selected("{}");
  const std::string other = gateway("other", "[{port: {number: 81, name: http, protocol: HTTP}, hosts: ['*']}]");
  const std::string selecting =
      "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: z}\nspec: {selector: "
      "{app: a}, servers: [{port: {number: 81, name: http, protocol: HTTP}, hosts: ['*']}]}\n---\n";
  const std::string mapped = service("s", "selector: {app: a}, ports: [{port: 80, targetPort: 8080}]");
  EXPECT_EQ(addresses(load_document(any + selecting + mapped)), "0.0.0.0:8080 0.0.0.0:81");
  EXPECT_EQ(addresses(load_document(any + other + mapped)), "0.0.0.0:80 0.0.0.0:81") << "nobody says what app: a is";
}

TEST(Listeners, OfGatewaysWithoutSelectorAreMappedByALoadBalancer) {
  const std::string balancer =
      service("lb", "type: LoadBalancer, selector: {app: a}, ports: [{port: 80, targetPort: 8080}]");
  EXPECT_EQ(addresses(load_document(selected("{}") + balancer)), "0.0.0.0:8080");
  EXPECT_EQ(addresses(load_document(std::string(plain_gateway) + balancer)), "0.0.0.0:8080");
  EXPECT_EQ(addresses(load_document(selected("{app: other}") + balancer)), "0.0.0.0:80") << "not its pods";
}

TEST(Listeners, BindTheAddressOfTheServer) {
  const Loaded loaded =
      load_document(gateway("gw",
                            "[{port: {number: 80, name: a, protocol: HTTP}, bind: '::1', hosts: ['*']}, "
                            "{port: {number: 80, name: b, protocol: HTTP}, bind: 10.0.0.1, hosts: ['*']}]"));
  EXPECT_EQ(addresses(loaded), "[::1]:80 10.0.0.1:80");
  EXPECT_EQ(loaded.snapshot->route_tables.at(1).name, "http.80.10.0.0.1");
}

TEST(Listeners, ShareOneRouteTableAmongThePlainServersOfAPort) {
  const std::string server = "[{port: {number: 80, name: http, protocol: HTTP}, hosts: ['a.example.com']}]";
  const Loaded loaded = load_document(gateway("one", server) + gateway("two", server));
  EXPECT_EQ(addresses(loaded), "0.0.0.0:80");
  EXPECT_EQ(loaded.snapshot->route_tables.size(), 1u);
  EXPECT_TRUE(loaded.diagnostics.empty());
}

TEST(Listeners, TranslateGrpcWebOnPortsWithAServerOfThatProtocol) {
  const auto server = [](int port, std::string_view protocol) {
    return "{port: {number: " + std::to_string(port) + ", name: p" + std::to_string(port) + std::string(protocol) +
           ", protocol: " + std::string(protocol) + "}, hosts: ['*']}";
  };
  const Loaded loaded = load_document(gateway("one", "[" + server(80, "HTTP") + ", " + server(81, "grpc-web") + "]") +
                                      gateway("two", "[" + server(80, "HTTP2") + ", " + server(81, "HTTP") + "]"));
  ASSERT_EQ(addresses(loaded), "0.0.0.0:80 0.0.0.0:81");
  EXPECT_FALSE(loaded.snapshot->listeners[0].translates_grpc_web);
  EXPECT_TRUE(loaded.snapshot->listeners[1].translates_grpc_web);
}

TEST(Listeners, GiveEachTlsServerItsOwnRouteTable) {
  const Loaded loaded =
      load_document(gateway("one", "[" + https("a", "[a.example.com]") + ", " + https("any", "['*']") + "]") +
                    gateway("two", "[" + https("b", "[b.example.com, '*.example.com']") + "]") + std::string(secret));
  ASSERT_EQ(addresses(loaded), "0.0.0.0:443");
  const snapshot::Listener& listener = loaded.snapshot->listeners[0];
  ASSERT_EQ(listener.tls_servers.size(), 3u);
  EXPECT_EQ(listener.server_names.find("a.example.com"), 0u);
  EXPECT_EQ(listener.server_names.find("b.example.com"), 2u);
  EXPECT_EQ(listener.server_names.find("c.example.com"), 2u);
  EXPECT_EQ(listener.server_names.find("example.org"), 1u);
  EXPECT_EQ(loaded.snapshot->route_tables.at(listener.tls_servers[2].route_table).name, "https.443.b.two.default");
  EXPECT_EQ(listener.tls_servers[0].key_pairs.at(0), listener.tls_servers[2].key_pairs.at(0)) << "one copy of the key";
}

TEST(Listeners, LetTheOlderTlsServerHaveAHostAndLeaveTheYoungerOut) {
  const auto dated = [](std::string text, std::string_view created) {
    return text.replace(text.find("metadata: {"), 11, "metadata: {creationTimestamp: '" + std::string(created) + "', ");
  };
  const std::string young =
      dated(gateway("young", "[" + https("https", "[a.example.com, b.example.com]") + "]"), "2026-02-01T00:00:00Z");
  const std::string old = dated(gateway("old", "[" + https("https", "[A.example.com]") + "]"), "2026-01-01T00:00:00Z");
  const Loaded loaded = load_document(young + old + std::string(secret));
  ASSERT_NE(loaded.snapshot, nullptr);
  ASSERT_EQ(loaded.snapshot->listeners.at(0).tls_servers.size(), 1u);
  EXPECT_EQ(loaded.snapshot->listeners[0].tls_servers[0].name, "https/default/old");
  EXPECT_EQ(loaded.snapshot->listeners[0].server_names.find("b.example.com"), std::nullopt);
  EXPECT_EQ(loaded.diagnostics.size(), 1u);
}

TEST(Listeners, LetTheFirstProtocolHaveAPort) {
  const Loaded loaded =
      load_document(gateway("gw", "[{port: {number: 443, name: http, protocol: HTTP}, hosts: ['*']}, " +
                                      https("https", "['*']") + "]") +
                    std::string(secret));
  ASSERT_EQ(addresses(loaded), "0.0.0.0:443");
  EXPECT_FALSE(loaded.snapshot->listeners[0].is_tls);
  EXPECT_EQ(loaded.diagnostics.size(), 1u);
}

TEST(Listeners, HaveNoKeyPairWhileTheSecretIsMissing) {
  const Loaded loaded = load_document(gateway("gw", "[" + https("https", "['*']") + "]"));
  ASSERT_NE(loaded.snapshot, nullptr);
  EXPECT_TRUE(loaded.snapshot->listeners.at(0).tls_servers.at(0).key_pairs.empty());
}

TEST(Listeners, TakeTheFirstPairOfASecret) {
  const Loaded loaded = load_document(gateway("gw", "[" + https("https", "['*']") + "]") + R"(
apiVersion: v1
kind: Secret
metadata: {name: certs, namespace: istio-system}
data: {cert: b25l, key: b25lLWtleQ==, tls.crt: dHdv, tls.key: dHdvLWtleQ==}
stringData: {key: text wins}
)");
  ASSERT_NE(loaded.snapshot, nullptr);
  const auto& pair = loaded.snapshot->listeners.at(0).tls_servers.at(0).key_pairs.at(0);
  ASSERT_NE(pair, nullptr);
  EXPECT_EQ(pair->chain_pem, "one");
  EXPECT_EQ(pair->key_pem, "text wins");
}

TEST(Listeners, TakeTheSecondPairOfASecretWhenTheFirstIsEmpty) {
  const Loaded loaded = load_document(gateway("gw", "[" + https("https", "['*']") + "]") + R"(
apiVersion: v1
kind: Secret
metadata: {name: certs, namespace: istio-system}
data: {cert: "", key: "", tls.crt: dHdv, tls.key: dHdvLWtleQ==}
)");
  ASSERT_NE(loaded.snapshot, nullptr) << loaded.diagnostics.at(0);
  EXPECT_EQ(loaded.snapshot->listeners.at(0).tls_servers.at(0).key_pairs.at(0)->chain_pem, "two");
}

TEST(Listeners, AreNothingToServeWithoutAGateway) {
  const Loaded loaded = load_document("");
  ASSERT_NE(loaded.snapshot, nullptr);
  EXPECT_EQ(loaded.diagnostics, std::vector<std::string>{"warning: nothing to serve: there is no Gateway"});
}

}  // namespace
}  // namespace sluice::config
