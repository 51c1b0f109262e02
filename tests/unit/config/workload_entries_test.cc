#include "config/workload_entries.h"

#include "config_testing.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::config {
namespace {

using Lines = std::vector<std::string>;

std::string workload_entry(std::string_view name, std::string_view spec, std::string_view labels = "") {
  return "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: " + std::string(name) +
         ", labels: {" + std::string(labels) + "}}\nspec: {" + std::string(spec) + "}\n---\n";
}

// The endpoints of a ServiceEntry that selects `app: a`, with names to be looked up at the end.
Lines endpoints(const std::string& documents, std::string_view entry = "resolution: STATIC") {
  const Loaded loaded = load_document(
      std::string(plain_gateway) + documents +
      service_entry("entry",
                    "hosts: [a.example], ports: [{number: 80, name: http, targetPort: 8080}], "
                    "workloadSelector: {labels: {app: a}}, " +
                        std::string(entry)) +
      virtual_service("vs", "hosts: ['*'], gateways: [gw], http: [{route: [{destination: {host: a.example}}]}]"));
  Lines lines;
  if (!loaded.snapshot) return {loaded.diagnostics.front()};
  const snapshot::Cluster& cluster = loaded.snapshot->clusters.at(0);
  for (const auto& endpoint : cluster.endpoints)
    lines.push_back(endpoint.address.to_string() + " " + std::to_string(endpoint.weight));
  for (const auto& name : cluster.dns_names) lines.push_back(name.name + ":" + std::to_string(name.port));
  return lines;
}

TEST(WorkloadEntries, AreEndpointsOfTheEntriesThatSelectThem) {
  EXPECT_EQ(endpoints(workload_entry("one", "address: 10.0.0.1, labels: {app: a, version: v1}") +
                      workload_entry("two", "address: 10.0.0.2, labels: {app: b}") +
                      workload_entry("three", "address: 10.0.0.3, labels: {app: a}, ports: {http: 9090}, weight: 5")),
            (Lines{"10.0.0.1:8080 1", "10.0.0.3:9090 5"}));
}

TEST(WorkloadEntries, LabelsOfTheDocumentCountToo) {
  EXPECT_EQ(endpoints(workload_entry("one", "address: 10.0.0.1", "app: a")), Lines{"10.0.0.1:8080 1"});
}

TEST(WorkloadEntries, NamesAreLookedUp) {
  EXPECT_EQ(endpoints(workload_entry("one", "address: VM.example, labels: {app: a}"), "resolution: DNS"),
            Lines{"vm.example:8080"});
}

TEST(WorkloadEntries, PodsThatSayTheirAddressAreEndpoints) {
  EXPECT_EQ(
      endpoints("apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {app: a}}\nstatus: {podIP: 10.0.0.9}\n---\n"
                "apiVersion: v1\nkind: Pod\nmetadata: {name: b, labels: {app: a}}\n---\n"),
      Lines{"10.0.0.9:8080 1"});
}

TEST(WorkloadEntries, OfOtherNamespacesAreNotSelected) {
  EXPECT_EQ(endpoints("apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: a, namespace: other}\n"
                      "spec: {address: 10.0.0.1, labels: {app: a}}\n---\n"),
            Lines{});
}

}  // namespace
}  // namespace sluice::config
