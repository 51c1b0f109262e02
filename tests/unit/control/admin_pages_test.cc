#include "control/admin_pages.h"

#include "sample_state.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice::control {
namespace {

using Json = nlohmann::json;

TEST(AdminPages, ShowTheLiveConfiguration) {
  SampleState state;
  const Json dump = Json::parse(state->look(config_dump_json));
  EXPECT_EQ(dump["programVersion"], SLUICE_VERSION);
  EXPECT_EQ(dump["phase"], "serving");
  const Json& snapshot = dump["snapshot"];
  EXPECT_EQ(snapshot["hash"], "abc123");
  EXPECT_EQ(snapshot["version"], 1);
  EXPECT_EQ(snapshot["gatewayTopology"],
            Json({{"numTrustedProxies", 0}, {"forwardClientCertDetails", "SANITIZE_SET"}, {"proxyProtocol", false}}));
  const Json& listener = snapshot["listeners"][0];
  EXPECT_EQ(listener["address"], "0.0.0.0:8443");
  EXPECT_EQ(listener["servicePort"], 443);
  EXPECT_EQ(listener["tlsServers"][0]["cipherSuites"], Json::array({"ECDHE-RSA-AES128-GCM-SHA256"}));
  EXPECT_EQ(listener["tlsServers"][0]["hasCertificate"], false);
  EXPECT_EQ(listener["tlsServers"][0]["routeTable"], "https.443.https.kyma-gateway.kyma-system");
  const Json& host = snapshot["routeTables"][0]["virtualHosts"][0];
  EXPECT_EQ(host["host"], "httpbin.local.kyma.dev");
  EXPECT_EQ(host["place"], "vs.yaml:3:5");
  EXPECT_EQ(host["routeList"], 0);
  const Json& route = snapshot["routeLists"][0][0];
  EXPECT_EQ(route["path"]["prefix"], "/");
  EXPECT_EQ(route["virtualService"], "VirtualService default/httpbin");
  EXPECT_EQ(route["destinations"][0]["cluster"], "outbound|8000||httpbin.default.svc.cluster.local");
  EXPECT_EQ(route["timeoutMs"], 30000);
  EXPECT_EQ(route["headers"]["request"]["set"]["x-client"], "%REQ(:AUTHORITY)%");
  EXPECT_EQ(route["headers"]["response"]["remove"], Json::array({"x-internal"}));
  EXPECT_TRUE(route["destinations"][0]["headers"].is_null());
  EXPECT_EQ(snapshot["clusters"][0]["endpoints"][0]["address"], "10.0.0.7:8000");
  EXPECT_EQ(snapshot["clusters"][0]["connectTimeoutMs"], 10000);
}

TEST(AdminPages, ShowWhoIsVerifiedAndHow) {
  SampleState state;
  const Json snapshot = Json::parse(state->look(config_dump_json))["snapshot"];
  const Json& server = snapshot["listeners"][0]["tlsServers"][0];
  EXPECT_EQ(server["kind"], "http");
  EXPECT_EQ(server["clientCertificates"], "required");
  EXPECT_EQ(server["clientVerification"]["caCertificates"], "istio-system/kyma-gateway-certs-cacert");
  EXPECT_EQ(server["clientVerification"]["hasRevocationList"], true);
  std::string digest;
  for (int i = 0; i < 32; ++i) digest += "ab";
  EXPECT_EQ(server["clientVerification"]["certificateSha256"], Json::array({digest}));
  EXPECT_TRUE(server["ticketKeySecret"].is_null());

  const Json& tls = snapshot["clusters"][0]["tls"];
  EXPECT_EQ(tls["name"], "DestinationRule default/httpbin");
  EXPECT_EQ(tls["sni"], "httpbin.test");
  EXPECT_EQ(tls["insecureSkipVerify"], false);
  EXPECT_EQ(tls["verification"]["caCertificates"], "system");
  EXPECT_EQ(tls["verification"]["subjectAltNames"], Json::array({"httpbin.test"}));
  EXPECT_EQ(tls["isUsable"], false);
}

TEST(AdminPages, ShowRoutesThatAreNotHttp) {
  SampleState state;
  const Json snapshot = Json::parse(state->look(config_dump_json))["snapshot"];
  EXPECT_EQ(snapshot["listeners"][0]["isTcp"], false);
  const Json& route = snapshot["routeTables"][1]["tcpRoutes"][0];
  EXPECT_EQ(route["serverNames"], Json::array({"*.db.local.kyma.dev"}));
  EXPECT_EQ(route["destinations"][0]["cluster"], "outbound|8000||httpbin.default.svc.cluster.local");
}

TEST(AdminPages, ShowTheLastFailedReload) {
  SampleState state;
  const Json reloads = Json::parse(state->look(config_dump_json))["reloads"];
  EXPECT_EQ(reloads["successes"], 1);
  EXPECT_EQ(reloads["failures"], 1);
  EXPECT_EQ(reloads["lastSuccessful"], false);
  EXPECT_EQ(reloads["lastFailure"], "2026-11-25T10:15:04Z");
  EXPECT_EQ(reloads["lastFailureDiagnostics"][0], "gateway.yaml:12:5: error: unknown field \"hots\"");
}

std::string certificates_of(const ProcessState& state) {
  renewal::Report report;
  report.is_managing = true;
  report.certificates.emplace_back().certificate = "istio-system/web";
  return state.look([&](const ProcessState::View& view) { return certificates_json(view, report); });
}

TEST(AdminPages, AreJsonWhateverACertificateHolds) {
  SampleState state;
  const Json page = Json::parse(certificates_of(*state));
  EXPECT_EQ(page["certificates"][0]["secret"], "istio-system/kyma-gateway-certs");
  EXPECT_EQ(page["managed"][0]["certificate"], "istio-system/web");
  EXPECT_EQ(page["isManaging"], true);
  EXPECT_EQ(page["certificates"][0]["subject"], "CN=\"quoted\\\n\xef\xbf\xbd");
}

TEST(AdminPages, AreThereBeforeThereIsAConfiguration) {
  const ProcessState state;
  const Json dump = Json::parse(state.look(config_dump_json));
  EXPECT_EQ(dump["phase"], "starting");
  EXPECT_TRUE(dump["snapshot"].is_null());
  EXPECT_TRUE(dump["reloads"]["lastSuccess"].is_null());
  EXPECT_EQ(Json::parse(certificates_of(state))["certificates"], Json::array());
}

}  // namespace
}  // namespace sluice::control
