// What the tests of config/ share: documents in, snapshot and diagnostics out.
#pragma once

#include "config/load.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::config {

struct Loaded {
  std::unique_ptr<snapshot::Snapshot> snapshot;
  std::vector<std::string> diagnostics;  // as `sluice check` prints them
  ManagedCertificates certificates;
};

inline Loaded load_documents(std::vector<SourceText> texts, std::vector<SourceText> issued = {}) {
  Diagnostics diagnostics;
  Compiled compiled = load(std::move(texts), std::move(issued), diagnostics);
  Loaded loaded{std::move(compiled.snapshot), {}, std::move(compiled.certificates)};
  for (const Diagnostic& diagnostic : diagnostics.sorted()) loaded.diagnostics.push_back(diagnostic.to_string());
  return loaded;
}

inline Loaded load_document(std::string_view text, std::string_view name = "test.yaml") {
  return load_documents({{std::string(name), std::string(text)}});
}

// Documents that tests put together.

inline constexpr std::string_view plain_gateway = R"(
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*"]
---
)";

inline constexpr std::string_view app_entry = R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: app}
spec:
  hosts: [app.example, other.example]
  ports: [{number: 9000, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
---
)";

// A Gateway `name` with these servers (a YAML list on one line).
inline std::string gateway(std::string_view name, std::string_view servers) {
  return "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: " + std::string(name) +
         "}\nspec: {servers: " + std::string(servers) + "}\n---\n";
}

inline std::string virtual_service(std::string_view name, std::string_view spec) {
  return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: " + std::string(name) +
         "}\nspec: {" + std::string(spec) + "}\n---\n";
}

inline std::string service(std::string_view name, std::string_view spec) {
  return "apiVersion: v1\nkind: Service\nmetadata: {name: " + std::string(name) + "}\nspec: {" + std::string(spec) +
         "}\n---\n";
}

inline std::string service_entry(std::string_view name, std::string_view spec) {
  return "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: " + std::string(name) +
         "}\nspec: {" + std::string(spec) + "}\n---\n";
}

inline const snapshot::VirtualHost* find_host(const snapshot::RouteTable& table, std::string_view host) {
  const std::optional<uint32_t> index = table.hosts.find(host);
  return index ? &table.virtual_hosts[*index] : nullptr;
}

}  // namespace sluice::config
