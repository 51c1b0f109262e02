#include "config/destination_rules.h"

#include "config_testing.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

std::string rule(std::string_view host, std::string_view policy, std::string_view metadata = "name: rule") {
  return "apiVersion: networking.istio.io/v1beta1\nkind: DestinationRule\nmetadata: {" + std::string(metadata) +
         "}\nspec: {host: " + std::string(host) + ", trafficPolicy: {" + std::string(policy) + "}}\n---\n";
}

std::string secret(std::string_view name, std::string_view string_data) {
  return "apiVersion: v1\nkind: Secret\nmetadata: {name: " + std::string(name) +
         ", namespace: istio-system}\nstringData: {" + std::string(string_data) + "}\n---\n";
}

// Routes to app:80 (a Service), app:443 (the same) and app.example:443 (a ServiceEntry), in this order.
Loaded load_rules(const std::string& documents) {
  return load_document(
      std::string(plain_gateway) +
      virtual_service("vs",
                      "hosts: [a.example.com], gateways: [gw], http: [{match: [{uri: {exact: /a}}], route: "
                      "[{destination: {host: app, port: {number: 80}}}]}, {match: [{uri: {exact: /b}}], route: "
                      "[{destination: {host: app, port: {number: 443}}}]}, {route: [{destination: {host: "
                      "app.example}}]}]") +
      service("app", "ports: [{name: http, port: 80}, {name: x, port: 443}]") +
      service_entry("e",
                    "hosts: [app.example], resolution: DNS, ports: [{number: 443, name: https, protocol: HTTPS}], "
                    "subjectAltNames: [of-the-entry.example]") +
      documents);
}

// "balancing timeout tls" of a cluster.
std::string how(const snapshot::Cluster& cluster) {
  static constexpr std::string_view names[] = {"least_request", "round_robin", "random"};
  return std::string(names[static_cast<size_t>(cluster.load_balancing)]) + " " +
         std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(cluster.connect_timeout).count()) + "ms" +
         (cluster.tls ? " tls" : "");
}

// "version streams" of the first.
std::string http(const Loaded& loaded) {
  if (!loaded.snapshot) return loaded.diagnostics.at(0);
  static constexpr std::string_view names[] = {"http1", "http2", "as_client"};
  const snapshot::Cluster& cluster = loaded.snapshot->clusters.at(0);
  return std::string(names[static_cast<size_t>(cluster.http)]) + " " + std::to_string(cluster.http2_streams_max);
}

std::string how(const Loaded& loaded) {
  if (!loaded.snapshot) return loaded.diagnostics.at(0);
  std::string result;
  for (const snapshot::Cluster& cluster : loaded.snapshot->clusters)
    result += (result.empty() ? "" : ", ") + how(cluster);
  return result;
}

TEST(DestinationRules, SetBalancingTimeoutAndTls) {
  EXPECT_EQ(how(load_rules("")), "least_request 10000ms, least_request 10000ms, least_request 10000ms");
  EXPECT_EQ(how(load_rules(rule("app",
                                "loadBalancer: {simple: ROUND_ROBIN}, connectionPool: {tcp: {connectTimeout: "
                                "0.5s}}, tls: {mode: SIMPLE}"))),
            "round_robin 500ms tls, round_robin 500ms tls, least_request 10000ms");
  for (const std::string same : {"UNSPECIFIED", "LEAST_REQUEST", "LEAST_CONN"})
    EXPECT_TRUE(how(load_rules(rule("app", "loadBalancer: {simple: " + same + "}"))).starts_with("least_request"));
  EXPECT_TRUE(how(load_rules(rule("app", "loadBalancer: {simple: RANDOM}"))).starts_with("random"));
}

TEST(DestinationRules, ChooseTheVersionOfHttp) {
  const auto with = [](std::string_view settings) {
    return http(load_rules(rule("app", "connectionPool: {http: {" + std::string(settings) + "}}")));
  };
  EXPECT_EQ(with(""), "http1 100");
  EXPECT_EQ(with("h2UpgradePolicy: DEFAULT"), "http1 100");
  EXPECT_EQ(with("h2UpgradePolicy: DO_NOT_UPGRADE"), "http1 100");
  EXPECT_EQ(with("h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 7"), "http2 7");
  EXPECT_EQ(with("h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 2147483647"), "http2 100");
  EXPECT_EQ(with("useClientProtocol: true"), "as_client 100");
  EXPECT_EQ(with("h2UpgradePolicy: UPGRADE, useClientProtocol: true"), "as_client 100");
}

