#include "documents.h"

#include "base/parallel.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <utility>

namespace sluice::bench {

namespace {

constexpr uint32_t services_per_file = 100;

// The Secret is missing, which is a warning: what certificates cost is not measured here.
constexpr std::string_view gateway = R"(apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: gateway
  namespace: istio-system
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 443
      name: https
      protocol: HTTPS
    tls:
      mode: SIMPLE
      credentialName: certificate
    hosts:
    - "*.example.com"
  - port:
      number: 80
      name: http
      protocol: HTTP
    hosts:
    - "*.example.com"
---
)";

constexpr std::string_view service = R"(apiVersion: v1
kind: Service
metadata:
  name: {0}
  namespace: default
  labels:
    app: {0}
spec:
  selector:
    app: {0}
  clusterIP: 10.{1}.{2}.{3}
  ports:
  - name: http
    port: 8080
    targetPort: 8080
---
)";

constexpr std::string_view virtual_service = R"(apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: {0}
  namespace: default
  creationTimestamp: "2026-08-01T10:00:00Z"
  labels:
    app: {0}
spec:
  hosts:
  - {0}.example.com
  gateways:
  - istio-system/gateway
  http:
  - name: health
    match:
    - uri:
        exact: /healthz
    route:
    - destination:
        host: {0}.default.svc.cluster.local
        port:
          number: 8080
  - name: beta
    match:
    - uri:
        exact: /login
      headers:
        x-channel:
          exact: beta
    route:
    - destination:
        host: {0}.default.svc.cluster.local
        port:
          number: 8080
  - name: api
    match:
    - uri:
        prefix: /api/v1/
      method:
        regex: GET|POST
    timeout: 30s
    route:
    - destination:
        host: {0}.default.svc.cluster.local
        port:
          number: 8080
  - name: static
    match:
    - uri:
        prefix: /static/
    route:
    - destination:
        host: {0}.default.svc.cluster.local
        port:
          number: 8080
  - name: rest
    route:
    - destination:
        host: {0}.default.svc.cluster.local
        port:
          number: 8080
---
)";

std::string service_name(uint32_t number) { return fmt::format("app-{:05}", number); }

std::string service_document(uint32_t number) {
  return fmt::format(service, service_name(number), number >> 16 & 255, number >> 8 & 255, number & 255);
}

std::string route_path(uint32_t number) { return fmt::format("/area-{}/page-{}", number % 97, number); }

}  // namespace

std::vector<config::SourceText> many_services(uint32_t count) {
  std::vector<config::SourceText> files{{"gateway.yaml", std::string(gateway)}};
  for (uint32_t i = 0; i < count; ++i) {
    if (i % services_per_file == 0) files.push_back({fmt::format("services-{:03}.yaml", i / services_per_file), {}});
    files.back().text += service_document(i);
    fmt::format_to(std::back_inserter(files.back().text), virtual_service, service_name(i));
  }
  return files;
}

std::vector<config::SourceText> many_routes(uint32_t count) {
  std::string text =
      "apiVersion: networking.istio.io/v1\n"
      "kind: VirtualService\n"
      "metadata: {name: large}\n"
      "spec:\n"
      "  hosts: [large.example.com]\n"
      "  gateways: [istio-system/gateway]\n"
      "  http:\n";
  for (uint32_t i = 0; i < count; ++i) {
    const std::string path = route_path(i);
    fmt::format_to(std::back_inserter(text),
                   "  - match: [{{uri: {{{}}}}}]\n"
                   "    route: [{{destination: {{host: app-00000}}}}]\n",
                   i % 2 == 0 ? fmt::format("exact: {}", path) : fmt::format("prefix: {}/", path));
  }
  return {
      {"gateway.yaml", std::string(gateway)}, {"service.yaml", service_document(0)}, {"routes.yaml", std::move(text)}};
}

Target target_of_services(uint32_t count, uint64_t random) {
  static constexpr std::string_view paths[] = {"/healthz", "/login", "/api/v1/orders/4711", "/static/a.css", "/other"};
  return {service_name(static_cast<uint32_t>(random % count)) + ".example.com",
          std::string(paths[random / count % routes_per_service])};
}

Target target_of_routes(uint32_t count, uint64_t random) {
  const auto number = static_cast<uint32_t>(random % count);
  return {"large.example.com", route_path(number) + (number % 2 == 0 ? "" : "/x")};
}

std::unique_ptr<snapshot::Snapshot> load(std::vector<config::SourceText> files) {
  config::Diagnostics diagnostics;
  std::unique_ptr<snapshot::Snapshot> snapshot;
  run_apart([&] { snapshot = config::load_texts(std::move(files), diagnostics); });  // as the control plane does
  for (const auto& diagnostic : diagnostics.sorted()) {
    if (diagnostic.severity == config::Severity::error) std::fprintf(stderr, "%s\n", diagnostic.to_string().c_str());
  }
  require(snapshot != nullptr);
  return snapshot;
}

}  // namespace sluice::bench
