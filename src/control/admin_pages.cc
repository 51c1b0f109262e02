#include "control/admin_pages.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>

namespace sluice::control {

namespace {

using Json = nlohmann::ordered_json;

// A name in a certificate may hold bytes that are not UTF-8, and must not make a page fail.
std::string text_of(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json time_json(WallTime time) {
  if (time == WallTime{}) return nullptr;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z",
                     fmt::gmtime(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count()));
}

std::string_view text_of(Phase phase) {
  switch (phase) {
    case Phase::starting: return "starting";
    case Phase::serving: return "serving";
    case Phase::draining: return "draining";
  }
  return "unknown";
}

std::string_view text_of(snapshot::TlsVersion version) {
  return version == snapshot::TlsVersion::tls_1_3 ? "TLSv1.3" : "TLSv1.2";
}

std::string_view text_of(snapshot::LoadBalancing balancing) {
  switch (balancing) {
    case snapshot::LoadBalancing::least_request: return "LEAST_REQUEST";
    case snapshot::LoadBalancing::round_robin: return "ROUND_ROBIN";
    case snapshot::LoadBalancing::random: return "RANDOM";
  }
  return "unknown";
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

Json topology_json(const snapshot::GatewayTopology& topology) {
  return {{"numTrustedProxies", topology.num_trusted_proxies},
          {"forwardClientCertDetails", text_of(topology.forward_client_cert)}};
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

Json certificates_of(const snapshot::Snapshot& snapshot) {
  Json list = Json::array();
  for (const snapshot::CertificateSummary& certificate : snapshot.certificates)
    list.push_back(certificate_json(certificate));
  return list;
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

Json listener_json(const snapshot::Listener& listener, const snapshot::Snapshot& snapshot) {
  Json json = {{"address", listener.address.to_string()},
               {"servicePort", listener.service_port},
               {"isTls", listener.is_tls},
               {"isTcp", listener.is_tcp}};
  if (!listener.is_tls) {
    json["routeTable"] = snapshot.route_tables.at(listener.route_table).name;
    return json;
  }
  json["tlsServers"] = Json::array();
  for (const snapshot::TlsServer& server : listener.tls_servers) {
    json["tlsServers"].push_back(tls_server_json(server, snapshot));
  }
  return json;
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

Json route_json(const snapshot::RequestMatch& match, const snapshot::Snapshot& snapshot) {
  const snapshot::Route& route = snapshot.routes.at(match.route);
  Json conditions = Json::array();
  for (const snapshot::Condition& condition : match.conditions) conditions.push_back(condition_json(condition));
  return {{"name", route.name},
          {"path", text_match_json(match.path)},
          {"conditions", std::move(conditions)},
          {"destinations", destinations_json(route.destinations, snapshot)},
          {"timeoutMs", to_milliseconds(route.timeout)},
          {"headers", operations_json(route.header_operations, snapshot)},
          {"place", route.place.to_string()}};
}

Json route_table_json(const snapshot::RouteTable& table, const snapshot::Snapshot& snapshot) {
  Json hosts = Json::array();
  for (const snapshot::VirtualHost& host : table.virtual_hosts) {
    Json routes = Json::array();
    if (host.route_list) {
      for (const snapshot::RequestMatch& match : snapshot.route_lists.at(*host.route_list).matches())
        routes.push_back(route_json(match, snapshot));
    }
    hosts.push_back({{"host", host.pattern},
                     {"httpsRedirect", host.https_redirect},
                     {"routes", std::move(routes)},
                     {"place", host.place.to_string()}});
  }
  Json tcp_routes = Json::array();
  for (const snapshot::TcpRoute& route : table.tcp_routes) {
    tcp_routes.push_back({{"serverNames", route.server_names},
                          {"destinations", destinations_json(route.destinations, snapshot)},
                          {"place", route.place.to_string()}});
  }
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

Json cluster_json(const snapshot::Cluster& cluster) {
  Json endpoints = Json::array();
  for (const snapshot::Endpoint& endpoint : cluster.endpoints) {
    endpoints.push_back({{"address", endpoint.address.to_string()}, {"weight", endpoint.weight}});
  }
  Json names = Json::array();
  for (const auto& name : cluster.dns_names)
    names.push_back({{"name", name.name}, {"port", name.port}, {"weight", name.weight}});
  return {{"name", cluster.name},
          {"loadBalancing", text_of(cluster.load_balancing)},
          {"connectTimeoutMs", to_milliseconds(cluster.connect_timeout)},
          {"endpoints", std::move(endpoints)},
          {"dnsNames", std::move(names)},
          {"tls", cluster.tls ? upstream_tls_json(*cluster.tls) : Json(nullptr)},
          {"place", cluster.place.to_string()}};
}

Json snapshot_json(const snapshot::Snapshot& snapshot) {
  Json listeners = Json::array();
  for (const snapshot::Listener& listener : snapshot.listeners) listeners.push_back(listener_json(listener, snapshot));
  Json tables = Json::array();
  for (const snapshot::RouteTable& table : snapshot.route_tables) tables.push_back(route_table_json(table, snapshot));
  Json clusters = Json::array();
  for (const snapshot::Cluster& cluster : snapshot.clusters) clusters.push_back(cluster_json(cluster));
  return {{"version", snapshot.version},
          {"hash", snapshot.hash},
          {"listeners", std::move(listeners)},
          {"routeTables", std::move(tables)},
          {"clusters", std::move(clusters)},
          {"certificates", certificates_of(snapshot)},
          {"gatewayTopology", topology_json(snapshot.topology)}};
}

Json reloads_json(const ReloadHistory& reloads) {
  return {{"successes", reloads.success_count},
          {"failures", reloads.failure_count},
          {"lastSuccessful", reloads.was_last_successful},
          {"lastSuccess", time_json(reloads.last_success)},
          {"lastFailure", time_json(reloads.last_failure)},
          {"lastFailureDiagnostics", reloads.last_failure_diagnostics}};
}

}  // namespace

std::string config_dump_json(const ProcessState::View& view) {
  return text_of(Json{{"programVersion", SLUICE_VERSION},
                      {"phase", text_of(view.phase)},
                      {"reloads", reloads_json(view.reloads)},
                      {"snapshot", view.snapshot == nullptr ? Json(nullptr) : snapshot_json(*view.snapshot)}});
}

std::string certificates_json(const ProcessState::View& view) {
  Json certificates = view.snapshot == nullptr ? Json::array() : certificates_of(*view.snapshot);
  return text_of(Json{{"certificates", std::move(certificates)}});
}

}  // namespace sluice::control