TEST(DestinationRules, BoundWhatADestinationHasToDo) {
  const auto bounds = [](std::string_view settings) {
    const Loaded loaded = load_rules(rule("app", "connectionPool: {" + std::string(settings) + "}"));
    const snapshot::Cluster& cluster = loaded.snapshot->clusters.at(0);
    EXPECT_EQ(cluster.load != nullptr, cluster.bounds.bound_anything()) << settings;
    const auto text = [](uint32_t bound) {
      return bound == snapshot::DestinationBounds::none ? "none" : std::to_string(bound);
    };
    return text(cluster.bounds.connections) + " " + text(cluster.bounds.requests) + " " + text(cluster.bounds.waiting) +
           " " + text(cluster.bounds.retries);
  };
  EXPECT_EQ(bounds(""), "none none none none");
  EXPECT_EQ(bounds("tcp: {maxConnections: 9}"), "9 none none none");
  EXPECT_EQ(bounds("http: {http2MaxRequests: 7}"), "none 7 none none");
  EXPECT_EQ(bounds("http: {http1MaxPendingRequests: 1}"), "none none 1 none");
  EXPECT_EQ(bounds("http: {maxRetries: 3}"), "none none none 3");
  EXPECT_EQ(bounds("tcp: {maxConnections: 0}, http: {http2MaxRequests: 0, http1MaxPendingRequests: 0, maxRetries: 0}"),
            "none none none none");
}

TEST(DestinationRules, GiveRetriesABudget) {
  const auto retries = [](std::string_view policy) {
    const Loaded loaded = load_rules(rule("app", policy));
    const snapshot::DestinationBounds bounds = loaded.snapshot->clusters.at(0).bounds;
    snapshot::DestinationLoad load;
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(load.requests.take(bounds.requests));
    return load.retries_max(bounds);
  };
  EXPECT_EQ(retries("retryBudget: {}"), 10U) << "a fifth of 50";
  EXPECT_EQ(retries("retryBudget: {percent: 50}"), 25U);
  EXPECT_EQ(retries("retryBudget: {percent: 0.1}"), 3U) << "so many always";
  EXPECT_EQ(retries("retryBudget: {percent: 2, minRetryConcurrency: 0}"), 1U);
  EXPECT_EQ(retries("connectionPool: {http: {maxRetries: 100}}, retryBudget: {percent: 10}"), 5U)
      << "instead of the other bound, as in Envoy";
}

