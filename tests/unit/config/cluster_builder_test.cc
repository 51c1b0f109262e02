#include "config/cluster_builder.h"

#include "config_testing.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

// "name [service_name/service_namespace] endpoint*weight ... dns:port*weight ... HTTP/2" of the cluster that a
// VirtualService in the namespace default with this destination leads to.
std::string cluster(std::string_view destination, const std::string& documents) {
  const Loaded loaded =
      load_document(std::string(plain_gateway) +
                    virtual_service("vs", "hosts: [a.example.com], gateways: [gw], http: [{route: [{destination: " +
                                              std::string(destination) + "}]}]") +
                    documents);
  if (!loaded.snapshot) return loaded.diagnostics.at(0);
  if (loaded.snapshot->clusters.empty()) return "none";
  const snapshot::Cluster& cluster = loaded.snapshot->clusters[0];
  std::string result = cluster.name + " [" + cluster.service_name + "/" + cluster.service_namespace + "]";
  for (const snapshot::Endpoint& endpoint : cluster.endpoints)
    result += " " + endpoint.address.to_string() + "*" + std::to_string(endpoint.weight);
  for (const auto& name : cluster.dns_names)
    result += " " + name.name + ":" + std::to_string(name.port) + "*" + std::to_string(name.weight);
  if (cluster.http == snapshot::UpstreamHttp::http2) result += " HTTP/2";
  if (cluster.http == snapshot::UpstreamHttp::as_client) result += " as the client";
  if (cluster.http2_streams_max != limits::http2_streams_max)
    result += " " + std::to_string(cluster.http2_streams_max) + " streams";
  return result;
}

TEST(ServiceCluster, IsFoundByShortAndFullName) {
  const std::string documents = service("app", "ports: [{port: 8000, targetPort: 80}]");
  const std::string expected =
      "outbound|8000||app.default.svc.cluster.local [app/default] app.default.svc.cluster.local:8000*1";
  EXPECT_EQ(cluster("{host: app}", documents), expected);
  EXPECT_EQ(cluster("{host: APP}", documents), expected);
  EXPECT_EQ(cluster("{host: app.default.svc.cluster.local}", documents), expected);
  EXPECT_EQ(cluster("{host: app.default}", documents), "none") << "only a name without dots is completed, as in Istio";
  EXPECT_EQ(cluster("{host: app.other.svc.cluster.local}", documents), "none");
}

TEST(ServiceCluster, UsesTheClusterIpWhenItIsAnAddress) {
  EXPECT_EQ(cluster("{host: app}", service("app", "clusterIP: 10.0.0.7, ports: [{port: 8000, targetPort: 80}]")),
            "outbound|8000||app.default.svc.cluster.local [app/default] 10.0.0.7:8000*1");
  EXPECT_EQ(cluster("{host: app}", service("app", "clusterIP: 'fd00::7', ports: [{port: 8000}]")),
            "outbound|8000||app.default.svc.cluster.local [app/default] [fd00::7]:8000*1");
}

TEST(ServiceCluster, GoesToTheTargetPortWhenHeadless) {
  EXPECT_EQ(cluster("{host: app}", service("app", "clusterIP: None, ports: [{port: 8000, targetPort: 80}]")),
            "outbound|8000||app.default.svc.cluster.local [app/default] app.default.svc.cluster.local:80*1");
  EXPECT_EQ(cluster("{host: app}", service("app", "clusterIP: None, ports: [{port: 8000}]")),
            "outbound|8000||app.default.svc.cluster.local [app/default] app.default.svc.cluster.local:8000*1");
}

TEST(ServiceCluster, GoesToTheExternalName) {
  EXPECT_EQ(
      cluster("{host: app}", service("app", "type: ExternalName, externalName: Example.org., ports: [{port: 8000}]")),
      "outbound|8000||app.default.svc.cluster.local [app/default] example.org:8000*1");
}

TEST(ServiceCluster, IsOfThePortThatTheDestinationNames) {
  const std::string documents =
      service("app", "ports: [{name: a, port: 80}, {name: b, port: 81}, {name: c, port: 82, protocol: UDP}]");
  EXPECT_EQ(cluster("{host: app, port: {number: 81}}", documents),
            "outbound|81||app.default.svc.cluster.local [app/default] app.default.svc.cluster.local:81*1");
  EXPECT_EQ(cluster("{host: app, port: {number: 82}}", documents), "none");
  EXPECT_EQ(cluster("{host: app, port: {number: 83}}", documents), "none");
  EXPECT_EQ(cluster("{host: app}", documents),
            "test.yaml:13:78: error: Service default/app has 3 ports: destination.port.number must say which");
}

