#include "config/outbound_settings.h"

#include "outbound_testing.h"

#include <algorithm>
#include <vector>

namespace sluice::config {
namespace {

using snapshot::HostAgreement;
using snapshot::ListenerRole;
using Lines = std::vector<std::string>;

std::string secret(std::string_view name, std::string_view data) {
  return "apiVersion: v1\nkind: Secret\nmetadata: {name: " + std::string(name) +
         ", namespace: istio-system}\nstringData: {" + std::string(data) + "}\n---\n";
}

Lines listeners_of(const std::string& documents) {
  Lines lines;
  const auto tables = outbound_snapshot(documents);
  for (const snapshot::Listener& listener : tables->listeners) lines.push_back(listener.address.to_string());
  return lines;
}

TEST(OutboundSettings, WithoutAPortThereIsNoOutboundTraffic) {
  for (const std::string& documents :
       {std::string(), mesh(""), mesh("proxyHttpPort: 0, proxyListenPort: 0"),
        mesh("outboundTrafficPolicy: {mode: REGISTRY_ONLY}, protocolDetectionTimeout: 1s")}) {
    const Loaded loaded = load_document(std::string(plain_gateway) + documents);
    ASSERT_TRUE(loaded.snapshot) << documents;
    EXPECT_FALSE(loaded.snapshot->outbound) << documents;
    EXPECT_EQ(loaded.snapshot->listeners.size(), 1u) << documents;
  }
}

TEST(OutboundSettings, TheExplicitProxyListensOnLoopbackUnlessAddressesAreGiven) {
  EXPECT_EQ(listeners_of(open_mesh), (Lines{"127.0.0.1:3128", "[::1]:3128"}));
  EXPECT_EQ(listeners_of(mesh("proxyHttpPort: 3128", R"(sluice.io/proxy-bind: "10.0.0.1, fd00::1")")),
            (Lines{"10.0.0.1:3128", "[fd00::1]:3128"}));
}

TEST(OutboundSettings, ListenersOfOutboundTrafficSayTheirRole) {
  const auto tables =
      outbound_snapshot(std::string(plain_gateway) + mesh("proxyHttpPort: 3128, proxyListenPort: 15001"));
  ASSERT_EQ(tables->listeners.size(), 5u);
  const ListenerRole roles[] = {ListenerRole::gateway, ListenerRole::proxy, ListenerRole::proxy,
                                ListenerRole::redirected, ListenerRole::redirected};
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(tables->listeners[i].role, roles[i]) << i;
    EXPECT_FALSE(tables->listeners[i].is_tls) << i;
    EXPECT_FALSE(tables->listeners[i].is_transparent) << i;
  }
  EXPECT_EQ(tables->listeners[3].address.to_string(), "0.0.0.0:15001");
  EXPECT_EQ(tables->listeners[4].address.to_string(), "[::]:15001");
}

TEST(OutboundSettings, TPROXYMakesTheRedirectedListenersTransparent) {
  const auto tables = outbound_snapshot(mesh("proxyListenPort: 15001, defaultConfig: {interceptionMode: TPROXY}"));
  ASSERT_EQ(tables->listeners.size(), 2u);
  for (const snapshot::Listener& listener : tables->listeners) EXPECT_TRUE(listener.is_transparent);
}

TEST(OutboundSettings, HaveTheDefaultsOfIstio) {
  const auto tables = outbound_snapshot(open_mesh);
  EXPECT_FALSE(tables->outbound->registry_only);
  EXPECT_EQ(tables->outbound->detection_time, std::chrono::milliseconds(200));
  EXPECT_EQ(tables->outbound->host_agreement, HostAgreement::warn);
  EXPECT_FALSE(tables->outbound->credentials);
}

TEST(OutboundSettings, AreReadFromMeshConfigAndItsAnnotations) {
  const auto tables =
      outbound_snapshot(mesh("proxyHttpPort: 3128, protocolDetectionTimeout: 5s, "
                             "outboundTrafficPolicy: {mode: REGISTRY_ONLY}",
                             "sluice.io/host-agreement: enforce"));
  EXPECT_TRUE(tables->outbound->registry_only);
  EXPECT_EQ(tables->outbound->detection_time, std::chrono::seconds(5));
  EXPECT_EQ(tables->outbound->host_agreement, HostAgreement::enforce);
  EXPECT_EQ(outbound_snapshot(mesh("proxyHttpPort: 1", R"(sluice.io/host-agreement: "off")"))->outbound->host_agreement,
            HostAgreement::off);
}

TEST(OutboundSettings, AllowAnyDynamicDnsIsAllowAnyForAnExplicitProxy) {
  EXPECT_FALSE(outbound_snapshot(mesh("proxyHttpPort: 1, outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}"))
                   ->outbound->registry_only);
}

TEST(OutboundSettings, ThePasswordIsKeptAsADigest) {
  for (const std::string_view name : {"users", "istio-system/users"}) {
    const auto tables =
        outbound_snapshot(mesh("proxyHttpPort: 3128", "sluice.io/proxy-credentials: " + std::string(name)) +
                          secret("users", "username: ann, password: 'a:b c'"));
    ASSERT_TRUE(tables->outbound->credentials);
    EXPECT_EQ(tables->outbound->credentials->text, "ann:a:b c");
    EXPECT_EQ(tables->outbound->credentials->secret_name, "istio-system/users");
  }
}

TEST(OutboundSettings, TheProxySpeaksTLSWithACertificate) {
  const auto tables = outbound_snapshot(mesh("proxyHttpPort: 3128", "sluice.io/proxy-credential-name: certs") +
                                        secret("certs", "tls.crt: chain, tls.key: key"));
  ASSERT_EQ(tables->listeners.size(), 2u);
  for (const snapshot::Listener& listener : tables->listeners) {
    EXPECT_TRUE(listener.is_tls);
    ASSERT_EQ(listener.tls_servers.size(), 1u);
    const snapshot::TlsServer& server = listener.tls_servers.front();
    EXPECT_EQ(server.hosts, Lines{"*"});
    EXPECT_EQ(server.kind, snapshot::ServerKind::http);
    EXPECT_EQ(server.settings.alpn, (Lines{"h2", "http/1.1"}));
    EXPECT_EQ(server.settings.client_certificates, snapshot::ClientCertificates::none);
    EXPECT_EQ(server.key_pairs.size(), 1u);
    EXPECT_EQ(listener.server_names.find("anything"), 0u);
  }
}

TEST(OutboundSettings, TheProxyAsksForClientCertificatesAsAGatewayDoes) {
  for (const auto& [mode, expected] : {std::pair("MUTUAL", snapshot::ClientCertificates::required),
                                       std::pair("OPTIONAL_MUTUAL", snapshot::ClientCertificates::optional)}) {
    const auto tables = outbound_snapshot(
        mesh("proxyHttpPort: 3128",
             "sluice.io/proxy-credential-name: certs, sluice.io/proxy-tls-mode: " + std::string(mode)) +
        secret("certs", "tls.crt: chain, tls.key: key, ca.crt: authority"));
    const snapshot::TlsServer& server = tables->listeners.front().tls_servers.front();
    EXPECT_EQ(server.settings.client_certificates, expected);
    EXPECT_EQ(server.settings.client_verification->ca_pem, "authority");
  }
}

TEST(OutboundSettings, WithoutItsCertificateTheProxyIsClosedAndNotPlain) {
  const auto tables = outbound_snapshot(mesh("proxyHttpPort: 3128", "sluice.io/proxy-credential-name: missing"));
  EXPECT_TRUE(tables->listeners.front().is_tls);
  EXPECT_TRUE(tables->listeners.front().tls_servers.front().key_pairs.empty());
}

TEST(OutboundSettings, AProxyBeyondLoopbackIsOpenWithoutUsersOrClientCertificates) {
  const auto warnings = [](std::string_view annotations) {
    const Loaded loaded =
        load_document(mesh("proxyHttpPort: 3128", annotations) + secret("users", "username: ann, password: secret") +
                      secret("certs", "tls.crt: chain, tls.key: key, ca.crt: authority"));
    return std::ranges::count_if(loaded.diagnostics,
                                 [](const std::string& line) { return line.contains("open proxy"); });
  };
  EXPECT_EQ(warnings(""), 0);
  EXPECT_EQ(warnings(R"(sluice.io/proxy-bind: "127.1.2.3,::1")"), 0);
  EXPECT_EQ(warnings(R"(sluice.io/proxy-bind: "127.0.0.1,0.0.0.0")"), 1);
  EXPECT_EQ(warnings("sluice.io/proxy-bind: 0.0.0.0, sluice.io/proxy-credential-name: certs"), 1);
  EXPECT_EQ(warnings("sluice.io/proxy-bind: 0.0.0.0, sluice.io/proxy-credential-name: certs, "
                     "sluice.io/proxy-tls-mode: OPTIONAL_MUTUAL"),
            1);
  EXPECT_EQ(warnings("sluice.io/proxy-bind: 0.0.0.0, sluice.io/proxy-credentials: users"), 0);
  EXPECT_EQ(warnings("sluice.io/proxy-bind: 0.0.0.0, sluice.io/proxy-credential-name: certs, "
                     "sluice.io/proxy-tls-mode: MUTUAL"),
            0);
}

}  // namespace
}  // namespace sluice::config
