// The three forms in which Kyma has shipped its gateway, and the documents beside it.
#include "config_testing.h"

#include "base/limits.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

using snapshot::TlsVersion;

// Kyma 2.1 to 2.16, static (2.17 and 2.18: the same from a template, with quotes).
constexpr std::string_view with_cipher_suites = R"(apiVersion: networking.istio.io/v1alpha3
kind: Gateway
metadata:
  name: kyma-gateway
  namespace: kyma-system
spec:
  selector:
    app: istio-ingressgateway
    istio: ingressgateway # use istio default ingress gateway
  servers:
  - port:
      number: 443
      name: https
      protocol: HTTPS
    tls:
      mode: SIMPLE
      credentialName: kyma-gateway-certs
      minProtocolVersion: TLSV1_2
      cipherSuites:
      - ECDHE-RSA-CHACHA20-POLY1305
      - ECDHE-RSA-AES256-GCM-SHA384
      - ECDHE-RSA-AES256-SHA
      - ECDHE-RSA-AES128-GCM-SHA256
      - ECDHE-RSA-AES128-SHA
    hosts:
      - "*.local.kyma.dev"
  - port:
      number: 80
      name: http
      protocol: HTTP
    tls:
      httpsRedirect: true # automatic 301 redirect from http to https
    hosts:
      - "*.local.kyma.dev")";  // the file in git has no final newline either

// Kyma 2.19 and the api-gateway operator: without the two TLS fields.
constexpr std::string_view without_cipher_suites = R"(apiVersion: networking.istio.io/v1alpha3
kind: Gateway
metadata:
  name: kyma-gateway
  namespace: kyma-system
  labels:
    app.kubernetes.io/name: kyma-gateway
    app.kubernetes.io/instance: api-gateway-operator-default
    app.kubernetes.io/version: "2.3.0"
    app.kubernetes.io/component: operator
    app.kubernetes.io/part-of: api-gateway
spec:
  selector:
    app: istio-ingressgateway
    istio: ingressgateway # use istio default ingress gateway
  servers:
    - port:
        number: 443
        name: https
        protocol: HTTPS
      tls:
        mode: SIMPLE
        credentialName: kyma-gateway-certs
      hosts:
        - "*.local.kyma.dev"
    - port:
        number: 80
        name: http
        protocol: HTTP
      tls:
        httpsRedirect: true # automatic 301 redirect from http to https
      hosts:
        - "*.local.kyma.dev"
)";

// Kyma 1.12 to 2.0: another chart, v1beta1 in some releases, the annotation that keeps it.
constexpr std::string_view of_the_old_chart = R"(---
apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata:
  name: kyma-gateway
  namespace: kyma-system
  annotations:
    "helm.sh/resource-policy": keep
spec:
  selector:
    istio: ingressgateway
  servers:
    - port: {number: 443, name: https, protocol: HTTPS}
      tls:
        mode: "SIMPLE"
        credentialName: "kyma-gateway-certs"
        minProtocolVersion: "TLSV1_2"
        cipherSuites: ["ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA"]
      hosts: ["*.local.kyma.dev"]
    - port: {number: 80, name: http, protocol: HTTP}
      tls: {httpsRedirect: true}
      hosts: ["*.local.kyma.dev"]
...
)";

constexpr std::string_view companions = R"(
apiVersion: v1
kind: Secret
metadata: {name: kyma-gateway-certs, namespace: istio-system}
type: Opaque
data:
  tls.crt: Y2hhaW4=
  tls.key: a2V5
---
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system}
spec:
  type: LoadBalancer
  selector: {app: istio-ingressgateway, istio: ingressgateway}
  ports:
  - {name: status-port, port: 15021, protocol: TCP, targetPort: 15021}
  - {name: http2, port: 80, protocol: TCP, targetPort: 8080}
  - {name: https, port: 443, protocol: TCP, targetPort: 8443}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: istio-healthz, namespace: istio-system}
spec:
  gateways: [kyma-system/kyma-gateway]
  hosts: [healthz.local.kyma.dev]
  http:
  - match:
    - uri: {exact: /healthz/ready}
    route:
    - destination:
        host: istio-ingressgateway.istio-system.svc.cluster.local
        port: {number: 15021}
