#include "config/service_endpoints.h"

#include "config_testing.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

// An EndpointSlice of the Service app.
std::string slice(std::string_view name, std::string_view content, std::string_view labels = "") {
  return "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: " + std::string(name) +
         ", labels: {kubernetes.io/service-name: app" + std::string(labels) + "}}\n" + std::string(content) + "---\n";
}

std::string slice_of(std::string_view name, std::string_view endpoints,
                     std::string_view ports = "[{name: http, port: 8080, protocol: TCP}]") {
  return slice(name,
               "addressType: IPv4\nendpoints: " + std::string(endpoints) + "\nports: " + std::string(ports) + "\n");
}

constexpr std::string_view app_service = "clusterIP: 10.0.0.7, ports: [{name: http, port: 80, targetPort: web}]";

// The endpoints of app:80, then what was said.
std::string endpoints(const std::string& documents, std::string_view spec = app_service) {
  const Loaded loaded = load_document(
      std::string(plain_gateway) +
      virtual_service("vs",
                      "hosts: [a.example.com], gateways: [gw], http: [{route: [{destination: {host: app, port: "
                      "{number: 80}}}]}]") +
      service("app", spec) + documents);
  std::string result;
  if (loaded.snapshot) {
    for (const snapshot::Endpoint& endpoint : loaded.snapshot->clusters.at(0).endpoints)
      result += endpoint.address.to_string() + " ";
    for (const auto& name : loaded.snapshot->clusters.at(0).dns_names) result += name.name + " ";
  }
  for (const std::string& said : loaded.diagnostics) result += said.substr(said.find(": ") + 2);
  return result;
}

TEST(ServiceEndpoints, OfSlicesTakeThePlaceOfTheClusterIp) {
  EXPECT_EQ(endpoints(""), "10.0.0.7:80 ");
  EXPECT_EQ(endpoints(slice_of("a", "[{addresses: [10.1.0.1]}, {addresses: [10.1.0.2]}]")),
            "10.1.0.1:8080 10.1.0.2:8080 ");
  const std::string_view headless = "clusterIP: None, ports: [{name: http, port: 80, targetPort: web}]";
  EXPECT_EQ(endpoints(slice_of("a", "[{addresses: [10.1.0.1]}]"), headless), "10.1.0.1:8080 ")
      << "and the named targetPort is known";
}

TEST(ServiceEndpoints, OfAnExternalNameAreItsName) {
  EXPECT_EQ(endpoints(slice_of("a", "[{addresses: [10.1.0.1]}]"),
                      "type: ExternalName, externalName: example.org, ports: [{name: http, port: 80}]"),
            "example.org ");
}

TEST(ServiceEndpoints, OfSeveralSlicesAreMergedAndEachIsThereOnce) {
  EXPECT_EQ(endpoints(slice_of("a", "[{addresses: [10.1.0.1]}, {addresses: [10.1.0.2]}]") +
                      slice_of("b", "[{addresses: [10.1.0.2]}, {addresses: [10.1.0.3]}]") +
                      slice("six",
                            "addressType: IPv6\nendpoints: [{addresses: ['fd00::1']}, {addresses: "
                            "['fd00:0::1']}]\nports: [{name: http, port: 8080}]\n")),
            "10.1.0.1:8080 10.1.0.2:8080 10.1.0.3:8080 [fd00::1]:8080 ");
}

TEST(ServiceEndpoints, AreTheReadyOnes) {
  struct {
    const char* conditions;
    bool is_taken;
  } const cases[] = {{"{}", true},
                     {"{ready: true}", true},
                     {"{ready: null}", true},
                     {"{ready: false}", false},
                     {"{ready: false, serving: true}", false},
                     {"{ready: false, serving: true, terminating: true}", false},
                     {"{ready: true, serving: true, terminating: true}", true}};  // publishNotReadyAddresses
  for (const auto& some : cases) {
    const std::string list =
        "[{addresses: [10.1.0.1]}, {addresses: [10.1.0.2], conditions: " + std::string(some.conditions) + "}]";
    EXPECT_EQ(endpoints(slice_of("a", list)), some.is_taken ? "10.1.0.1:8080 10.1.0.2:8080 " : "10.1.0.1:8080 ")
        << some.conditions;
  }
}

