#include "control/explain_report.h"

#include "base/check.h"
#include "config/wording.h"
#include "control/snapshot_text.h"
#include "http/http1_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <vector>

namespace sluice::control {

namespace {

using Outcome = Explanation::Outcome;

// In text; JSON has all.
constexpr size_t shown_endpoints_max = 8;

// What the outcome means to the client.
std::string outcome_text(const Explanation& explanation) {
  switch (explanation.outcome) {
    case Outcome::no_listener:
      if (!explanation.unix_socket.empty())
        return fmt::format("no Gateway binds unix://{}: nobody listens there", explanation.unix_socket);
      return fmt::format("no Gateway has port {}: nobody listens, the connection is refused", explanation.port);
    case Outcome::wrong_protocol:
      return explanation.listener->is_tls
                 ? "this port speaks TLS: plain HTTP is no ClientHello, the connection is closed"
                 : "this port speaks plain HTTP: there is no TLS handshake, 400";
    case Outcome::no_server:
      return "no server of this port has a host for this SNI: the connection is reset in the handshake (NR)";
    case Outcome::refused: return "refused";
    case Outcome::not_found:
      return explanation.virtual_host == nullptr ? "no virtual host has this Host: 404 NR"
                                                 : "no route of the virtual host fits: 404 NR";
    case Outcome::misdirected: return "the Host is another server's than the SNI: 421";
    case Outcome::acme_challenge: return "an ACME server's question, for an order of a certificate";
    case Outcome::https_redirect: return "redirected to https (httpsRedirect of the server)";
    case Outcome::redirect: return "redirected by the route";
    case Outcome::direct_response: return "answered by the route";
    case Outcome::cors_preflight: return "a preflight, answered as corsPolicy says";
    case Outcome::no_cluster: return "no destination of the route is known: 503 NC";
    case Outcome::fault: return "an injected fault for every request";
    case Outcome::forward: return "forwarded";
    case Outcome::tunnel: return "the connection's bytes go to the destination";
    case Outcome::no_tcp_route: return "no route for this connection: it is closed (NR)";
    case Outcome::no_tcp_cluster: return "no destination of the route is known: the connection is closed (NC)";
  }
  UNREACHABLE();
}

std::string_view name_of(route::CorsRequest cors) {
  switch (cors) {
    case route::CorsRequest::none: return "none";
    case route::CorsRequest::actual: return "actual";
    case route::CorsRequest::preflight: return "preflight";
    case route::CorsRequest::other_preflight: return "other_preflight";
  }
  UNREACHABLE();
}

std::string server_line(const Explanation& explanation) {
  if (explanation.gateway_server == nullptr) return {};
  std::string text = server_text(*explanation.gateway_server);
  if (explanation.listener->is_tls)
    text += explanation.server_name.empty() ? ", without SNI" : ", by SNI " + explanation.server_name;
  return text;
}

// What stands in the way beside what the tables say.
std::vector<std::string> notes_of(const Explanation& explanation) {
  std::vector<std::string> notes;
  if (explanation.other_listeners > 0)
    notes.push_back(fmt::format("{} more with this Gateway port, on other addresses, was not looked at",
                                config::counted(explanation.other_listeners, "listener")));
  if (const snapshot::TlsServer* server = explanation.tls_server) {
    if (server->kind != snapshot::ServerKind::passthrough && server->context == nullptr)
      notes.emplace_back("the server has no usable certificate: until it has one, connections are closed");
    if (server->settings.client_certificates == snapshot::ClientCertificates::required)
      notes.emplace_back("the server requires a certificate of the client, which is not shown here");
  }
  for (const ExplainedDestination& destination : explanation.destinations) {
    const snapshot::Cluster& cluster = *destination.cluster;
    if (cluster.tls && cluster.tls->context == nullptr)
      notes.push_back(fmt::format("{} has no usable certificate for {}: 503 UH", cluster.tls->name, cluster.name));
    if (cluster.resolution == snapshot::Resolution::configured && cluster.endpoints.empty() &&
        cluster.dns_names.empty())
      notes.push_back(fmt::format("{} has no endpoint: 503 UH", cluster.name));
  }
  return notes;
}

// Of a client that comes by itself, as those of Gateways do: it has connected to no address but ours.
std::string endpoints_text(const snapshot::Cluster& cluster) {
  if (cluster.resolution != snapshot::Resolution::configured && cluster.dns_names.empty())
    return fmt::format("port {} of the host that the request asks for", cluster.requested_port);
  std::vector<std::string> all;
  for (const snapshot::Endpoint& endpoint : cluster.endpoints) {
    all.push_back(endpoint.address.to_string());
    if (endpoint.weight != 1) all.back() += fmt::format(" (weight {})", endpoint.weight);
  }
  for (const auto& name : cluster.dns_names) all.push_back(fmt::format("{}:{} by DNS", name.name, name.port));
  if (all.empty()) return "no endpoint";
  if (all.size() == 1) return all.front();
  const size_t count = all.size();
  if (count > shown_endpoints_max) {
    all.resize(shown_endpoints_max);
    all.push_back(fmt::format("and {} more", count - shown_endpoints_max));
  }
  return fmt::format("{} among {}", text_of(cluster.load_balancing), fmt::join(all, ", "));
}

// Lines that begin with what they are about.
class Lines {
 public:
  void add(std::string_view what, std::string_view text) {
    fmt::format_to(std::back_inserter(text_), "{:<12}{}\n", what, text);
  }
  void add_fields(const ExplainedFields& fields) {
    for (const auto& [name, value] : fields)
      fmt::format_to(std::back_inserter(text_), "{:<12}  {}: {}\n", "", name, value);
  }
  void add_answer(const ExplainedAnswer& answer) {
    add("answer", fmt::format("{} {} ({})", answer.status, http::reason_phrase(answer.status), answer.details));
    add_fields(answer.fields);
    if (!answer.body.empty()) add("", "  " + config::in_quotes(answer.body));
  }
  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

void add_destination(Lines& lines, const ExplainedDestination& destination) {
  const snapshot::Cluster& cluster = *destination.cluster;
  std::string transport = "plaintext";
  if (cluster.tls) {
    transport = "TLS of " + cluster.tls->name;
    if (!destination.server_name.empty()) transport += ", SNI " + destination.server_name;
    if (!cluster.tls->verifies) transport += ", not verified";
  }
  if (cluster.proxy_protocol != snapshot::ProxyProtocol::none) transport += ", after a PROXY header";
  lines.add("to", fmt::format("{} {}", percent_text(destination.percent), cluster.name));
  lines.add(
      "", fmt::format("  {}{}, {}", transport,
                      cluster.http == snapshot::UpstreamHttp::http1 ? "" : fmt::format(", {}", http_text(cluster.http)),
                      endpoints_text(cluster)));
}

bool is_same_request(const ExplainedDestination& a, const ExplainedDestination& b) {
  return a.target == b.target && a.fields == b.fields && a.response_fields == b.response_fields &&
         a.answer.has_value() == b.answer.has_value();
}

void add_request(Lines& lines, const ExplainedDestination& destination) {
  if (destination.answer) return lines.add_answer(*destination.answer);
  lines.add("upstream", fmt::format("{} {}", destination.method, destination.target));
  lines.add_fields(destination.fields);
  if (destination.response_fields.empty()) return;
  lines.add("response", "gets");
  lines.add_fields(destination.response_fields);
}

// Destinations that get the same request stand above it.
void add_destinations(Lines& lines, const Explanation& explanation) {
  const std::vector<ExplainedDestination>& all = explanation.destinations;
  for (size_t i = 0; i < all.size(); ++i) {
    add_destination(lines, all[i]);
    const bool is_last = i + 1 == all.size() || !is_same_request(all[i], all[i + 1]);
    if (is_last && explanation.outcome == Outcome::forward) add_request(lines, all[i]);
  }
}

Json fields_json(const ExplainedFields& fields) {
  Json list = Json::array();
  for (const auto& [name, value] : fields) list.push_back({{"name", name}, {"value", value}});
  return list;
}

Json answer_json(const std::optional<ExplainedAnswer>& answer) {
  if (!answer) return nullptr;
  return {{"status", answer->status},
          {"details", answer->details},
          {"fields", fields_json(answer->fields)},
          {"body", answer->body}};
}

Json destination_json(const ExplainedDestination& destination) {
  const bool is_request = !destination.method.empty();
  Json request = nullptr;
  if (is_request) {
    request = {
        {"method", destination.method}, {"target", destination.target}, {"fields", fields_json(destination.fields)}};
  }
  return {{"cluster", cluster_json(*destination.cluster)},
          {"weight", destination.weight},
          {"percent", destination.percent},
          {"serverName", destination.server_name},
          {"request", std::move(request)},
          {"answer", answer_json(destination.answer)},
          {"responseFields", fields_json(destination.response_fields)}};
}

Json place_json(const std::string& name, const SourcePlace& place) {
  return {{"name", name}, {"place", place.to_string()}};
}

Json server_json(const Explanation& explanation) {
  if (explanation.gateway_server == nullptr) return nullptr;
  const snapshot::GatewayServer& server = *explanation.gateway_server;
  return {{"gateway", server.gateway}, {"portName", server.port_name}, {"place", server.place.to_string()}};
}

const snapshot::NamedDocument* virtual_service_of(const Explanation& explanation, const snapshot::Snapshot& snapshot) {
  if (explanation.route != nullptr) return &snapshot.virtual_services[explanation.route->virtual_service];
  if (explanation.tcp_route != nullptr) return &snapshot.virtual_services[explanation.tcp_route->virtual_service];
  return nullptr;
}

Json listener_of(const Explanation& explanation) {
  if (explanation.listener == nullptr) return nullptr;
  return {{"address", explanation.listener->address.to_string()},
          {"servicePort", explanation.listener->service_port},
          {"isTls", explanation.listener->is_tls},
          {"isTcp", explanation.listener->is_tcp}};
}

}  // namespace

std::string to_text(const Explanation& explanation, const ExplainRequest& request, const snapshot::Snapshot& snapshot) {
  Lines lines;
  const std::string from =
      request.unix_socket.empty() ? request.client.ip_text() : "the Unix socket " + request.unix_socket;
  lines.add("request", fmt::format("{} {} from {}", request.method, request.url, from));
  if (explanation.listener != nullptr) lines.add("listener", listener_text(*explanation.listener));
  if (explanation.gateway_server != nullptr) lines.add("server", server_line(explanation));
  if (const snapshot::VirtualHost* host = explanation.virtual_host)
    lines.add("host", fmt::format("{}, {}", host->pattern, host->place.to_string()));
  if (const snapshot::NamedDocument* document = virtual_service_of(explanation, snapshot))
    lines.add("document", fmt::format("{}, {}", document->title, document->place.to_string()));
  if (const snapshot::Route* route = explanation.route) {
    const std::string& written = snapshot::route_name(*route, *explanation.match);
    const std::string name = written.empty() ? "" : config::in_quotes(written) + ", ";
    lines.add("route", name + route->place.to_string());
    const std::string line = explanation.match->line == 0 ? "" : fmt::format(", line {}", explanation.match->line);
    lines.add("match", match_text(*explanation.match) + line);
    if (route->fault != nullptr) lines.add("fault", fault_text(*route->fault));
    if (!route->mirrors.empty()) lines.add("mirrors", mirrors_text(route->mirrors, snapshot));
    if (route->timeout > Duration::zero()) lines.add("timeout", fmt::format("{} ms", to_milliseconds(route->timeout)));
  }
  if (const snapshot::TcpRoute* route = explanation.tcp_route) {
    lines.add("route", route->place.to_string());
    lines.add("match", route->server_names.empty() ? "every connection"
                                                   : fmt::format("SNI {}", fmt::join(route->server_names, ", ")));
  }
  if (explanation.cors == route::CorsRequest::actual) lines.add("CORS", "of an origin that is allowed");
  lines.add("outcome", outcome_text(explanation));
  if (explanation.answer) lines.add_answer(*explanation.answer);
  add_destinations(lines, explanation);
  for (const std::string& note : notes_of(explanation)) lines.add("note", note);
  return std::move(lines).text();
}

Json to_json(const Explanation& explanation, const ExplainRequest& request, const snapshot::Snapshot& snapshot) {
  Json destinations = Json::array();
  for (const ExplainedDestination& destination : explanation.destinations)
    destinations.push_back(destination_json(destination));
  Json host = nullptr;
  if (explanation.virtual_host != nullptr)
    host = place_json(explanation.virtual_host->pattern, explanation.virtual_host->place);
  Json document = nullptr;
  if (const snapshot::NamedDocument* found = virtual_service_of(explanation, snapshot))
    document = place_json(found->title, found->place);
  Json route = nullptr;
  if (explanation.match != nullptr) route = route_json(*explanation.match, snapshot);
  if (explanation.tcp_route != nullptr) route = tcp_route_json(*explanation.tcp_route, snapshot);
  Json asked = {{"method", request.method}, {"url", request.url}};
  if (request.unix_socket.empty()) {
    asked["client"] = request.client.ip_text();
  } else {
    asked["unixSocket"] = request.unix_socket;
  }
  return {{"request", std::move(asked)},
          {"hash", snapshot.hash},
          {"listener", listener_of(explanation)},
          {"serverName", explanation.server_name},
          {"server", server_json(explanation)},
          {"host", std::move(host)},
          {"virtualService", std::move(document)},
          {"route", std::move(route)},
          {"cors", name_of(explanation.cors)},
          {"outcome", text_of(explanation.outcome)},
          {"meaning", outcome_text(explanation)},
          {"answer", answer_json(explanation.answer)},
          {"destinations", std::move(destinations)},
          {"notes", notes_of(explanation)}};
}

}  // namespace sluice::control
