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

TEST(MeshConfig, SaysWhetherConnectionsBeginWithAPROXYHeader) {
  for (const std::string_view fields : {"", "proxyProtocol: null", "numTrustedProxies: 1"})
    EXPECT_FALSE(topology_of(topology(fields)).expects_proxy_header) << fields;
  EXPECT_TRUE(topology_of(topology("proxyProtocol: {}")).expects_proxy_header);
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

std::unique_ptr<snapshot::Snapshot> snapshot_of(std::string_view mesh) {
  Loaded loaded =
      load_document(std::string(plain_gateway) +
                    virtual_service("vs",
                                    "hosts: [a.example.com], gateways: [gw], http: [{route: [{destination: {host: "
                                    "app.example}}]}]") +
                    std::string(app_entry) + config_map("  mesh: |\n    " + std::string(mesh) + "\n"));
  EXPECT_TRUE(loaded.snapshot) << mesh << loaded.diagnostics.at(0);
  return std::move(loaded.snapshot);
}

TEST(MeshConfig, SaysHowPathsAreNormalised) {
  struct {
    std::string_view name;
    sluice::PathNormalization expected;
  } cases[] = {{"DEFAULT", sluice::PathNormalization::base},
               {"NONE", sluice::PathNormalization::none},
               {"BASE", sluice::PathNormalization::base},
               {"MERGE_SLASHES", sluice::PathNormalization::merge_slashes},
               {"DECODE_AND_MERGE_SLASHES", sluice::PathNormalization::decode_and_merge_slashes}};
  for (const auto& [name, expected] : cases) {
    const std::string mesh = "pathNormalization: {normalization: " + std::string(name) + "}";
    EXPECT_EQ(snapshot_of(mesh)->path_normalization, expected) << name;
  }
  EXPECT_EQ(snapshot_of("{}")->path_normalization, sluice::PathNormalization::base);
}

TEST(MeshConfig, SaysHowLongConnectingMayTake) {
  EXPECT_EQ(snapshot_of("connectTimeout: 1.5s")->clusters.at(0).connect_timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(snapshot_of("{}")->clusters.at(0).connect_timeout, std::chrono::seconds(10));
}

TEST(MeshConfig, SaysHowTheProcessRuns) {
  const snapshot::ProcessSettings nothing = snapshot_of("{}")->process;
  EXPECT_FALSE(nothing.concurrency || nothing.access_log_file || nothing.drain_timeout);
  EXPECT_EQ(snapshot_of("defaultConfig: {concurrency: 0}")->process.concurrency, 0U);
  EXPECT_EQ(snapshot_of("defaultConfig: {concurrency: 2}")->process.concurrency, 2U);
  EXPECT_EQ(snapshot_of("accessLogFile: ''")->process.access_log_file, "");
  EXPECT_EQ(snapshot_of("accessLogFile: /dev/stdout")->process.access_log_file, "/dev/stdout");
  EXPECT_EQ(snapshot_of("defaultConfig: {terminationDrainDuration: 7s}")->process.drain_timeout,
            std::chrono::seconds(7));
}

std::string proxy_config(std::string_view name, std::string_view spec, std::string_view name_space = "istio-system") {
  return "apiVersion: networking.istio.io/v1beta1\nkind: ProxyConfig\nmetadata: {name: " + std::string(name) +
         ", namespace: " + std::string(name_space) + "}\nspec: {" + std::string(spec) + "}\n---\n";
}

// The number of shards that these documents and a MeshConfig with 7 ask for, then what was said.
std::string shards(const std::string& documents) {
  const Loaded loaded = load_document(
      "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec: {selector: {app: "
      "istio-ingressgateway, istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: "
      "['*']}]}\n---\n" +
      config_map("  mesh: |\n    defaultConfig: {concurrency: 7}\n") + documents);
  std::string result = loaded.snapshot ? std::to_string(loaded.snapshot->process.concurrency.value_or(99)) : "";
  for (const std::string& said : loaded.diagnostics) result += "\n" + said.substr(said.find(": ") + 2);
  return result;
}

TEST(ProxyConfig, SaysTheNumberOfShards) {
  const std::string of_all =
      proxy_config("all", "concurrency: 2, environmentVariables: {A: b}, image: {imageType: debug}");
  const std::string of_pods = proxy_config("pods", "selector: {matchLabels: {istio: ingressgateway}}, concurrency: 3");
  EXPECT_EQ(shards(""), "7");
  EXPECT_EQ(shards(of_all), "2");
  EXPECT_EQ(shards(of_all + of_pods), "3");
  EXPECT_EQ(shards(proxy_config("zero", "concurrency: 0")), "0");
  EXPECT_EQ(shards(proxy_config("nothing", "image: {}") + of_all), "2");
}

TEST(ProxyConfig, IsIgnoredWhenItIsForOthers) {
  EXPECT_EQ(shards(proxy_config("other", "concurrency: 2", "default")),
            "7\ninfo: ProxyConfig default/other is not for the gateway, and ignored");
  EXPECT_EQ(shards(proxy_config("other", "selector: {matchLabels: {istio: egressgateway}}, concurrency: 2")),
            "7\ninfo: ProxyConfig istio-system/other is not for the gateway, and ignored");
}

TEST(MeshConfig, ChangesTheHash) {
  std::set<std::string> hashes;
  for (const std::string_view mesh :
       {"{}", "connectTimeout: 3s", "pathNormalization: {normalization: NONE}", "accessLogFile: ''",
        "accessLogFile: /a", "defaultConfig: {concurrency: 0}", "defaultConfig: {concurrency: 1}",
        "defaultConfig: {terminationDrainDuration: 0s}", "defaultConfig: {terminationDrainDuration: 1s}"})
    EXPECT_TRUE(hashes.insert(snapshot_of(mesh)->hash).second) << mesh;
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