TEST(ServiceCluster, SpeaksWhatItsPortSays) {
  const std::string http1 = "outbound|80||app.default.svc.cluster.local [app/default] 10.0.0.7:80*1";
  const auto cluster_of = [](const std::string& port) {
    return cluster("{host: app}", service("app", "clusterIP: 10.0.0.7, ports: [{port: 80, " + port + "}]"));
  };
  EXPECT_EQ(cluster_of("name: http"), http1);
  EXPECT_EQ(cluster_of("name: http2"), http1 + " HTTP/2");
  EXPECT_EQ(cluster_of("name: http2-api"), http1 + " HTTP/2");
  EXPECT_EQ(cluster_of("name: x, appProtocol: kubernetes.io/h2c"), http1 + " HTTP/2");
  EXPECT_EQ(cluster_of("name: http2, appProtocol: http"), http1);
}

TEST(ServiceEntryCluster, HasTheStaticEndpoints) {
  const auto entry = [](std::string_view endpoints, std::string_view port = "{number: 9000, name: http}") {
    return service_entry("e", "hosts: [app.example], resolution: STATIC, ports: [" + std::string(port) +
                                  "], endpoints: " + std::string(endpoints));
  };
  EXPECT_EQ(cluster("{host: app.example}", entry("[{address: 10.0.0.1}, {address: '::1', weight: 5}]")),
            "outbound|9000||app.example [app.example/default] 10.0.0.1:9000*1 [::1]:9000*5");
  EXPECT_EQ(
      cluster("{host: app.example}", entry("[{address: 10.0.0.1}]", "{number: 9000, name: http, targetPort: 9001}")),
      "outbound|9000||app.example [app.example/default] 10.0.0.1:9001*1");
  EXPECT_EQ(cluster("{host: app.example}", entry("[{address: 10.0.0.1, ports: {http: 9002}}]",
                                                 "{number: 9000, name: http, targetPort: 9001}")),
            "outbound|9000||app.example [app.example/default] 10.0.0.1:9002*1");
}

TEST(ServiceEntryCluster, ResolvesItsEndpointsOrItsHost) {
  const auto entry = [](std::string_view more) {
    return service_entry(
        "e",
        "hosts: [app.example, other.example], resolution: DNS, ports: [{number: 443, name: http}]" + std::string(more));
  };
  EXPECT_EQ(cluster("{host: other.example}", entry("")),
            "outbound|443||other.example [other.example/default] other.example:443*1");
  EXPECT_EQ(
      cluster("{host: app.example}", entry(", endpoints: [{address: A.example.org}, {address: 10.0.0.1, weight: 2}]")),
      "outbound|443||app.example [app.example/default] 10.0.0.1:443*2 a.example.org:443*1");
}

TEST(ServiceEntryCluster, IsOfTheNamespaceOfItsEntry) {
  EXPECT_EQ(
      cluster("{host: app.example}",
              service_entry(
                  "e",
                  "hosts: [app.example], location: MESH_EXTERNAL, resolution: DNS, ports: [{number: 80, name: http}]")),
      "outbound|80||app.example [app.example/default] app.example:80*1");
}

TEST(ServiceEntryCluster, IsOfTheEntryThatHasThePort) {
  const std::string documents =
      service_entry("a", "hosts: [app.example], resolution: DNS, ports: [{number: 80, name: http}]") +
      service_entry("b",
                    "hosts: [app.example], resolution: STATIC, ports: [{number: 81, name: http}], endpoints: "
                    "[{address: 10.0.0.1}]");
  EXPECT_EQ(cluster("{host: app.example, port: {number: 81}}", documents),
            "outbound|81||app.example [app.example/default] 10.0.0.1:81*1");
  EXPECT_EQ(cluster("{host: app.example}", documents),
            "outbound|80||app.example [app.example/default] app.example:80*1");
}

TEST(ServiceEntryCluster, IsSeenWhereItIsExported) {
  const auto entry = [](std::string_view to) {
    return service_entry(
        "e", "hosts: [app.example], resolution: DNS, ports: [{number: 80, name: http}], exportTo: " + std::string(to));
  };
  EXPECT_EQ(cluster("{host: app.example}", entry("['.']")), "none");
  EXPECT_EQ(cluster("{host: app.example}", entry("[other]")), "none");
  EXPECT_NE(cluster("{host: app.example}", entry("[other, istio-system]")), "none");
  EXPECT_NE(cluster("{host: app.example}", entry("['*']")), "none");
}

}  // namespace
}  // namespace sluice::config
