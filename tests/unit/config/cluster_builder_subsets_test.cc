// Subsets of DestinationRules: their clusters, endpoints and policies.
#include "config/cluster_builder.h"
#include "config_testing.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

std::string rule(std::string_view host, std::string_view spec, std::string_view name = "rule") {
  return "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: " + std::string(name) +
         "}\nspec: {host: " + std::string(host) + ", " + std::string(spec) + "}\n---\n";
}

std::string pod(std::string_view name, std::string_view labels, std::string_view status = "") {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + std::string(name) + ", labels: {" + std::string(labels) +
         "}}\nspec: {containers: []}\nstatus: {phase: Running" + std::string(status) + "}\n---\n";
}

// Three pods, the third of which does not say which one it is.
constexpr std::string_view slices =
    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, labels: {kubernetes.io/service-name: "
    "app}}\naddressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints:\n"
    "- {addresses: [10.1.0.1], targetRef: {kind: Pod, name: app-1, namespace: default}}\n"
    "- {addresses: [10.1.0.2], targetRef: {kind: Pod, name: app-2}}\n---\n";

const std::string app = service("app", "clusterIP: 10.0.0.7, ports: [{name: http, port: 80}, {name: x, port: 81}]");

std::string how(const snapshot::Cluster& cluster) {
  static constexpr std::string_view balancing[] = {"least_request", "round_robin", "random"};
  std::string result = cluster.name;
  for (const snapshot::Endpoint& endpoint : cluster.endpoints) result += " " + endpoint.address.to_string();
  for (const auto& name : cluster.dns_names) result += " " + name.name;
  result += " " + std::string(balancing[static_cast<size_t>(cluster.load_balancing)]);
  if (cluster.tls) result += " tls of " + cluster.tls->server_name;
  return result;
}

// The cluster that this destination leads to ("NC": none), then what was said.
std::string cluster(std::string_view destination, const std::string& documents) {
  const Loaded loaded =
      load_document(std::string(plain_gateway) +
                    virtual_service("vs", "hosts: [a.example.com], gateways: [gw], http: [{route: [{destination: " +
                                              std::string(destination) + "}]}]") +
                    documents);
  std::string result;
  if (loaded.snapshot) result = loaded.snapshot->clusters.empty() ? "NC" : how(loaded.snapshot->clusters.at(0));
  for (const std::string& said : loaded.diagnostics) result += "\n" + said.substr(said.find(": ") + 2);
  return result;
}

constexpr std::string_view v1_of_app = "{host: app, subset: v1, port: {number: 80}}";
constexpr std::string_view name_of_v1 = "outbound|80|v1|app.default.svc.cluster.local";

TEST(Subset, OfAServiceHasThePodsWithItsLabels) {
  const std::string v1 = rule("app", "subsets: [{name: v1, labels: {version: v1, app: app}}]");
  const std::string pods =
      pod("app-1", "app: app, version: v1, more: x", ", podIP: 10.1.0.1") + pod("app-2", "app: app, version: v2");
  EXPECT_EQ(cluster(v1_of_app, app + v1 + std::string(slices) + pods),
            std::string(name_of_v1) + " 10.1.0.1:8080 least_request");
  EXPECT_EQ(cluster(v1_of_app, app + v1 + std::string(slices) + pod("app-1", "app: app") + pod("app-2", "version: v1")),
            std::string(name_of_v1) +
                " least_request\nwarning: subset \"v1\" of Service default/app has no endpoints: no ready one in the "
                "EndpointSlices is of a Pod with its labels: requests get 503");
}

TEST(Subset, WithoutLabelsHasAllEndpoints) {
  const std::string v1 = rule("app", "subsets: [{name: v1}]");
  EXPECT_EQ(cluster(v1_of_app, app + v1 + std::string(slices)),
            std::string(name_of_v1) + " 10.1.0.1:8080 10.1.0.2:8080 least_request");
  EXPECT_EQ(cluster(v1_of_app, app + v1), std::string(name_of_v1) + " 10.0.0.7:80 least_request");
}

TEST(Subset, SaysWhichDocumentsItsEndpointsNeed) {
  const std::string v1 = rule("app", "subsets: [{name: v1, labels: {version: v1}}]");
  EXPECT_EQ(
      cluster(v1_of_app, app + v1),
      std::string(name_of_v1) +
          " least_request\nwarning: subset \"v1\" of Service default/app has no endpoints: which pods have its "
          "labels is told by the Service's EndpointSlices and its Pods, and there are no such documents: requests "
          "get 503");
  EXPECT_EQ(cluster(v1_of_app, app + v1 + std::string(slices)),
            std::string(name_of_v1) +
                " least_request\nwarning: subset \"v1\" of Service default/app lacks 2 endpoints whose labels are not "
                "known, the first is Pod default/app-1: there is no document of its Pod; requests get 503");
  EXPECT_EQ(cluster(v1_of_app, app + v1 + std::string(slices) + pod("app-2", "version: v1")),
            std::string(name_of_v1) +
                " 10.1.0.2:8080 least_request\nwarning: subset \"v1\" of Service default/app lacks 1 endpoint whose "
                "labels are not known, the first is Pod default/app-1: there is no document of its Pod");
}

TEST(Subset, SaysWhenAPodHasMoved) {
  const std::string documents = app + rule("app", "subsets: [{name: v1, labels: {version: v1}}]") +
                                std::string(slices) + pod("app-2", "version: v2");
  const std::string expected = std::string(name_of_v1) + " 10.1.0.1:8080 least_request";
  EXPECT_EQ(cluster(v1_of_app, documents + pod("app-1", "version: v1", ", podIP: 10.1.0.9")),
            expected +
                "\nwarning: Pod default/app-1 has another address than the EndpointSlices of Service default/app say: "
                "one of these is out of date");
  EXPECT_EQ(cluster(v1_of_app, documents + pod("app-1", "version: v1",
                                               ", podIP: 'fd00::1', podIPs: [{ip: 'fd00::1'}, {ip: 10.1.0.1}]")),
            expected);
}

TEST(Subset, OfAServiceEntryHasTheEndpointsWithItsLabels) {
  const std::string entry = service_entry(
      "e",
      "hosts: [app.example], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], endpoints: "
      "[{address: 10.1.0.1, labels: {version: v1}}, {address: 10.1.0.2, labels: {version: v2}}, {address: 10.1.0.3}]");
  const auto of = [&](std::string_view labels) {
    return cluster("{host: app.example, subset: v1}",
                   entry + rule("app.example", "subsets: [{name: v1, labels: {" + std::string(labels) + "}}]"));
  };
  EXPECT_EQ(of("version: v1"), "outbound|80|v1|app.example 10.1.0.1:80 least_request");
  EXPECT_EQ(of(""), "outbound|80|v1|app.example 10.1.0.1:80 10.1.0.2:80 10.1.0.3:80 least_request");
  const std::string none =
      "outbound|80|v1|app.example least_request\nwarning: subset \"v1\" of ServiceEntry default/e has no endpoints: "
      "none "
      "in its list has the labels: requests get 503";
  EXPECT_EQ(of("version: v3"), none);
  EXPECT_EQ(of("version: v1, tier: x"), none);
}

TEST(Subset, OfNamesWithoutListNeedsNoLabels) {
  const std::string entry =
      service_entry("e", "hosts: [app.example], resolution: DNS, ports: [{number: 443, name: tls, protocol: HTTPS}]");
  const std::string tls = "trafficPolicy: {tls: {mode: SIMPLE, sni: app.example}}";
  EXPECT_EQ(
      cluster("{host: app.example, subset: v1}", entry + rule("app.example", "subsets: [{name: v1, " + tls + "}]")),
      "outbound|443|v1|app.example app.example least_request tls of app.example");
}

TEST(Subset, ThatIsNotDefinedIsAnUnknownCluster) {
  const std::string unknown =
      "NC\nwarning: no DestinationRule for \"app.default.svc.cluster.local\" defines the subset "
      "\"v1\": requests get 503";
  EXPECT_EQ(cluster(v1_of_app, app), unknown);
  EXPECT_EQ(cluster(v1_of_app, app + rule("app", "subsets: [{name: v2}]")), unknown);
}

TEST(Subset, ThatIsNotDefinedKeepsItsShareBesideOthers) {
  const Loaded loaded = load_document(
      std::string(plain_gateway) +
      virtual_service(
          "vs",
          "hosts: [a.example.com], gateways: [gw], http: [{route: [{weight: 1, destination: {host: app, "
          "subset: v1, port: {number: 80}}}, {weight: 3, destination: {host: app, subset: v2, port: {number: "
          "80}}}]}]") +
      app + rule("app", "subsets: [{name: v1}]"));
  ASSERT_TRUE(loaded.snapshot);
  ASSERT_EQ(loaded.snapshot->clusters.size(), 2U);
  EXPECT_EQ(loaded.snapshot->clusters[1].name, "outbound|80|v2|app.default.svc.cluster.local");
  EXPECT_TRUE(loaded.snapshot->clusters[1].endpoints.empty());
}

TEST(Subset, OverridesThePolicyOfTheRuleFieldByField) {
  const std::string of_rule =
      "trafficPolicy: {loadBalancer: {simple: RANDOM}, tls: {mode: SIMPLE, sni: rule}, portLevelSettings: [{port: "
      "{number: 81}, tls: {mode: SIMPLE, sni: rule-81}}]}, ";
  const auto of = [&](std::string_view policy, uint32_t port) {
    const std::string text =
        cluster("{host: app, subset: v1, port: {number: " + std::to_string(port) + "}}",
                app + rule("app", of_rule + "subsets: [{name: v1, trafficPolicy: {" + std::string(policy) + "}}]"));
    return text.substr(text.find(' ') + 1);
  };
  EXPECT_EQ(of("", 80), "10.0.0.7:80 random tls of rule");
  EXPECT_EQ(of("", 81), "10.0.0.7:81 least_request tls of rule-81");
  EXPECT_EQ(of("loadBalancer: {simple: ROUND_ROBIN}", 80), "10.0.0.7:80 round_robin tls of rule");
  EXPECT_EQ(of("loadBalancer: {simple: ROUND_ROBIN}", 81), "10.0.0.7:81 round_robin tls of rule-81");
  EXPECT_EQ(of("tls: {mode: DISABLE}", 80), "10.0.0.7:80 random");
  EXPECT_EQ(of("tls: {mode: SIMPLE, sni: v1}", 81), "10.0.0.7:81 least_request tls of v1");
  EXPECT_EQ(of("portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}]", 80),
            "10.0.0.7:80 round_robin")
      << "settings for a port take the place of everything";
}

TEST(Subset, MayBeDefinedByAnotherRuleOfTheHost) {
  const std::string documents =
      app + rule("app", "trafficPolicy: {loadBalancer: {simple: RANDOM}}", "first") +
      rule("app", "trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}, subsets: [{name: v1}]", "second") +
      rule("app", "subsets: [{name: v1}, {name: v2}]", "third");
  EXPECT_EQ(cluster(v1_of_app, documents),
            std::string(name_of_v1) +
                " 10.0.0.7:80 random\n"
                "warning: trafficPolicy of DestinationRule default/second has no effect: DestinationRule default/first "
                "(test.yaml:22:18) comes first and is for the same host\n"
                "warning: subset \"v1\" of DestinationRule default/third has no effect: DestinationRule default/second "
                "(test.yaml:27:18) comes first and is for the same host");
}

}  // namespace
}  // namespace sluice::config
