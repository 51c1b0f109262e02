#include "installation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <iterator>
#include <string_view>

namespace sluice::property {

namespace {

// Few of everything, so that what is made up meets often.
constexpr std::string_view labels[] = {"a", "b"};
constexpr std::string_view domains[] = {"x.test", "y.test", "test"};
constexpr std::string_view name_spaces[] = {"istio-system", "team", "other"};
constexpr std::string_view segments[] = {"a", "b", "ab", "A", "c.d"};
constexpr std::string_view values[] = {"a", "ab", "abc", "b", "B"};
constexpr std::string_view expressions[] = {"a.*", "a|b", ".*", "[ab]+c?", "B"};
constexpr std::string_view path_expressions[] = {"/a.*", "/(a|b)/.*", "/[^/]*", ".*b", "/A"};
constexpr std::string_view methods[] = {"GET", "POST", "PUT"};
constexpr std::string_view field_names[] = {"x-a", "X-B", "cookie"};
constexpr std::string_view parameter_names[] = {"q", "Q", "r"};
constexpr uint32_t plain_ports[] = {80, 8080};
constexpr uint32_t tls_port = 443;

std::string quoted(std::string_view text) { return fmt::format("\"{}\"", text); }

std::string list_of(const std::vector<std::string>& texts) {
  std::vector<std::string> all;
  for (const std::string& text : texts) all.push_back(quoted(text));
  return fmt::format("[{}]", fmt::join(all, ", "));
}

std::string written(const TextRule& rule) {
  switch (rule.kind) {
    case TextRule::Kind::any: return "{}";
    case TextRule::Kind::exact: return fmt::format("{{exact: {}}}", quoted(rule.text));
    case TextRule::Kind::prefix: return fmt::format("{{prefix: {}}}", quoted(rule.text));
    case TextRule::Kind::regex: return fmt::format("{{regex: {}}}", quoted(rule.text));
  }
  return {};
}

std::string written(const NamedRules& rules) {
  std::vector<std::string> all;
  for (const auto& [name, rule] : rules) all.push_back(fmt::format("{}: {}", name, written(rule)));
  return fmt::format("{{{}}}", fmt::join(all, ", "));
}

std::string written(const Match& match) {
  std::vector<std::string> parts;
  const auto add = [&](std::string_view name, const std::string& value) {
    parts.push_back(fmt::format("{}: {}", name, value));
  };
  if (match.uri) add("uri", written(*match.uri));
  if (match.ignore_uri_case) add("ignoreUriCase", "true");
  if (match.scheme) add("scheme", written(*match.scheme));
  if (match.method) add("method", written(*match.method));
  if (match.authority) add("authority", written(*match.authority));
  if (!match.headers.empty()) add("headers", written(match.headers));
  if (!match.without_headers.empty()) add("withoutHeaders", written(match.without_headers));
  if (!match.query_params.empty()) add("queryParams", written(match.query_params));
  if (match.port) add("port", fmt::format("{}", *match.port));
  if (!match.gateways.empty()) add("gateways", list_of(match.gateways));
  if (match.source_namespace) add("sourceNamespace", quoted(*match.source_namespace));
  if (match.source_label) add("sourceLabels", fmt::format("{{istio: {}}}", quoted(*match.source_label)));
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

std::string written(const Route& route) {
  std::string text = fmt::format("  - name: {}\n", route.name);
  if (!route.matches.empty()) text += "    match:\n";
  for (const Match& match : route.matches) text += fmt::format("    - {}\n", written(match));
  text += "    route:\n";
  for (const Destination& to : route.destinations) {
    text += fmt::format("    - destination: {{host: {}}}\n", to.host);
    if (route.destinations.size() > 1 || to.weight > 0) text += fmt::format("      weight: {}\n", to.weight);
  }
  return text;
}

std::string head_of(std::string_view kind, std::string_view name, std::string_view name_space,
                    std::string_view created) {
  std::string text = fmt::format(
      "apiVersion: networking.istio.io/v1\nkind: {}\nmetadata:\n  name: {}\n  namespace: {}\n", kind, name, name_space);
  if (!created.empty()) text += fmt::format("  creationTimestamp: {}\n", quoted(created));
  return text + "spec:\n";
}

std::string written(const Gateway& gateway) {
  std::string text = head_of("Gateway", gateway.name, gateway.name_space, gateway.created);
  text += fmt::format("  selector: {{istio: {}}}\n  servers:\n", gateway.label);
  for (const Server& server : gateway.servers) {
    text += fmt::format("  - port: {{number: {}, name: {}, protocol: {}}}\n    hosts: {}\n", server.port, server.name,
                        server.is_https ? "HTTPS" : "HTTP", list_of(server.hosts));
    if (server.is_https) text += "    tls: {mode: SIMPLE, credentialName: missing}\n";
    if (server.redirects) text += "    tls: {httpsRedirect: true}\n";
  }
  return text + "---\n";
}

std::string written(const VirtualService& service) {
  std::string text = head_of("VirtualService", service.name, service.name_space, service.created);
  text += fmt::format("  hosts: {}\n  gateways: {}\n", list_of(service.hosts), list_of(service.gateways));
  if (!service.export_to.empty()) text += fmt::format("  exportTo: {}\n", list_of(service.export_to));
  text += "  http:\n";
  for (const Route& route : service.routes) text += written(route);
  return text + "---\n";
}

}  // namespace

std::string Installation::yaml() const {
  std::string text;
  for (const std::string_view host : known_hosts) {
    text += head_of("ServiceEntry", host.substr(0, host.find('.')), "istio-system", "");
    text += fmt::format(
        "  hosts: [{}]\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  resolution: STATIC\n  endpoints: "
        "[{{address: 127.0.0.1}}]\n---\n",
        host);
  }
  text += fmt::format(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio, namespace: istio-system}}\ndata: {{mesh: "
      "'defaultConfig: {{gatewayTopology: {{numTrustedProxies: {}}}}}'}}\n---\n",
      trusted_proxies);
  for (const Gateway& gateway : gateways) text += written(gateway);
  for (const VirtualService& service : virtual_services) text += written(service);
  return text;
}

std::string Request::describe() const {
  std::string text = fmt::format("port {} SNI '{}' https {}: {} {}?{} authority '{}'", port, server_name, is_https,
                                 method, path, query, authority);
  for (const auto& [name, value] : fields) text += fmt::format(" | {}: {}", name, value);
  return text;
}

// --- Made up ---------------------------------------------------------------------------------------

Generator::Generator(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}

// splitmix64
uint64_t Generator::below(uint64_t bound) {
  state_ += 0x9e3779b97f4a7c15;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return (z ^ (z >> 31)) % bound;
}

template <typename Items>
const auto& Generator::one_of(const Items& items) {
  return *std::next(std::begin(items), static_cast<std::ptrdiff_t>(below(std::size(items))));
}

std::string Generator::host_name() {
  std::string name(one_of(domains));
  for (uint64_t depth = below(4); depth > 0; --depth) name = fmt::format("{}.{}", one_of(labels), name);
  return name;
}

std::string Generator::host_pattern() {
  if (chance(15)) return "*";
  std::string pattern = host_name();
  if (chance(50)) pattern = "*." + pattern;
  if (chance(10)) std::ranges::transform(pattern, pattern.begin(), [](unsigned char c) { return std::toupper(c); });
  if (chance(5)) pattern += '.';
  return pattern;
}

std::string Generator::name_space() { return std::string(one_of(name_spaces)); }

std::string Generator::created() { return chance(40) ? "" : fmt::format("2026-0{}-01T00:00:00Z", 1 + below(3)); }

std::string Generator::path() {
  std::string path = "/";
  for (uint64_t i = below(3); i > 0; --i) path += fmt::format("{}{}", one_of(segments), i > 1 || chance(30) ? "/" : "");
  return path;
}

TextRule Generator::path_rule() {
  if (chance(20)) return {TextRule::Kind::regex, std::string(one_of(path_expressions))};
  return {chance(50) ? TextRule::Kind::exact : TextRule::Kind::prefix, path()};
}

TextRule Generator::value_rule(bool may_be_any) {
  if (may_be_any && chance(20)) return {};
  if (chance(30)) return {TextRule::Kind::regex, std::string(one_of(expressions))};
  return {chance(50) ? TextRule::Kind::exact : TextRule::Kind::prefix, std::string(one_of(values))};
}

NamedRules Generator::named_rules(bool are_fields) {
  NamedRules rules;
  for (uint64_t i = 1 + below(2); i > 0; --i) {
    const std::string name(are_fields ? one_of(field_names) : one_of(parameter_names));
    if (std::ranges::find(rules, name, &NamedRules::value_type::first) == rules.end())
      rules.emplace_back(name, value_rule(true));
  }
  return rules;
}

std::string Generator::gateway_reference(const Installation& installation, const VirtualService& service) {
  if (chance(3)) return "mesh";
  if (chance(3)) return "team/missing";
  const Gateway& gateway = one_of(installation.gateways);
  if (gateway.name_space == service.name_space && chance(50)) return gateway.name;
  return gateway.name_space + "/" + gateway.name;
}

Match Generator::match(const Installation& installation, const VirtualService& service) {
  Match match;
  if (chance(75)) match.uri = path_rule();
  match.ignore_uri_case = chance(20);
  if (chance(10)) match.scheme = TextRule{TextRule::Kind::exact, chance(50) ? "http" : "https"};
  if (chance(15))
    match.method = chance(50) ? TextRule{TextRule::Kind::exact, std::string(one_of(methods))}
                              : TextRule{TextRule::Kind::regex, "GET|P.*"};
  if (chance(5)) match.authority = TextRule{TextRule::Kind::prefix, host_name()};
  if (chance(20)) match.headers = named_rules(true);
  if (chance(10)) match.without_headers = named_rules(true);
  if (chance(15)) match.query_params = named_rules(false);
  if (chance(10)) match.port = chance(30) ? tls_port : one_of(plain_ports);
  if (chance(15)) match.gateways.push_back(gateway_reference(installation, service));
  if (chance(5)) match.source_namespace = name_space();
  if (chance(5)) match.source_label = chance(50) ? "ingress" : "egress";
  return match;
}

Gateway Generator::gateway(size_t number) {
  Gateway gateway{.name = fmt::format("gateway-{}", number),
                  .name_space = name_space(),
                  .created = created(),
                  .label = chance(70) ? "ingress" : "egress",
                  .servers = {}};
  for (uint64_t i = 1 + below(3); i > 0; --i) {
    Server& server = gateway.servers.emplace_back();
    server.name = fmt::format("server-{}", gateway.servers.size());
    server.is_https = chance(35);
    server.port = server.is_https ? tls_port : one_of(plain_ports);
    server.redirects = !server.is_https && chance(20);
    for (uint64_t host = 1 + below(3); host > 0; --host) {
      std::string name_space_of_host;
      if (chance(15)) name_space_of_host = chance(50) ? name_space() + "/" : chance(50) ? "./" : "*/";
      server.hosts.push_back(name_space_of_host + host_pattern());
    }
  }
  return gateway;
}

VirtualService Generator::virtual_service(const Installation& installation, size_t number) {
  VirtualService service{.name = fmt::format("service-{}", number),
                         .name_space = name_space(),
                         .created = created(),
                         .hosts = {},
                         .gateways = {},
                         .export_to = {},
                         .routes = {}};
  for (uint64_t i = 1 + below(3); i > 0; --i) service.hosts.push_back(host_pattern());
  for (uint64_t i = 1 + below(2); i > 0; --i) service.gateways.push_back(gateway_reference(installation, service));
  if (chance(10)) service.export_to.push_back(chance(40) ? "." : chance(30) ? "*" : name_space());
  for (uint64_t i = 1 + below(5); i > 0; --i) {
    Route& route = service.routes.emplace_back();
    route.name = fmt::format("{}-route-{}", service.name, service.routes.size());
    for (uint64_t j = below(100) < 15 ? 0 : 1 + below(2); j > 0; --j)
      route.matches.push_back(match(installation, service));
    for (uint64_t j = 1 + below(3); j > 0; --j)
      route.destinations.push_back(
          {std::string(one_of(known_hosts)), static_cast<uint32_t>(chance(20) ? 0 : 1 + below(99))});
    if (chance(5)) route.destinations = {{"missing.example", 0}};
  }
  return service;
}

Installation Generator::installation() {
  Installation installation;
  installation.trusted_proxies = chance(30) ? 1 : 0;
  for (size_t i = 1 + below(3); i > 0; --i) installation.gateways.push_back(gateway(i));
  for (size_t i = 1 + below(5); i > 0; --i) installation.virtual_services.push_back(virtual_service(installation, i));
  return installation;
}

// A name that the pattern stands for.
std::string Generator::host_of(const std::string& pattern) {
  std::string host = pattern.substr(pattern.find('/') + 1);  // npos + 1 is 0
  if (host.ends_with('.')) host.pop_back();
  if (host.starts_with('*')) host = std::string(one_of(labels)) + (host == "*" ? ".test" : host.substr(1));
  std::ranges::transform(host, host.begin(), [](unsigned char c) { return std::tolower(c); });
  return host;
}

// Of a match, often as it is written.
std::string Generator::path_of(const Installation& installation) {
  const Route& route = one_of(one_of(installation.virtual_services).routes);
  if (route.matches.empty()) return path();
  const Match& match = one_of(route.matches);
  if (!match.uri || match.uri->kind == TextRule::Kind::regex || chance(30)) return path();
  return match.uri->text + (chance(30) ? std::string(one_of(segments)) : "");
}

Request Generator::request(const Installation& installation) {
  Request request;
  const Server& server = one_of(one_of(installation.gateways).servers);
  const bool is_tls = server.is_https;
  request.port = server.port;
  request.is_https = is_tls || (installation.trusted_proxies > 0 && chance(30));
  request.host = chance(20)   ? host_name()
                 : chance(30) ? host_of(one_of(server.hosts))
                              : host_of(one_of(one_of(installation.virtual_services).hosts));
  request.authority = request.host;
  if (is_tls) request.server_name = chance(80) ? request.host : host_name();
  if (chance(20)) std::ranges::transform(request.authority, request.authority.begin(), ::toupper);
  if (chance(20)) request.authority += ":8443";
  request.method = one_of(methods);
  request.path = chance(30) ? path() : path_of(installation);
  for (uint64_t i = below(3); i > 0; --i) {
    if (!request.query.empty()) request.query += '&';
    request.query += one_of(parameter_names);
    if (chance(80)) request.query += fmt::format("={}", one_of(values));
  }
  for (uint64_t i = below(4); i > 0; --i) {
    std::string name(one_of(field_names));
    std::ranges::transform(name, name.begin(), ::tolower);
    request.fields.emplace_back(name, one_of(values));
  }
  return request;
}

}  // namespace sluice::property
