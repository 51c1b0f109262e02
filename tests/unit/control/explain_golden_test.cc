// What `sluice explain` and `sluice routes` print, word for word: golden/*.txt and *.json. Run with
// SLUICE_UPDATE_GOLDEN=1 to write them anew, and read the difference.
#include "control/build_snapshot.h"
#include "control/explain_report.h"
#include "control/snapshot_json.h"
#include "control/snapshot_text.h"
#include "tls/server_context.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace sluice::control {
namespace {

void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = GOLDEN_FOLDER "/" + name;
  if (std::getenv("SLUICE_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  EXPECT_EQ(text, std::string(std::istreambuf_iterator<char>(file), {})) << path;
}

// Loads with a relative path, so that places do not depend on where the tree is.
std::unique_ptr<snapshot::Snapshot> load(const std::string& folder, const std::string& path) {
  EXPECT_TRUE(tls::initialize());
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  config::Diagnostics diagnostics;
  auto snapshot = build_snapshot_to_look_at({path}, WallTime{}, diagnostics);
  std::filesystem::current_path(before);
  EXPECT_NE(snapshot, nullptr);
  return snapshot;
}

ExplainRequest request(std::string method, std::string url, std::vector<std::string> fields = {}) {
  return {.url = std::move(url),
          .method = std::move(method),
          .fields = std::move(fields),
          .client = *SocketAddress::from_ip("192.0.2.7", 0)};
}

std::string explained(const snapshot::Snapshot& snapshot, const std::vector<ExplainRequest>& requests) {
  std::string text;
  for (const ExplainRequest& each : requests) {
    const auto explanation = explain(snapshot, each);
    text += explanation ? to_text(*explanation, each, snapshot) : explanation.error().message + "\n";
    text += "\n";
  }
  return text;
}

TEST(Golden, KymaGateway) {
  const auto snapshot = load(EXAMPLES_FOLDER, "kyma-gateway");
  expect_golden("kyma-gateway.routes.txt", routes_text(*snapshot));
  expect_golden(
      "kyma-gateway.explain.txt",
      explained(*snapshot, {request("GET", "https://httpbin.local.kyma.dev/get?a=1"),
                            request("GET", "http://httpbin.local.kyma.dev/get?a=1"),
                            request("GET", "https://other.local.kyma.dev/"), request("GET", "https://example.com/"),
                            request("GET", "http://httpbin.local.kyma.dev:8080/")}));
}

TEST(Golden, ExplicitProxy) {
  const auto snapshot = load(EXAMPLES_FOLDER, "egress");
  expect_golden("egress.routes.txt", routes_text(*snapshot));
  expect_golden("egress.config.json", to_text(snapshot_json(*snapshot)));
}

TEST(Golden, OneOfEverything) {
  const auto snapshot = load(GOLDEN_FOLDER, "rich.yaml");
  expect_golden("rich.routes.txt", routes_text(*snapshot));
  expect_golden("rich.routes.json", to_text(routes_json(*snapshot)));
  const std::string shop = "http://shop.example.com";
  expect_golden(
      "rich.explain.txt",
      explained(
          *snapshot,
          {request("GET", shop + "/old/x?q"), request("POST", shop + "/gone?v=1", {"x-team: a"}),
           request("GET", shop + "/status"), request("GET", shop + "/broken"),
           request("GET", shop + "/api/items?id=7", {"cookie: secret", "origin: https://a.example"}),
           request("OPTIONS", shop + "/api/items", {"origin: https://a.example", "access-control-request-method: PUT"}),
           request("GET", shop + "/nowhere"), request("GET", shop + "/"), request("GET", shop + "/%00"),
           request("GET", "https://a.db.example.com/"), request("GET", "https://b.db.example.com/"),
           request("GET", "http://shop.example.com:5432/"), request("GET", "https://shop.example.com:80/")}));
  const ExplainRequest api = request("GET", shop + "/api/items?id=7");
  expect_golden("rich.explain.json", to_text(to_json(*explain(*snapshot, api), api, *snapshot)));
}

}  // namespace
}  // namespace sluice::control
