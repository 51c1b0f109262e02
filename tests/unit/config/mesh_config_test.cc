#include "config/mesh_config.h"

#include "config_testing.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

namespace sluice::config {
namespace {

using snapshot::ForwardClientCert;

std::string config_map(std::string_view data) {
  return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n" +
         std::string(data) + "---\n";
}

std::string topology(std::string_view fields) {
  return config_map("  mesh: |\n    defaultConfig: {gatewayTopology: {" + std::string(fields) + "}}\n");
}

snapshot::GatewayTopology topology_of(const std::string& documents) {
  const Loaded loaded = load_document(std::string(plain_gateway) + documents);
  if (loaded.snapshot) return loaded.snapshot->topology;
  ADD_FAILURE() << loaded.diagnostics.at(0);
  return {};
}

TEST(MeshConfig, WithoutOneNobodyIsTrustedAndCertificatesAreOurOwn) {
  for (const std::string& documents : {std::string(), config_map("  other: ''\n"), config_map("  mesh: ''\n"),
                                       config_map("  mesh: '{}'\n"), topology("forwardClientCertDetails: UNDEFINED")}) {
    EXPECT_EQ(topology_of(documents).num_trusted_proxies, 0u) << documents;
    EXPECT_EQ(topology_of(documents).forward_client_cert, ForwardClientCert::sanitize_set) << documents;
  }
}

TEST(MeshConfig, CompilesEveryMode) {
  struct {
    std::string_view name;
    ForwardClientCert mode;
  } cases[] = {{"SANITIZE", ForwardClientCert::sanitize},
               {"FORWARD_ONLY", ForwardClientCert::forward_only},
               {"APPEND_FORWARD", ForwardClientCert::append_forward},
               {"SANITIZE_SET", ForwardClientCert::sanitize_set},
               {"ALWAYS_FORWARD_ONLY", ForwardClientCert::always_forward_only}};
  for (const auto& [name, mode] : cases)
    EXPECT_EQ(topology_of(topology("forwardClientCertDetails: " + std::string(name))).forward_client_cert, mode)
        << name;
}

TEST(MeshConfig, CountsTrustedProxies) {
  for (const uint32_t count : {0u, 1u, 3u, 4294967295u})
    EXPECT_EQ(topology_of(topology("numTrustedProxies: " + std::to_string(count))).num_trusted_proxies, count);
}

TEST(MeshConfig, IsReadInEveryStyleOfText) {
  for (const std::string_view mesh :
       {"  mesh: |-\n    defaultConfig:\n      gatewayTopology:\n        numTrustedProxies: 2\n",
        "  mesh: \"defaultConfig: {gatewayTopology: {numTrustedProxies: 2}}\"\n",
        "  mesh: '{\"defaultConfig\": {\"gatewayTopology\": {\"numTrustedProxies\": 2}}}'\n",
        "  mesh: >\n    {defaultConfig: {gatewayTopology:\n    {numTrustedProxies: 2}}}\n"}) {
    EXPECT_EQ(topology_of(config_map(mesh)).num_trusted_proxies, 2u) << mesh;
  }
}

TEST(MeshConfig, OfKymaIsRead) {
  const snapshot::GatewayTopology topology = topology_of(config_map(R"(  meshNetworks: 'networks: {}'
  mesh: |-
    defaultConfig:
      discoveryAddress: istiod.istio-system.svc:15012
      gatewayTopology:
        numTrustedProxies: 2
        forwardClientCertDetails: APPEND_FORWARD
      holdApplicationUntilProxyStarts: true
      proxyMetadata:
        BOOTSTRAP_XDS_AGENT: "true"
        WORKLOAD_RSA_KEY_SIZE: "3072"
      proxyStatsMatcher:
        inclusionRegexps:
        - .*upstream_rq.*
      statsCompression: false
      tracingServiceName: CANONICAL_NAME_ONLY
    defaultProviders:
      metrics:
      - prometheus
      tracing: []
    enablePrometheusMerge: false
    enableTracing: false
    extensionProviders:
    - name: kyma-traces
      opentelemetry:
        port: 4317
        service: telemetry-otlp-traces.kyma-system.svc.cluster.local
    - envoyFileAccessLog:
        logFormat:
          labels:
            authority: '%REQ(:AUTHORITY)%'
        path: /dev/stdout
      name: stdout-json
    rootNamespace: istio-system
    trustDomain: cluster.local
)"));
  EXPECT_EQ(topology.num_trusted_proxies, 2u);
  EXPECT_EQ(topology.forward_client_cert, ForwardClientCert::append_forward);
}

TEST(MeshConfig, OfTheExampleIsRead) {
  std::ifstream file(EXAMPLES_FOLDER "/mesh-config/istio.yaml");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const Loaded loaded = load_document(std::string(plain_gateway) + text);
  ASSERT_TRUE(loaded.snapshot);
  EXPECT_EQ(loaded.diagnostics, std::vector<std::string>());
  EXPECT_EQ(loaded.snapshot->topology.num_trusted_proxies, 1u);
  EXPECT_EQ(loaded.snapshot->topology.forward_client_cert, ForwardClientCert::always_forward_only);
}

TEST(MeshConfig, IsPartOfTheHash) {
  std::set<std::string> hashes;
  for (const std::string_view fields : {"", "numTrustedProxies: 1", "numTrustedProxies: 2",
                                        "forwardClientCertDetails: SANITIZE", "forwardClientCertDetails: FORWARD_ONLY"})
    hashes.insert(load_document(std::string(plain_gateway) + topology(fields)).snapshot->hash);
  EXPECT_EQ(hashes.size(), 5u);
  EXPECT_TRUE(hashes.contains(load_document(plain_gateway).snapshot->hash)) << "defaults that are written, or not";
}

// Each line of the aliases has ten of the line before.
TEST(MeshConfig, IsBounded) {
  std::string mesh = "  mesh: |\n    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 7; ++i) {
    mesh += "    a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) mesh += "*a" + std::to_string(i - 1) + (j < 9 ? ", " : "]\n");
  }
  const Loaded loaded = load_document(std::string(plain_gateway) + config_map(mesh));
  EXPECT_FALSE(loaded.snapshot);
  ASSERT_EQ(loaded.diagnostics.size(), 1u);
  EXPECT_TRUE(loaded.diagnostics[0].contains("expand to more than")) << loaded.diagnostics[0];
}

}  // namespace
}  // namespace sluice::config
