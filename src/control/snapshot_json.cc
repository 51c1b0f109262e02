#include "control/snapshot_json.h"

#include "control/snapshot_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <utility>

namespace sluice::control {

namespace {

// Of the body of a direct response, which many matches may share.
constexpr size_t shown_body_bytes_max = 1024;

std::string_view text_of(snapshot::TlsVersion version) {
  return version == snapshot::TlsVersion::tls_1_3 ? "TLSv1.3" : "TLSv1.2";
}

std::string_view text_of(snapshot::ServerKind kind) {
  switch (kind) {
    case snapshot::ServerKind::http: return "http";
    case snapshot::ServerKind::tcp: return "tcp";
    case snapshot::ServerKind::passthrough: return "passthrough";
  }
  return "unknown";
}

std::string_view text_of(snapshot::ClientCertificates certificates) {
  switch (certificates) {
    case snapshot::ClientCertificates::none: return "none";
    case snapshot::ClientCertificates::optional: return "optional";
    case snapshot::ClientCertificates::required: return "required";
  }
  return "unknown";
}

std::string_view text_of(snapshot::ForwardClientCert details) {
  switch (details) {
    case snapshot::ForwardClientCert::sanitize: return "SANITIZE";
    case snapshot::ForwardClientCert::forward_only: return "FORWARD_ONLY";
    case snapshot::ForwardClientCert::append_forward: return "APPEND_FORWARD";
    case snapshot::ForwardClientCert::sanitize_set: return "SANITIZE_SET";
    case snapshot::ForwardClientCert::always_forward_only: return "ALWAYS_FORWARD_ONLY";
  }
  return "unknown";
}

Json text_of(snapshot::ProxyProtocol version) {
  switch (version) {
    case snapshot::ProxyProtocol::none: return nullptr;
    case snapshot::ProxyProtocol::v1: return "V1";
    case snapshot::ProxyProtocol::v2: return "V2";
  }
  return nullptr;
}

std::string_view text_of(snapshot::ListenerRole role) {
  switch (role) {
    case snapshot::ListenerRole::gateway: return "gateway";
    case snapshot::ListenerRole::proxy: return "proxy";
    case snapshot::ListenerRole::redirected: return "redirected";
  }
  return "unknown";
}

std::string_view text_of(snapshot::HostAgreement agreement) {
  switch (agreement) {
    case snapshot::HostAgreement::off: return "off";
    case snapshot::HostAgreement::warn: return "warn";
    case snapshot::HostAgreement::enforce: return "enforce";
  }
  return "unknown";
}

std::string_view text_of(AddressScope scope) {
  switch (scope) {
    case AddressScope::host: return "host";
    case AddressScope::site: return "site";
    case AddressScope::global: return "global";
  }
  return "unknown";
}

Json ranges_json(const std::vector<AddressRange>& ranges) {
  Json list = Json::array();
  for (const AddressRange& range : ranges) list.push_back(range.to_string());
  return list;
}

Json outbound_json(const snapshot::Outbound& outbound, const snapshot::Snapshot& snapshot) {
  Json ports = Json::array();
  for (const snapshot::Outbound::Port& port : outbound.ports)
    ports.push_back({{"port", port.number}, {"routeTable", snapshot.route_tables.at(port.route_table).name}});
  return {{"mode", outbound.registry_only ? "REGISTRY_ONLY" : "ALLOW_ANY"},
          {"hostAgreement", text_of(outbound.host_agreement)},
          {"protocolDetectionTimeoutMs", to_milliseconds(outbound.detection_time)},
          {"credentials", outbound.credentials ? Json(outbound.credentials->secret_name) : Json(nullptr)},
          {"ports", std::move(ports)},
          {"otherPorts", snapshot.route_tables.at(outbound.other_ports_table).name}};
}

Json topology_json(const snapshot::GatewayTopology& topology) {
  return {{"numTrustedProxies", topology.num_trusted_proxies},
          {"forwardClientCertDetails", text_of(topology.forward_client_cert)},
          {"proxyProtocol", topology.expects_proxy_header}};
}

Json gateway_server_json(const snapshot::GatewayServer& server) {
  return {{"gateway", server.gateway}, {"portName", server.port_name}, {"place", server.place.to_string()}};
}

Json certificate_json(const snapshot::CertificateSummary& certificate) {
  return {{"secret", certificate.secret_name},
          {"subject", certificate.subject},
          {"issuer", certificate.issuer},
          {"serial", certificate.serial},
          {"names", certificate.names},
          {"keyType", certificate.key_type},
          {"notBefore", certificate.not_before},
          {"notAfter", certificate.not_after},
          {"fingerprintSha256", certificate.fingerprint_sha256}};
}

Json digests_json(const std::vector<snapshot::Sha256Digest>& digests) {
  Json list = Json::array();
  for (const snapshot::Sha256Digest& digest : digests) list.push_back(fmt::format("{:02x}", fmt::join(digest, "")));
  return list;
}

Json verification_json(const snapshot::PeerVerification& verification) {
  return {{"caCertificates", verification.source_name.empty() ? "system" : verification.source_name},
          {"hasRevocationList", !verification.crl_pem.empty()},
          {"subjectAltNames", verification.subject_alt_names},
          {"publicKeySha256", digests_json(verification.public_key_hashes)},
          {"certificateSha256", digests_json(verification.certificate_hashes)}};
}

Json tls_server_json(const snapshot::TlsServer& server, const snapshot::Snapshot& snapshot) {
  const auto& verification = server.settings.client_verification;
  return {{"name", server.name},
          {"hosts", server.hosts},
          {"kind", text_of(server.kind)},
          {"clientCertificates", text_of(server.settings.client_certificates)},
          {"clientVerification", verification ? verification_json(*verification) : Json(nullptr)},
          {"ticketKeySecret", server.ticket_keys == nullptr ? Json(nullptr) : Json(server.ticket_keys->secret_name)},
          {"minProtocolVersion", text_of(server.settings.min_version)},
          {"maxProtocolVersion", text_of(server.settings.max_version)},
          {"cipherSuites", server.settings.cipher_suites},
          {"alpn", server.settings.alpn},
          {"hasCertificate", server.context != nullptr},
          {"routeTable", snapshot.route_tables.at(server.route_table).name},
          {"place", server.place.to_string()}};
}

Json fields_json(const std::vector<snapshot::FieldOperation>& fields) {
  Json json = Json::object();
  for (const snapshot::FieldOperation& field : fields) json[field.name] = field.value.source;
  return json;
}

Json operations_json(const snapshot::FieldOperations& operations) {
  return {{"set", fields_json(operations.set)}, {"add", fields_json(operations.add)}, {"remove", operations.remove}};
}

Json operations_json(std::optional<uint32_t> index, const snapshot::Snapshot& snapshot) {
  if (!index) return nullptr;
  const snapshot::HeaderOperations& operations = snapshot.header_operations.at(*index);
  return {{"request", operations_json(operations.request)},
          {"response", operations_json(operations.response)},
          {"authority", operations.authority}};
}

double percent_of(uint32_t share) { return share / 10'000.0; }

Json destinations_json(const std::vector<snapshot::WeightedDestination>& destinations,
                       const snapshot::Snapshot& snapshot) {
  Json list = Json::array();
  for (const snapshot::WeightedDestination& destination : destinations) {
    list.push_back({{"cluster", snapshot.clusters.at(destination.cluster).name},
                    {"weight", destination.weight},
                    {"headers", operations_json(destination.header_operations, snapshot)}});
  }
  return list;
}

Json mirrors_json(const std::vector<snapshot::Mirror>& mirrors, const snapshot::Snapshot& snapshot) {
  Json list = Json::array();
  for (const snapshot::Mirror& mirror : mirrors)
    list.push_back({{"cluster", snapshot.clusters.at(mirror.cluster).name}, {"percent", percent_of(mirror.share)}});
  return list;
}

Json text_match_json(const snapshot::TextMatch& match) {
  using Kind = snapshot::TextMatch::Kind;
  const std::string suffix = match.ignores_case ? " (any case)" : "";
  switch (match.kind) {
    case Kind::any: return "any";
    case Kind::exact: return {{"exact" + suffix, match.text}};
    case Kind::prefix: return {{"prefix" + suffix, match.text}};
    case Kind::regex: return {{"regex", match.regex->expression()}};
  }
  return nullptr;
}

Json condition_json(const snapshot::Condition& condition) {
  using Subject = snapshot::Condition::Subject;
  const Json text = text_match_json(condition.text);
  switch (condition.subject) {
    case Subject::scheme: return {{"scheme", text}};
    case Subject::method: return {{"method", text}};
    case Subject::authority: return {{"authority", text}};
    case Subject::field: return {{condition.is_inverted ? "withoutHeader" : "header", condition.name}, {"value", text}};
    case Subject::query_parameter: return {{"queryParam", condition.name}, {"value", text}};
  }
  return nullptr;
}

Json redirect_json(const snapshot::Redirect& redirect) {
  return {{"status", redirect.status},
          {"scheme", redirect.scheme},
          {"authority", redirect.authority},
          {"port", redirect.has_request_port ? Json("FROM_REQUEST_PORT") : Json(redirect.port)},
          {"path", redirect.path}};
}

Json direct_response_json(const snapshot::DirectResponse& response) {
  return {{"status", response.status},
          {"body", response.body.substr(0, shown_body_bytes_max)},
          {"bodyBytes", response.body.size()}};
}

Json rewrite_json(const snapshot::Rewrite& rewrite) {
  if (rewrite.regex == nullptr) return {{"path", rewrite.prefix}};
  return {{"regex", rewrite.regex->expression()}, {"substitution", rewrite.substitution}};
}

Json cors_json(const snapshot::CorsPolicy& cors) {
  Json origins = Json::array();
  for (const snapshot::TextMatch& origin : cors.origins) origins.push_back(text_match_json(origin));
  return {{"origins", std::move(origins)},
          {"allowMethods", cors.allow_methods},
          {"allowHeaders", cors.allow_headers},
          {"exposeHeaders", cors.expose_headers},
          {"maxAge", cors.max_age},
          {"allowCredentials", cors.allow_credentials},
          {"answersOtherOrigins", cors.answers_other_origins}};
}

template <typename Action>
Json unless_null(const std::shared_ptr<const Action>& action, Json (*to_json)(const Action&)) {
  return action == nullptr ? Json(nullptr) : to_json(*action);
}

Json route_table_json(const snapshot::RouteTable& table, const snapshot::Snapshot& snapshot) {
  Json hosts = Json::array();
  for (const snapshot::VirtualHost& host : table.virtual_hosts) {
    hosts.push_back({{"host", host.pattern},
                     {"httpsRedirect", host.https_redirect},
                     {"routeList", host.route_list ? Json(*host.route_list) : Json(nullptr)},
                     {"server", gateway_server_json(snapshot.gateway_servers.at(host.gateway_server))},
                     {"place", host.place.to_string()}});
  }
  Json tcp_routes = Json::array();
  for (const snapshot::TcpRoute& route : table.tcp_routes) tcp_routes.push_back(tcp_route_json(route, snapshot));
  return {{"name", table.name}, {"virtualHosts", std::move(hosts)}, {"tcpRoutes", std::move(tcp_routes)}};
}

Json upstream_tls_json(const snapshot::UpstreamTls& tls) {
  return {{"name", tls.name},
          {"sni", tls.server_name},
          {"insecureSkipVerify", !tls.verifies},
          {"verification", tls.verifies ? verification_json(tls.verification) : Json(nullptr)},
          {"isUsable", tls.context != nullptr},
          {"place", tls.place.to_string()}};
}

}  // namespace

Json fault_json(const snapshot::Fault& fault) {
  return {{"delayMs", to_milliseconds(fault.delay)},
          {"delayPercent", percent_of(fault.delay_share)},
          {"abortStatus", fault.abort_grpc_status ? Json(nullptr) : Json(fault.abort_status)},
          {"abortGrpcStatus", fault.abort_grpc_status ? Json(*fault.abort_grpc_status) : Json(nullptr)},
          {"abortPercent", percent_of(fault.abort_share)}};
}

Json retries_json(const snapshot::RetryPolicy& retries) {
  Json retry_on = Json::array();
  for (const auto& [name, condition] : snapshot::retry_on_names) {
    if (retries.has(condition)) retry_on.push_back(name);
  }
  for (const uint16_t status : retries.statuses) retry_on.push_back(std::to_string(status));
  return {{"attempts", retries.attempts},
          {"retryOn", std::move(retry_on)},
          {"perTryTimeoutMs", to_milliseconds(retries.per_try_timeout)},
          {"backoffMs", to_milliseconds(retries.backoff)},
          {"ignorePreviousHosts", retries.avoids_previous_endpoint}};
}

Json match_json(const snapshot::RequestMatch& match) {
  Json conditions = Json::array();
  for (const snapshot::Condition& condition : match.conditions) conditions.push_back(condition_json(condition));
  return {{"path", text_match_json(match.path)}, {"conditions", std::move(conditions)}, {"line", match.line}};
}

Json route_json(const snapshot::RequestMatch& match, const snapshot::Snapshot& snapshot) {
  const snapshot::Route& route = snapshot.routes.at(match.route);
  Json json = {{"name", snapshot::route_name(route, match)},
               {"virtualService", snapshot.virtual_services.at(route.virtual_service).title}};
  json.update(match_json(match));
  json.update({{"redirect", unless_null(route.redirect, redirect_json)},
               {"directResponse", unless_null(route.direct_response, direct_response_json)},
               {"rewrite", unless_null(route.rewrite, rewrite_json)},
               {"fault", unless_null(route.fault, fault_json)},
               {"retries", unless_null(route.retries, retries_json)},
               {"cors", unless_null(route.cors, cors_json)},
               {"destinations", destinations_json(route.destinations, snapshot)},
               {"mirrors", mirrors_json(route.mirrors, snapshot)},
               {"timeoutMs", to_milliseconds(route.timeout)},
               {"headers", operations_json(route.header_operations, snapshot)},
               {"place", route.place.to_string()}});
  return json;
}

Json tcp_route_json(const snapshot::TcpRoute& route, const snapshot::Snapshot& snapshot) {
  Json json = {{"virtualService", snapshot.virtual_services.at(route.virtual_service).title},
               {"serverNames", route.server_names},
               {"destinations", destinations_json(route.destinations, snapshot)},
               {"place", route.place.to_string()}};
  if (!route.addresses.empty()) json["addresses"] = ranges_json(route.addresses);
  return json;
}

std::string_view text_of(snapshot::Resolution resolution) {
  switch (resolution) {
    case snapshot::Resolution::configured: return "configured";
    case snapshot::Resolution::by_name: return "by name";
    case snapshot::Resolution::by_request: return "by request";
    case snapshot::Resolution::original: return "original";
  }
  return "unknown";
}

std::string_view text_of(snapshot::LoadBalancing balancing) {
  switch (balancing) {
    case snapshot::LoadBalancing::least_request: return "LEAST_REQUEST";
    case snapshot::LoadBalancing::round_robin: return "ROUND_ROBIN";
    case snapshot::LoadBalancing::random: return "RANDOM";
  }
  return "unknown";
}

Json listener_json(const snapshot::Listener& listener, const snapshot::Snapshot& snapshot) {
  Json json = {{"address", listener.address.to_string()},
               {"servicePort", listener.service_port},
               {"isTls", listener.is_tls},
               {"isTcp", listener.is_tcp}};
  if (listener.role != snapshot::ListenerRole::gateway) json["role"] = text_of(listener.role);
  if (listener.is_transparent) json["isTransparent"] = true;
  if (listener.translates_grpc_web) json["translatesGrpcWeb"] = true;
  if (!listener.is_tls) {
    json["servers"] = Json::array();
    for (const uint32_t server : listener.plain_servers)
      json["servers"].push_back(gateway_server_json(snapshot.gateway_servers.at(server)));
    // The port that a request asks for chooses that of outbound traffic.
    if (listener.role == snapshot::ListenerRole::gateway)
      json["routeTable"] = snapshot.route_tables.at(listener.route_table).name;
    return json;
  }
  json["tlsServers"] = Json::array();
  for (const snapshot::TlsServer& server : listener.tls_servers) {
    json["tlsServers"].push_back(tls_server_json(server, snapshot));
  }
  return json;
}

Json cluster_json(const snapshot::Cluster& cluster) {
  Json endpoints = Json::array();
  for (const snapshot::Endpoint& endpoint : cluster.endpoints) {
    endpoints.push_back({{"address", endpoint.address.to_string()}, {"weight", endpoint.weight}});
  }
  Json names = Json::array();
  for (const auto& name : cluster.dns_names)
    names.push_back({{"name", name.name}, {"port", name.port}, {"weight", name.weight}});
  Json json = {{"name", cluster.name},
               {"loadBalancing", text_of(cluster.load_balancing)},
               {"http", http_text(cluster.http)},
               {"maxConcurrentStreams", cluster.http2_streams_max},
               {"connectTimeoutMs", to_milliseconds(cluster.connect_timeout)},
               {"proxyProtocol", text_of(cluster.proxy_protocol)},
               {"endpoints", std::move(endpoints)},
               {"dnsNames", std::move(names)},
               {"tls", cluster.tls ? upstream_tls_json(*cluster.tls) : Json(nullptr)},
               {"place", cluster.place.to_string()}};
  if (cluster.resolution != snapshot::Resolution::configured) {
    json["resolution"] = text_of(cluster.resolution);
    json["requestedPort"] = cluster.requested_port;
    json["addresses"] = {{"named", text_of(cluster.guard.named)},
                         {"original", text_of(cluster.guard.original)},
                         {"registered", ranges_json(cluster.guard.registered)}};
  }
  if (cluster.bounds.bound_anything()) {
    const auto bound = [&json](std::string_view name, uint32_t value) {
      if (value != snapshot::DestinationBounds::none) json[name] = value;
    };
    bound("http2MaxRequests", cluster.bounds.requests);
    bound("http1MaxPendingRequests", cluster.bounds.waiting);
    const double percent = cluster.bounds.retried_millionths / 10'000.0;
    if (percent > 0) json["retryBudget"] = {{"percent", percent}, {"minRetryConcurrency", cluster.bounds.retries}};
    if (percent == 0) bound("maxRetries", cluster.bounds.retries);
  }
  return json;
}

Json certificates_json(const snapshot::Snapshot& snapshot) {
  Json list = Json::array();
  for (const snapshot::CertificateSummary& certificate : snapshot.certificates)
    list.push_back(certificate_json(certificate));
  return list;
}

Json routes_json(const snapshot::Snapshot& snapshot) {
  Json listeners = Json::array();
  for (const snapshot::Listener& listener : snapshot.listeners) listeners.push_back(listener_json(listener, snapshot));
  Json tables = Json::array();
  for (const snapshot::RouteTable& table : snapshot.route_tables) tables.push_back(route_table_json(table, snapshot));
  Json lists = Json::array();
  for (const snapshot::RouteList& list : snapshot.route_lists) {
    Json& routes = lists.emplace_back(Json::array());
    for (const snapshot::RequestMatch& match : list.matches()) routes.push_back(route_json(match, snapshot));
  }
  Json json = {{"version", snapshot.version},
               {"hash", snapshot.hash},
               {"listeners", std::move(listeners)},
               {"routeTables", std::move(tables)},
               {"routeLists", std::move(lists)}};
  if (snapshot.outbound) json["outbound"] = outbound_json(*snapshot.outbound, snapshot);
  return json;
}

Json snapshot_json(const snapshot::Snapshot& snapshot) {
  Json json = routes_json(snapshot);
  Json clusters = Json::array();
  for (const snapshot::Cluster& cluster : snapshot.clusters) clusters.push_back(cluster_json(cluster));
  json.update({{"clusters", std::move(clusters)},
               {"certificates", certificates_json(snapshot)},
               {"gatewayTopology", topology_json(snapshot.topology)}});
  return json;
}

std::string to_text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace sluice::control