---
apiVersion: cert.gardener.cloud/v1alpha1
kind: Certificate
metadata: {name: kyma-tls-cert, namespace: istio-system}
spec: {commonName: "*.local.kyma.dev"}
)";

const std::vector<std::string> five_suites = {"ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES256-GCM-SHA384",
                                              "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-GCM-SHA256",
                                              "ECDHE-RSA-AES128-SHA"};

class KymaGateway : public testing::TestWithParam<std::string_view> {
 protected:
  Loaded loaded_ =
      load_documents({{"gateway.yaml", std::string(GetParam())}, {"others.yaml", std::string(companions)}});
};

TEST_P(KymaGateway, ListensOnTheServicesTargetPorts) {
  ASSERT_NE(loaded_.snapshot, nullptr);
  ASSERT_EQ(loaded_.snapshot->listeners.size(), 2u);
  const snapshot::Listener& https = loaded_.snapshot->listeners[0];
  EXPECT_EQ(https.address.to_string(), "0.0.0.0:8443");
  EXPECT_EQ(https.service_port, 443);
  EXPECT_TRUE(https.is_tls);
  const snapshot::Listener& http = loaded_.snapshot->listeners[1];
  EXPECT_EQ(http.address.to_string(), "0.0.0.0:8080");
  EXPECT_EQ(http.service_port, 80);
  EXPECT_FALSE(http.is_tls);
}

TEST_P(KymaGateway, TerminatesTlsWithTheSecretOfIstioSystem) {
  ASSERT_NE(loaded_.snapshot, nullptr);
  const snapshot::Listener& https = loaded_.snapshot->listeners.at(0);
  ASSERT_EQ(https.tls_servers.size(), 1u);
  const snapshot::TlsServer& server = https.tls_servers[0];
  EXPECT_EQ(server.name, "https/kyma-system/kyma-gateway");
  EXPECT_EQ(server.hosts, std::vector<std::string>{"*.local.kyma.dev"});
  ASSERT_EQ(server.key_pairs.size(), 1U);
  EXPECT_EQ(server.key_pairs.at(0)->secret_name, "istio-system/kyma-gateway-certs");
  EXPECT_EQ(server.key_pairs.at(0)->chain_pem, "chain");
  EXPECT_EQ(server.key_pairs.at(0)->key_pem, "key");
  EXPECT_EQ(https.server_names.find("httpbin.local.kyma.dev"), 0u);
  EXPECT_EQ(https.server_names.find("local.kyma.dev"), std::nullopt);
}