TEST(ServiceEndpoints, AreThoseThatServeWhileTheyEndWhenNoneIsReady) {
  EXPECT_EQ(
      endpoints(slice_of("a",
                         "[{addresses: [10.1.0.1], conditions: {ready: false, serving: true, terminating: "
                         "true}}, {addresses: [10.1.0.2], conditions: {ready: false, serving: false, "
                         "terminating: true}}, {addresses: [10.1.0.3], conditions: {ready: false, serving: true}}]")),
      "10.1.0.1:8080 ");
}

TEST(ServiceEndpoints, AreNoneWhenNoneServes) {
  const std::string none =
      "warning: Service default/app has no ready endpoint for port 80 in its EndpointSlices: "
      "requests get 503";
  EXPECT_TRUE(endpoints(slice_of("a", "[{addresses: [10.1.0.1], conditions: {ready: false}}]")).ends_with(none));
  EXPECT_TRUE(endpoints(slice_of("a", "[]")).ends_with(none));
  EXPECT_TRUE(endpoints(slice_of("a", "null")).ends_with(none));
  EXPECT_TRUE(endpoints(slice_of("a", "[{addresses: [10.1.0.1]}]", "[{name: other, port: 8080}]")).ends_with(none));
  EXPECT_TRUE(
      endpoints(slice_of("a", "[{addresses: [10.1.0.1]}]", "[{name: http, port: 80, protocol: UDP}]")).ends_with(none));
}

TEST(ServiceEndpoints, HaveThePortThatTheSliceSays) {
  const std::string_view unnamed = "ports: [{port: 80, targetPort: 9000}]";
  EXPECT_EQ(endpoints(slice_of("a", "[{addresses: [10.1.0.1]}]", "[{name: '', port: 8080}]"), unnamed),
            "10.1.0.1:8080 ");
  EXPECT_EQ(endpoints(slice_of("a", "[{addresses: [10.1.0.1]}]", "[{port: 8080}]"), unnamed), "10.1.0.1:8080 ");
  EXPECT_EQ(endpoints(slice_of("a", "[{addresses: [10.1.0.1]}]", "[{port: null}]"), unnamed), "10.1.0.1:9000 ")
      << "no number means every port";
  EXPECT_EQ(endpoints(slice_of("a", "[{addresses: [10.1.0.1]}]", "[{name: x, port: 1}, {name: http, port: 8081}]") +
                      slice_of("b", "[{addresses: [10.1.0.1]}]")),
            "10.1.0.1:8081 10.1.0.1:8080 ")
      << "pods of two versions may have it at different numbers";
}

TEST(ServiceEndpoints, OfTheOlderKindAreUsedWhenThereAreNoSlices) {
  const std::string older =
      "apiVersion: v1\nkind: Endpoints\nmetadata: {name: app}\nsubsets:\n- addresses: [{ip: 10.2.0.1}, {ip: "
      "10.2.0.2}]\n"
      "  notReadyAddresses: [{ip: 10.2.0.3}]\n  ports: [{name: http, port: 8080}]\n- addresses: [{ip: 10.2.0.4}]\n"
      "  ports: [{name: http, port: 8081}]\n---\n";
  EXPECT_EQ(endpoints(older), "10.2.0.1:8080 10.2.0.2:8080 10.2.0.4:8081 ");
  EXPECT_EQ(endpoints(older + slice_of("a", "[{addresses: [10.1.0.1]}]")), "10.1.0.1:8080 ");
}

}  // namespace
}  // namespace sluice::config