TEST(DestinationRules, SayHowConnectionsAreKept) {
  const auto terms = [](std::string_view pool) {
    return load_rules(rule("app", "connectionPool: {" + std::string(pool) + "}"))
        .snapshot->clusters.at(0)
        .connection_terms;
  };
  EXPECT_EQ(terms(""), snapshot::ConnectionTerms{});
  snapshot::ConnectionTerms http;
  http.idle_timeout = std::chrono::minutes(2);
  http.requests_max = 5;
  http.http2_keepalive = snapshot::Http2Keepalive{std::chrono::seconds(30), std::chrono::seconds(2)};
  EXPECT_EQ(terms("http: {idleTimeout: 2m, maxRequestsPerConnection: 5, http2KeepAlive: {interval: 30s, timeout: 2s}}"),
            http);
  EXPECT_EQ(terms("http: {idleTimeout: 2562047h}").idle_timeout, std::chrono::hours(876'000)) << "no sum overflows";
  snapshot::ConnectionTerms tcp;
  tcp.tunnel_idle_timeout = Duration{};
  tcp.lifetime = std::chrono::hours(1);
  tcp.tcp_keepalive = snapshot::TcpKeepalive{.probes = 3, .idle = 60, .interval = 1};
  EXPECT_EQ(
      terms("tcp: {idleTimeout: 0s, maxConnectionDuration: 1h, tcpKeepalive: {probes: 3, time: 1m, interval: 0.5s}}"),
      tcp);
}

TEST(DestinationRules, SayWhichVersionOfThePROXYHeaderIsSent) {
  const auto versions = [](const std::string& documents) {
    const Loaded loaded = load_rules(documents);
    std::string result;
    for (const snapshot::Cluster& cluster : loaded.snapshot->clusters)
      result += std::to_string(static_cast<unsigned>(cluster.proxy_protocol));
    return result;
  };
  EXPECT_EQ(versions(""), "000");
  EXPECT_EQ(versions(rule("app", "proxyProtocol:")), "000");
  EXPECT_EQ(versions(rule("app", "proxyProtocol: {}")), "110");
  EXPECT_EQ(versions(rule("app", "proxyProtocol: {version: V1}")), "110");
  EXPECT_EQ(versions(rule("app", "proxyProtocol: {version: V2}")), "220");
  EXPECT_EQ(versions(rule("app", "proxyProtocol: {version: V2}, portLevelSettings: [{port: {number: 443}}]")), "220")
      << "ports have none of their own, so that it is not replaced, as in Istio";
}

TEST(DestinationRules, OfAPortReplaceTheOthersWhole) {
  EXPECT_EQ(how(load_rules(rule("app.default.svc.cluster.local",
                                "loadBalancer: {simple: RANDOM}, connectionPool: {tcp: {connectTimeout: 1s}}, tls: "
                                "{mode: SIMPLE}, portLevelSettings: [{port: {number: 443}, loadBalancer: {simple: "
                                "ROUND_ROBIN}}]"))),
            "random 1000ms tls, round_robin 10000ms, least_request 10000ms");
}

TEST(DestinationRules, OfTheMostSpecificHostWin) {
  EXPECT_EQ(how(load_rules(rule("'*.default.svc.cluster.local'", "loadBalancer: {simple: RANDOM}", "name: a") +
                           rule("'*'", "loadBalancer: {simple: ROUND_ROBIN}", "name: b"))),
            "random 10000ms, random 10000ms, round_robin 10000ms");
  EXPECT_EQ(how(load_rules(rule("'*.default.svc.cluster.local'", "loadBalancer: {simple: RANDOM}", "name: a") +
                           rule("app", "connectionPool: {tcp: {connectTimeout: 1s}}", "name: b"))),
            "least_request 1000ms, least_request 1000ms, least_request 10000ms");
}

TEST(DestinationRules, ExpandShortNamesWithTheirOwnNamespace) {
  const Loaded loaded = load_rules(rule("app", "loadBalancer: {simple: RANDOM}", "name: a, namespace: other"));
  EXPECT_EQ(how(loaded), "least_request 10000ms, least_request 10000ms, least_request 10000ms");
  ASSERT_EQ(loaded.diagnostics.size(), 2U) << "no such service; and plain HTTP to the port of app.example";
}

TEST(DestinationRules, AreTheOldestForAHost) {
  const Loaded loaded = load_rules(
      rule("app", "loadBalancer: {simple: RANDOM}", "name: young, creationTimestamp: '2026-02-01T00:00:00Z'") +
      rule("APP", "loadBalancer: {simple: ROUND_ROBIN}", "name: old, creationTimestamp: '2026-01-01T00:00:00Z'"));
  EXPECT_TRUE(how(loaded).starts_with("round_robin")) << how(loaded);
  EXPECT_EQ(loaded.diagnostics.size(), 2U);
}

TEST(DestinationRules, AreSeenWhereTheyAreExported) {
  const auto exported = [](std::string_view to) {
    std::string text = rule("app", "loadBalancer: {simple: RANDOM}");
    return how(load_rules(text.replace(text.find("host: app"), 9, "host: app, exportTo: " + std::string(to))));
  };
  EXPECT_TRUE(exported("['.']").starts_with("least_request"));
  EXPECT_TRUE(exported("[istio-system]").starts_with("random"));
}

// --- TLS -------------------------------------------------------------------------------------------

snapshot::UpstreamTls tls_of(const std::string& tls, const std::string& documents = "") {
  const Loaded loaded = load_rules(rule("app.example", "tls: {" + tls + "}") + documents);
  for (const std::string& said : loaded.diagnostics) ADD_FAILURE() << said;
  return loaded.snapshot ? loaded.snapshot->clusters.at(2).tls.value() : snapshot::UpstreamTls();
}

TEST(UpstreamTls, TrustsTheSystemAndAsksForTheRequestsHostByDefault) {
  const snapshot::UpstreamTls tls = tls_of("mode: SIMPLE");
  EXPECT_EQ(tls.name, "DestinationRule default/rule");
  EXPECT_EQ(tls.server_name, "");
  EXPECT_TRUE(tls.verifies);
  EXPECT_TRUE(tls.is_complete);
  EXPECT_EQ(tls.verification.ca_pem, "");
  EXPECT_EQ(tls.key_pair, nullptr);
}

TEST(UpstreamTls, AcceptsTheNamesOfTheRuleElseOfTheServiceEntry) {
  EXPECT_EQ(tls_of("mode: SIMPLE, sni: A.Example.").server_name, "a.example");
  EXPECT_EQ(tls_of("mode: SIMPLE").verification.subject_alt_names, std::vector<std::string>{"of-the-entry.example"});
  EXPECT_EQ(tls_of("mode: SIMPLE, subjectAltNames: [a.example, 'spiffe://a']").verification.subject_alt_names,
            (std::vector<std::string>{"a.example", "spiffe://a"}));
}

TEST(UpstreamTls, AcceptsEverythingWhenItIsToldTo) {
  const snapshot::UpstreamTls tls = tls_of("mode: SIMPLE, insecureSkipVerify: true");
  EXPECT_FALSE(tls.verifies);
  EXPECT_TRUE(tls.verification.subject_alt_names.empty());
}

TEST(UpstreamTls, TakesOnlyTheCaFromASecretWithModeSimple) {
  const snapshot::UpstreamTls tls = tls_of("mode: SIMPLE, credentialName: certs",
                                           secret("certs", "tls.crt: chain, tls.key: key, ca.crt: ca, ca.crl: list"));
  EXPECT_EQ(tls.verification.ca_pem + " " + tls.verification.crl_pem + " " + tls.verification.source_name,
            "ca list istio-system/certs");
  EXPECT_EQ(tls.key_pair, nullptr);
  EXPECT_EQ(tls_of("mode: SIMPLE, credentialName: certs", secret("certs-cacert", "cacert: beside")).verification.ca_pem,
            "beside");
}

TEST(UpstreamTls, TakesCertificateAndCaFromASecretWithModeMutual) {
  const snapshot::UpstreamTls tls =
      tls_of("mode: MUTUAL, credentialName: certs",
             secret("certs", "cert: chain, key: key, ca.crt: own") + secret("certs-cacert", "cacert: beside"));
  EXPECT_EQ(tls.verification.ca_pem, "beside");
  ASSERT_NE(tls.key_pair, nullptr);
  EXPECT_EQ(tls.key_pair->chain_pem + " " + tls.key_pair->key_name, "chain key");
  EXPECT_TRUE(tls.is_complete);
  EXPECT_EQ(tls_of("mode: MUTUAL, credentialName: certs", secret("certs", "cert: chain, key: key")).verification.ca_pem,
            "")
      << "the system's";
}

// Without its Secret, what is left would be a connection that trusts other CAs, or shows no certificate.
TEST(UpstreamTls, IsIncompleteWhileItsSecretIsMissing) {
  for (const std::string mode : {"SIMPLE", "MUTUAL"}) {
    const Loaded loaded = load_rules(rule("app.example", "tls: {mode: " + mode + ", credentialName: missing}"));
    ASSERT_NE(loaded.snapshot, nullptr);
    EXPECT_EQ(loaded.diagnostics.size(), 1U);
    EXPECT_FALSE(loaded.snapshot->clusters.at(2).tls.value().is_complete);
  }
  const Loaded loaded = load_rules(rule("app.example", "tls: {mode: MUTUAL, credentialName: certs}") +
                                   secret("certs-cacert", "cacert: ca"));
  ASSERT_NE(loaded.snapshot, nullptr);
  EXPECT_FALSE(loaded.snapshot->clusters.at(2).tls.value().is_complete);
}

}  // namespace
}  // namespace sluice::config