TEST_P(KymaGateway, OffersTls12And13WithTheListedSuitesInTheirOrder) {
  ASSERT_NE(loaded_.snapshot, nullptr);
  const snapshot::TlsSettings& settings = loaded_.snapshot->listeners.at(0).tls_servers.at(0).settings;
  EXPECT_EQ(settings.min_version, TlsVersion::tls_1_2);
  EXPECT_EQ(settings.max_version, TlsVersion::tls_1_3);
  if (GetParam() == without_cipher_suites) {
    EXPECT_EQ(settings.cipher_suites,
              (std::vector<std::string>{"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305",
                                        "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305",
                                        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"}));
  } else {
    EXPECT_EQ(settings.cipher_suites, five_suites);
  }
}

TEST_P(KymaGateway, RedirectsEveryHostOfThePlainPort) {
  ASSERT_NE(loaded_.snapshot, nullptr);
  const snapshot::RouteTable& table = loaded_.snapshot->route_tables.at(loaded_.snapshot->listeners.at(1).route_table);
  EXPECT_EQ(table.name, "http.8080");
  for (const std::string_view host : {"healthz.local.kyma.dev", "unknown.local.kyma.dev", "a.b.local.kyma.dev"}) {
    const snapshot::VirtualHost* virtual_host = find_host(table, host);
    ASSERT_NE(virtual_host, nullptr) << host;
    EXPECT_TRUE(virtual_host->https_redirect) << host;
  }
  EXPECT_EQ(find_host(table, "local.kyma.dev"), nullptr);
  EXPECT_EQ(find_host(table, "example.com"), nullptr);
}

TEST_P(KymaGateway, RoutesTheHealthCheckOnTheTlsPort) {
  ASSERT_NE(loaded_.snapshot, nullptr);
  const snapshot::TlsServer& server = loaded_.snapshot->listeners.at(0).tls_servers.at(0);
  const snapshot::RouteTable& table = loaded_.snapshot->route_tables.at(server.route_table);
  EXPECT_EQ(table.name, "https.443.https.kyma-gateway.kyma-system");
  EXPECT_EQ(find_host(table, "unknown.local.kyma.dev"), nullptr) << "no VirtualService, no virtual host: 404";
  const snapshot::VirtualHost* virtual_host = find_host(table, "healthz.local.kyma.dev");
  ASSERT_NE(virtual_host, nullptr);
  EXPECT_FALSE(virtual_host->https_redirect);
  const std::span matches = loaded_.snapshot->route_lists.at(virtual_host->route_list.value()).matches();
  ASSERT_EQ(matches.size(), 1u);
  EXPECT_EQ(matches[0].path.kind, snapshot::TextMatch::Kind::exact);
  EXPECT_EQ(matches[0].path.text, "/healthz/ready");
  const snapshot::Route& route = loaded_.snapshot->routes.at(matches[0].route);
  ASSERT_EQ(route.destinations.size(), 1u);
  const snapshot::Cluster& cluster = loaded_.snapshot->clusters.at(route.destinations[0].cluster);
  EXPECT_EQ(cluster.name, "outbound|15021||istio-ingressgateway.istio-system.svc.cluster.local");
  EXPECT_EQ(cluster.connect_timeout, limits::upstream_connect_timeout);
  ASSERT_EQ(cluster.dns_names.size(), 1u);
  EXPECT_EQ(cluster.dns_names[0].name, "istio-ingressgateway.istio-system.svc.cluster.local");
  EXPECT_EQ(cluster.dns_names[0].port, 15021);
}

TEST_P(KymaGateway, SaysOnlyWhatIsWorthSaying) {
  std::vector<std::string> expected;
  if (GetParam() != without_cipher_suites) {
    expected.push_back(std::string("gateway.yaml:") + (GetParam() == with_cipher_suites ? "22:9" : "18:86") +
                       ": warning: cipher suite \"ECDHE-RSA-AES256-SHA\" (CBC with SHA-1) is preferred to "
                       "\"ECDHE-RSA-AES128-GCM-SHA256\" "
                       "(AEAD): the order is kept, as in Istio; put the AEAD suites first");
  }
  expected.emplace_back(
      "others.yaml:37:18: warning: there is no Issuer \"default/default-issuer\": Certificate "
      "istio-system/kyma-tls-cert is not obtained until it is there");
  EXPECT_EQ(loaded_.diagnostics, expected);
}

INSTANTIATE_TEST_SUITE_P(Forms, KymaGateway,
                         testing::Values(with_cipher_suites, without_cipher_suites, of_the_old_chart),
                         [](const auto& form) {
                           return form.param == with_cipher_suites      ? "WithCipherSuites"
                                  : form.param == without_cipher_suites ? "WithoutCipherSuites"
                                                                        : "OfTheOldChart";
                         });

// What a newcomer starts first: it must be right with the Secret that scripts/run makes.
TEST(KymaGatewayExample, CompilesWithoutErrors) {
  Diagnostics diagnostics;
  const auto snapshot = load({EXAMPLES_FOLDER "/kyma-gateway"}, diagnostics);
  ASSERT_NE(snapshot, nullptr);
  EXPECT_EQ(diagnostics.warning_count(), 2u) << "the Secret that is not in git, and the order of the suites";
  ASSERT_EQ(snapshot->listeners.size(), 2u);
  EXPECT_EQ(snapshot->listeners[0].tls_servers.at(0).settings.cipher_suites, five_suites);
  const snapshot::VirtualHost* host =
      find_host(snapshot->route_tables.at(snapshot->listeners[0].tls_servers[0].route_table), "httpbin.local.kyma.dev");
  ASSERT_NE(host, nullptr);
  const snapshot::RequestMatch& match = snapshot->route_lists.at(host->route_list.value()).matches()[0];
  const snapshot::Cluster& cluster = snapshot->clusters.at(snapshot->routes.at(match.route).destinations.at(0).cluster);
  EXPECT_EQ(cluster.name, "outbound|9000||httpbin.example");
  ASSERT_EQ(cluster.endpoints.size(), 1u);
  EXPECT_EQ(cluster.endpoints[0].address.to_string(), "127.0.0.1:9000");
}

}  // namespace
}  // namespace sluice::config
