#include "control/snapshot_text.h"

#include "base/check.h"
#include "config/wording.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::control {

namespace {

using config::in_quotes;

// A column is not made wider for the sake of one long match.
constexpr size_t match_column_max = 48;

// After a word of what it is: ` exact "GET"`; nothing for any text.
std::string text_match_text(const snapshot::TextMatch& match) {
  using Kind = snapshot::TextMatch::Kind;
  const std::string_view any_case = match.ignores_case ? " in any case" : "";
  switch (match.kind) {
    case Kind::any: return "";
    case Kind::exact: return fmt::format(" exact {}{}", in_quotes(match.text), any_case);
    case Kind::prefix: return fmt::format(" prefix {}{}", in_quotes(match.text), any_case);
    case Kind::regex: return fmt::format(" regex {}", in_quotes(match.regex->expression()));
  }
  UNREACHABLE();
}

std::string condition_text(const snapshot::Condition& condition) {
  using Subject = snapshot::Condition::Subject;
  const std::string text = text_match_text(condition.text);
  switch (condition.subject) {
    case Subject::scheme: return "scheme" + text;
    case Subject::method: return "method" + text;
    case Subject::authority: return "authority" + text;
    case Subject::field: return (condition.is_inverted ? "without header " : "header ") + condition.name + text;
    case Subject::query_parameter: return "query parameter " + in_quotes(condition.name) + text;
  }
  UNREACHABLE();
}

std::string redirect_text(const snapshot::Redirect& redirect) {
  std::string text = fmt::format("redirect {}", redirect.status);
  if (!redirect.scheme.empty()) text += ", scheme " + redirect.scheme;
  if (!redirect.authority.empty()) text += ", authority " + in_quotes(redirect.authority);
  if (redirect.has_request_port) text += ", the server's port";
  if (redirect.port != 0) text += fmt::format(", port {}", redirect.port);
  if (!redirect.path.empty()) text += ", path " + in_quotes(redirect.path);
  return text;
}

std::string destinations_text(const std::vector<snapshot::WeightedDestination>& destinations, uint64_t total_weight,
                              const snapshot::Snapshot& snapshot) {
  if (destinations.size() == 1) return snapshot.clusters.at(destinations.front().cluster).name;
  std::vector<std::string> texts;
  for (const snapshot::WeightedDestination& each : destinations) {
    const double percent = total_weight == 0 ? 0 : 100.0 * each.weight / static_cast<double>(total_weight);
    texts.push_back(fmt::format("{} {}", percent_text(percent), snapshot.clusters.at(each.cluster).name));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string action_text(const snapshot::Route& route, const snapshot::Snapshot& snapshot) {
  std::string text;
  if (route.redirect != nullptr) {
    text = redirect_text(*route.redirect);
  } else if (route.direct_response != nullptr) {
    text = fmt::format("answer {}, {}", route.direct_response->status,
                       config::counted(route.direct_response->body.size(), "byte"));
  } else if (route.destinations.empty()) {
    text = "503 NC: no destination is known";
  } else {
    text = "to " + destinations_text(route.destinations, route.total_weight, snapshot);
  }
  if (const auto& rewrite = route.rewrite) {
    text += rewrite->regex == nullptr
                ? "; path becomes " + in_quotes(rewrite->prefix)
                : fmt::format("; in the path {} becomes {}", in_quotes(rewrite->regex->expression()),
                              in_quotes(rewrite->substitution));
  }
  if (route.fault != nullptr) text += "; fault: " + fault_text(*route.fault);
  if (route.cors != nullptr) text += "; CORS";
  if (!route.mirrors.empty()) text += "; mirrors: " + mirrors_text(route.mirrors, snapshot);
  if (route.header_operations ||
      std::ranges::any_of(route.destinations, [](const auto& each) { return each.header_operations.has_value(); }))
    text += "; header operations";
  if (route.timeout > Duration::zero()) text += fmt::format("; timeout {} ms", to_milliseconds(route.timeout));
  return text;
}

struct Row {
  std::string match;
  std::string action;
  std::string place;
};

void append_rows(std::string& text, const std::vector<Row>& rows) {
  size_t width = 0;
  for (const Row& row : rows) width = std::max(width, std::min(row.match.size(), match_column_max));
  for (const Row& row : rows)
    fmt::format_to(std::back_inserter(text), "      {:<{}}  {}  ({})\n", row.match, width, row.action, row.place);
}

// Of VirtualService and line.
std::string origin_text(uint32_t virtual_service, const std::string& file, unsigned line,
                        const snapshot::Snapshot& snapshot) {
  return fmt::format("{}, {}:{}", snapshot.virtual_services.at(virtual_service).title, file, line);
}

std::string connections_text(const snapshot::TcpRoute& route, std::string_view what_names_are) {
  std::vector<std::string> texts;
  if (!route.server_names.empty())
    texts.push_back(fmt::format("{} {}", what_names_are, fmt::join(route.server_names, ", ")));
  for (const AddressRange& range : route.addresses) texts.push_back("address " + range.to_string());
  return texts.empty() ? "every connection" : fmt::format("{}", fmt::join(texts, ", "));
}

class RoutesText {
 public:
  explicit RoutesText(const snapshot::Snapshot& snapshot) : snapshot_(snapshot) {}

  std::string write() {
    for (const snapshot::Listener& listener : snapshot_.listeners) {
      text_ += listener_text(listener) + "\n";
      if (listener.role != snapshot::ListenerRole::gateway) continue;
      for (const uint32_t server : listener.plain_servers)
        text_ += "  " + server_text(snapshot_.gateway_servers.at(server)) + "\n";
      if (!listener.is_tls) add_table(snapshot_.route_tables.at(listener.route_table));
      for (const snapshot::TlsServer& server : listener.tls_servers) add_server(server);
    }
    if (snapshot_.listeners.empty()) text_ += "no listener: there is no Gateway\n";
    if (snapshot_.outbound) add_outbound(*snapshot_.outbound);
    return std::move(text_);
  }

 private:
  void add_outbound(const snapshot::Outbound& outbound) {
    what_names_are_ = "CONNECT or SNI";
    text_ += fmt::format("outbound traffic, {}{}\n", outbound.registry_only ? "REGISTRY_ONLY" : "ALLOW_ANY",
                         outbound.credentials ? ", for users of Secret " + outbound.credentials->secret_name : "");
    for (const snapshot::Outbound::Port& port : outbound.ports) {
      text_ += fmt::format("  to port {}\n", port.number);
      add_table(snapshot_.route_tables.at(port.route_table));
    }
    text_ += "  to other ports\n";
    add_table(snapshot_.route_tables.at(outbound.other_ports_table));
  }

  void add_server(const snapshot::TlsServer& server) {
    text_ += fmt::format("  {}\n    SNI {}", server_text(snapshot_.gateway_servers.at(server.gateway_server)),
                         fmt::join(server.hosts, ", "));
    if (server.kind == snapshot::ServerKind::passthrough) text_ += "; TLS is passed through";
    if (server.kind == snapshot::ServerKind::tcp) text_ += "; not HTTP";
    if (server.kind != snapshot::ServerKind::passthrough && server.context == nullptr)
      text_ += "; no usable certificate: connections are closed";
    text_ += "\n";
    add_table(snapshot_.route_tables.at(server.route_table));
  }

  void add_table(const snapshot::RouteTable& table) {
    for (const snapshot::VirtualHost& host : table.virtual_hosts) add_host(host);
    std::vector<Row> rows;
    for (const snapshot::TcpRoute& route : table.tcp_routes) {
      rows.push_back({connections_text(route, what_names_are_),
                      route.destinations.empty()
                          ? "closed: no destination is known"
                          : "to " + destinations_text(route.destinations, route.total_weight, snapshot_),
                      origin_text(route.virtual_service, route.place.file, route.place.line, snapshot_)});
    }
    append_rows(text_, rows);
    if (table.virtual_hosts.empty() && table.tcp_routes.empty()) text_ += "    no routes\n";
  }

  void add_host(const snapshot::VirtualHost& host) {
    text_ += "    host " + host.pattern;
    if (host.https_redirect) text_ += ": 301 to https";
    if (!host.route_list) {
      text_ += host.https_redirect ? "\n" : ": no routes, 404\n";
      return;
    }
    // What hosts share is there once: there may be many of both.
    const auto [first, is_new] = shown_.try_emplace(*host.route_list, host.pattern);
    if (!is_new) {
      text_ += ": the routes of " + first->second + " above\n";
      return;
    }
    text_ += "\n";
    std::vector<Row> rows;
    for (const snapshot::RequestMatch& match : snapshot_.route_lists.at(*host.route_list).matches()) {
      const snapshot::Route& route = snapshot_.routes.at(match.route);
      rows.push_back({match_text(match), action_text(route, snapshot_),
                      origin_text(route.virtual_service, route.place.file,
                                  match.line == 0 ? route.place.line : match.line, snapshot_)});
    }
    append_rows(text_, rows);
  }

  const snapshot::Snapshot& snapshot_;
  std::string_view what_names_are_ = "SNI";  // of routes of connections
  std::map<uint32_t, std::string> shown_;    // route lists, and the host under which each stands
  std::string text_;
};

}  // namespace

std::string routes_text(const snapshot::Snapshot& snapshot) { return RoutesText(snapshot).write(); }

std::string listener_text(const snapshot::Listener& listener) {
  std::string_view protocol = "HTTP";
  if (listener.is_tcp) protocol = "TCP";
  if (listener.is_tls) protocol = "TLS";
  if (listener.role == snapshot::ListenerRole::proxy)
    return fmt::format("{}, explicit proxy, {}", listener.address.to_string(), protocol);
  if (listener.role == snapshot::ListenerRole::redirected)
    return fmt::format("{}, redirected connections, {}", listener.address.to_string(),
                       listener.is_transparent ? "TPROXY" : "REDIRECT");
  if (!listener.address.is_ip()) return fmt::format("{}, {}", listener.address.to_string(), protocol);
  return fmt::format("{}, Gateway port {}, {}", listener.address.to_string(), listener.service_port, protocol);
}

std::string server_text(const snapshot::GatewayServer& server) {
  return fmt::format("server {} of Gateway {}, {}", in_quotes(server.port_name), server.gateway,
                     server.place.to_string());
}

std::string match_text(const snapshot::RequestMatch& match) {
  std::string text = text_match_text(match.path);
  text = text.empty() ? "every path" : text.substr(1);
  for (const snapshot::Condition& condition : match.conditions) text += ", " + condition_text(condition);
  return text;
}

std::string mirrors_text(const std::vector<snapshot::Mirror>& mirrors, const snapshot::Snapshot& snapshot) {
  std::vector<std::string> texts;
  for (const snapshot::Mirror& mirror : mirrors)
    texts.push_back(fmt::format("{} to {}", share_text(mirror.share), snapshot.clusters.at(mirror.cluster).name));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string fault_text(const snapshot::Fault& fault) {
  std::vector<std::string> texts;
  if (fault.delay_share > 0)
    texts.push_back(fmt::format("{} wait {} ms", share_text(fault.delay_share), to_milliseconds(fault.delay)));
  if (fault.abort_share > 0)
    texts.push_back(fmt::format("{} get {}", share_text(fault.abort_share),
                                fault.abort_grpc_status
                                    ? fmt::format("gRPC status {}", to_text(*fault.abort_grpc_status))
                                    : std::to_string(fault.abort_status)));
  return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
}

std::string_view http_text(snapshot::UpstreamHttp http) {
  switch (http) {
    case snapshot::UpstreamHttp::http1: return "HTTP/1.1";
    case snapshot::UpstreamHttp::http2: return "HTTP/2";
    case snapshot::UpstreamHttp::as_client: return "HTTP as the client";
  }
  UNREACHABLE();
}

std::string share_text(uint32_t share) { return percent_text(share * 100.0 / snapshot::every_request); }

std::string percent_text(double percent) { return fmt::format("{:.4g}%", percent); }

}  // namespace sluice::control
