#include "config/api_rule.h"

#include "base/limits.h"
#include "config/host_name.h"
#include "config/made_node.h"
#include "config/service_host.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace sluice::config {

namespace {

constexpr uint32_t default_timeout_s = 180;
constexpr size_t nodes_of_route = 64;  // more than a route has without corsPolicy and request
constexpr std::string_view every_path = "/*";
constexpr std::string_view segment_operator = "{*}";
constexpr std::string_view segments_operator = "{**}";

// What pages may do is said by corsPolicy alone, not by the service behind.
constexpr std::string_view removed_response_fields[] = {
    "Access-Control-Allow-Origin",      "Access-Control-Expose-Headers", "Access-Control-Allow-Headers",
    "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods",  "Access-Control-Max-Age"};

// --- Paths -----------------------------------------------------------------------------------------

bool is_letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_hex_digit(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_literal_segment(std::string_view segment) noexcept {
  for (size_t i = 0; i < segment.size(); ++i) {
    const char c = segment[i];
    if (is_letter_or_digit(c) || std::string_view("-._~!$&'()+,;=:@").contains(c)) continue;
    if (c != '%' || i + 2 >= segment.size() || !is_hex_digit(segment[i + 1]) || !is_hex_digit(segment[i + 2]))
      return false;
    i += 2;
  }
  return true;
}

std::optional<std::string_view> wrong_with_path(std::string_view path) noexcept {
  if (path == every_path) return std::nullopt;
  if (!path.starts_with('/')) return "a path starts with \"/\"";
  bool has_segments_operator = false;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    if (segment == segment_operator || segment == segments_operator) {
      if (has_segments_operator) return "{**} is there once at most, and no operator follows it";
      has_segments_operator = segment == segments_operator;
    } else if (!is_literal_segment(segment)) {
      return "a segment is {*}, {**}, or letters, digits, -._~!$&'()+,;=:@ and percent-encoded bytes; only \"/*\" is "
             "every path";
    }
  }
  return std::nullopt;
}

bool has_operator(std::string_view path) noexcept { return path.contains('{'); }

// --- One APIRule after the other -------------------------------------------------------------------

class Translator {
 public:
  Translator(Model& model, Diagnostics& diagnostics) : model_(model), diagnostics_(diagnostics) {
    for (const Gateway& gateway : model.gateways) gateways_.emplace(gateway.key(), &gateway);
    for (const VirtualService& service : model.virtual_services) {
      for (const Text& host : service.spec.hosts) owners_.emplace(normalised_host(host.value), service.title());
    }
  }

  void translate(ApiRule& rule);

 private:
  void check_gateway(const ApiRule& rule);
  void check_service(const ApiRuleService& service);
  void check_paths(const ApiRule& rule);
  void check_access(const ApiRulePath& path);
  void warn_of_hidden(const ApiRule& rule);
  [[nodiscard]] std::optional<std::string> full_host(const ApiRule& rule);
  [[nodiscard]] std::optional<std::string_view> domain_of(const ApiRule& rule, const Text& label);
  void check_owner(const ApiRule& rule, const std::string& host);
  [[nodiscard]] bool has_room(const ApiRule& rule);

  Model& model_;
  Diagnostics& diagnostics_;
  std::map<std::string, const Gateway*, std::less<>> gateways_;  // by namespace/name
  std::map<std::string, std::string> owners_;                    // titles of documents, by their hosts
  size_t nodes_left_ = limits::config_nodes_max;
};

void Translator::check_gateway(const ApiRule& rule) {
  const Text& gateway = rule.spec.gateway;
  if (!gateway) {
    // Of a wrong type, or one that is not built: said already.
    if (rule.spec.node->has("gateway") || rule.spec.node->has("externalGateway")) return;
    return diagnostics_.error(rule.place(), "the field \"gateway\" is missing: namespace/name of the Gateway");
  }
  const size_t slash = gateway.value.find('/');
  if (slash != std::string_view::npos && is_object_name(gateway.value.substr(0, slash)) &&
      is_object_name(gateway.value.substr(slash + 1)))
    return;
  diagnostics_.error(gateway.node->place(),
                     fmt::format("gateway: {} is not a Gateway: namespace/name", in_quotes(gateway.value)));
}

void Translator::check_service(const ApiRuleService& service) {
  for (const Text& name : {service.name, service.name_space}) {
    if (!name || (is_object_name(name.value) && !name.value.contains('.'))) continue;
    diagnostics_.error(name.node->place(), fmt::format("service: {} is not a name: lower case letters, digits and '-'",
                                                       in_quotes(name.value)));
  }
}

// In a rule that is open to everybody that is said, and nothing else.
void Translator::check_access(const ApiRulePath& path) {
  const bool asks_for_more = path.node->has("jwt") || path.node->has("extAuth");
  if (path.no_auth.value != asks_for_more) {
    // An empty list asks for nothing where a field is not built; here it would open the path.
    for (const std::string_view field : {"jwt", "extAuth"}) {
      const Node* value = path.node->find(field);
      if (value != nullptr && value->kind == Node::Kind::list)
        diagnostics_.error(value->place(), fmt::format("{} must be an object", field));
    }
    return;
  }
  diagnostics_.error(path.node->place(),
                     asks_for_more ? "a rule has one of noAuth: true, jwt and extAuth"
                                   : "a rule needs noAuth: true, jwt or extAuth: without them Kyma refuses it, and it "
                                     "would be open to everybody");
}

void Translator::check_paths(const ApiRule& rule) {
  if (rule.spec.node->has_empty_list("rules"))
    diagnostics_.error(rule.place(), "an APIRule must have at least one rule");
  for (const ApiRulePath& path : rule.spec.rules) {
    if (path.node->kind != Node::Kind::mapping) continue;  // said already
    if (const auto wrong = path.path ? wrong_with_path(path.path.value) : std::nullopt) {
      diagnostics_.error(path.path.node->place(),
                         fmt::format("path: {} is not a path: {}", in_quotes(path.path.value), *wrong));
    }
    if (path.node->has_empty_list("methods"))
      diagnostics_.error(path.node->place(), "a rule must have at least one method");
    check_access(path);
    check_service(path.service);
    if (path.service.node == nullptr && rule.spec.service.node == nullptr)
      diagnostics_.error(path.node->place(), "the rule must define a service: there is none in spec.service");
  }
}

// Rules whose path is that of an earlier one, or all of whose requests one with every path takes.
void Translator::warn_of_hidden(const ApiRule& rule) {
  std::map<std::pair<std::string_view, std::string_view>, uint32_t> lines;  // of rules, by method and path
  for (const ApiRulePath& path : rule.spec.rules) {
    const std::string_view own = path.path.value == "/{**}" ? every_path : path.path.value;
    bool is_said = false;
    for (const Text& method : path.methods) {
      auto earlier = lines.find({method.value, every_path});
      if (earlier == lines.end()) earlier = lines.find({method.value, own});
      lines.emplace(std::pair(method.value, own), path.node->line);
      if (earlier == lines.end() || earlier->second == path.node->line || is_said) continue;
      is_said = true;
      diagnostics_.warning(path.node->place(),
                           fmt::format("{} of this rule is never reached: the rule in line {} takes it; Kyma refuses "
                                       "such rules",
                                       method.value, earlier->second));
    }
  }
}

// As Kyma wants it: all servers of the Gateway have the same single host "*.domain".
std::optional<std::string_view> Translator::domain_of(const ApiRule& rule, const Text& label) {
  const auto found = gateways_.find(rule.spec.gateway.value);
  if (found == gateways_.end()) {
    if (model_.is_complete) {
      diagnostics_.error(
          label.node->place(),
          fmt::format("host {} is one label, which gets the domain of the Gateway: there is no Gateway {}",
                      in_quotes(label.value), rule.spec.gateway.value));
    }
    return std::nullopt;
  }
  const Gateway& gateway = *found->second;
  if (gateway.is_broken || gateway.spec.servers.empty()) return std::nullopt;  // said already
  const auto has_it = [&](const Server& server) {
    return server.hosts.size() == 1 && server.hosts[0].value.starts_with("*.") &&
           server.hosts[0].value == gateway.spec.servers[0].hosts[0].value;
  };
  if (gateway.spec.servers[0].hosts.empty()) return std::nullopt;  // said by validation
  if (std::ranges::all_of(gateway.spec.servers, has_it)) return gateway.spec.servers[0].hosts[0].value.substr(2);
  diagnostics_.error(label.node->place(),
                     fmt::format("host {} is one label, which gets the domain of the Gateway: all servers of {} must "
                                 "have the same single host *.domain",
                                 in_quotes(label.value), gateway.title()));
  return std::nullopt;
}

std::optional<std::string> Translator::full_host(const ApiRule& rule) {
  const std::vector<Text>& hosts = rule.spec.hosts;
  if (rule.spec.node->has_empty_list("hosts")) diagnostics_.error(rule.place(), "an APIRule must have a host");
  if (hosts.size() > 1) {
    diagnostics_.error(rule.spec.node->find("hosts")->items[1].place(),
                       "an APIRule has one host; write one for each host");
  }
  if (hosts.size() != 1 || !hosts[0]) return std::nullopt;
  const Text& host = hosts[0];
  const std::string_view name = host.value.starts_with("*.") ? host.value.substr(2) : host.value;
  if (!is_object_name(name) || (is_wildcard(host.value) && !name.contains('.'))) {
    diagnostics_.error(host.node->place(),
                       fmt::format("{} is not a host of an APIRule: in lower case, a label such as app, a name such as "
                                   "app.example.com, or *.example.com",
                                   in_quotes(host.value)));
    return std::nullopt;
  }
  if (name.contains('.')) return std::string(host.value);
  if (!rule.spec.gateway) return std::nullopt;
  const std::optional<std::string_view> domain = domain_of(rule, host);
  if (!domain) return std::nullopt;
  return fmt::format("{}.{}", host.value, *domain);
}

// Kyma gives a host to one document only.
void Translator::check_owner(const ApiRule& rule, const std::string& host) {
  const auto [owner, is_new] = owners_.emplace(host, rule.title());
  if (is_new) return;
  diagnostics_.error(rule.spec.hosts[0].node->place(),
                     fmt::format("{} has host {} already, which an APIRule has for itself; if it is the VirtualService "
                                 "that Kyma has made of this APIRule, leave one of the two out",
                                 owner->second, in_quotes(host)));
}

// The policy is there for each rule: the number of nodes is bounded, as that of documents is.
bool Translator::has_room(const ApiRule& rule) {
  const Node* cors_policy = rule.spec.cors_policy.node;
  const size_t of_each = nodes_of_route + (cors_policy == nullptr ? 0 : cors_policy->count());
  if (rule.spec.rules.size() > nodes_left_ / of_each) {
    diagnostics_.error(rule.place(), fmt::format("the APIRules have more than {} values, those of corsPolicy counted "
                                                 "for each rule",
                                                 limits::config_nodes_max));
    return false;
  }
  nodes_left_ -= rule.spec.rules.size() * of_each;
  return true;
}

// --- The VirtualService ----------------------------------------------------------------------------

Node uri_match(const Text& path) {
  if (path.value == every_path) return mapping_of("prefix", text_at(*path.node, "/"));
  if (!has_operator(path.value)) return mapping_of("exact", text_at(*path.node, path.value));
  return mapping_of("regex", text_at(*path.node, regex_of_path(path.value)));
}

Node method_match(const std::vector<Text>& methods) {
  std::string joined;
  for (const Text& method : methods) joined += (joined.empty() ? "" : "|") + std::string(method.value);
  return mapping_of(methods.size() == 1 ? "exact" : "regex", text_at(*methods.front().node, joined));
}

Node destination(const ApiRule& rule, const ApiRulePath& path) {
  const ApiRuleService& service = path.service.node == nullptr ? rule.spec.service : path.service;
  std::string_view name_space = rule.name_space();
  if (rule.spec.service.name_space) name_space = rule.spec.service.name_space.value;
  if (service.name_space) name_space = service.name_space.value;
  Node result = mapping_of("host", text_at(*service.name.node, full_host(service.name.value, name_space)));
  add(result, "port", mapping_of("number", *service.port.node));
  return mapping_of("destination", std::move(result));
}

Node request_fields(const ApiRulePath& path, const Text& written_host, const std::string& host) {
  Node set = node_at(*path.node, Node::Kind::mapping);
  const Node* headers = path.request.headers.empty() ? nullptr : path.request.node->find("headers");
  if (headers != nullptr) {
    set.keys = headers->keys;
    set.items = headers->items;
  }
  const auto is_set = [&](std::string_view name) {
    return std::ranges::any_of(set.keys, [&](const Node::Key& key) { return equals_ignoring_case(key.text, name); });
  };
  if (!is_set("x-forwarded-host"))
    add(set, "x-forwarded-host", text_at(*written_host.node, is_wildcard(host) ? "%REQ(:AUTHORITY)%" : host));
  std::string cookies;
  for (const auto& [name, value] : path.request.cookies)
    cookies += fmt::format("{}{}={}", cookies.empty() ? "" : "; ", name, value.value);
  if (!cookies.empty()) add(set, "Cookie", text_at(*path.request.node->find("cookies"), cookies));
  return mapping_of("set", std::move(set));
}

Node response_fields(const ApiRulePath& path) {
  Node remove = node_at(*path.node, Node::Kind::list);
  for (const std::string_view name : removed_response_fields) remove.items.push_back(text_at(*path.node, name));
  return mapping_of("remove", std::move(remove));
}

Node cors_policy_of(const ApiRuleCorsPolicy& written) {
  Node policy = *written.node;
  for (size_t i = 0; i < policy.keys.size(); ++i) {
    if (policy.keys[i].text == "maxAge" && written.max_age_s)
      policy.items[i] = text_at(policy.items[i], fmt::format("{}s", written.max_age_s.value));
  }
  return policy;
}

Node route_of(const ApiRule& rule, const ApiRulePath& path, const std::string& host) {
  Node match = node_at(*path.node, Node::Kind::mapping);
  add(match, "uri", uri_match(path.path));
  add(match, "method", method_match(path.methods));
  const Number& timeout = path.timeout_s ? path.timeout_s : rule.spec.timeout_s;
  Node headers = node_at(*path.node, Node::Kind::mapping);
  add(headers, "request", request_fields(path, rule.spec.hosts[0], host));
  add(headers, "response", response_fields(path));
  Node route = node_at(*path.node, Node::Kind::mapping);
  add(route, "match", list_of(std::move(match)));
  add(route, "route", list_of(destination(rule, path)));
  add(route, "timeout",
      text_at(timeout ? *timeout.node : *path.node, fmt::format("{}s", timeout ? timeout.value : default_timeout_s)));
  add(route, "headers", std::move(headers));
  if (!rule.spec.cors_policy.allow_origins.empty()) add(route, "corsPolicy", cors_policy_of(rule.spec.cors_policy));
  return route;
}

Node spec_of(const ApiRule& rule, const std::string& host) {
  Node spec = node_at(*rule.spec.node, Node::Kind::mapping);
  add(spec, "hosts", list_of(text_at(*rule.spec.hosts[0].node, host)));
  add(spec, "gateways", list_of(*rule.spec.gateway.node));
  Node routes = node_at(*rule.spec.node->find("rules"), Node::Kind::list);
  for (const ApiRulePath& path : rule.spec.rules) routes.items.push_back(route_of(rule, path, host));
  add(spec, "http", std::move(routes));
  return spec;
}

void Translator::translate(ApiRule& rule) {
  if (rule.spec.node == nullptr || rule.spec.node->kind != Node::Kind::mapping) return;  // said already
  const size_t errors_before = diagnostics_.error_count();
  check_gateway(rule);
  check_service(rule.spec.service);
  check_paths(rule);
  const std::optional<std::string> host = full_host(rule);
  if (host) check_owner(rule, *host);
  if (rule.is_broken || diagnostics_.error_count() != errors_before || !host || !has_room(rule)) {
    rule.is_broken = true;
    return;
  }
  warn_of_hidden(rule);
  const ApiRuleCorsPolicy& cors_policy = rule.spec.cors_policy;
  if (cors_policy.node != nullptr && cors_policy.allow_origins.empty())
    diagnostics_.warning(cors_policy.node->place(), "corsPolicy has no effect: it allows no origin");

  const Node& spec = model_.api_rule_routes.emplace_back(spec_of(rule, *host));
  VirtualService& service = model_.virtual_services.emplace_back();
  service.node = rule.node;
  service.kind = rule.kind;
  service.index = rule.index;
  service.metadata = rule.metadata;
  service.spec.node = &spec;
  Reader reader(diagnostics_);
  reader.enter("spec");
  reader.read_object(spec, &service.spec, VirtualServiceSpec::schema);
}

}  // namespace

std::string regex_of_path(std::string_view path) {
  static constexpr std::string_view one = "(?:[-A-Za-z0-9._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+";
  static constexpr std::string_view any = "(?:[-A-Za-z0-9._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*";
  std::string regex;
  while (!path.empty()) {
    if (path.starts_with(segments_operator)) {
      regex += any;
      path.remove_prefix(segments_operator.size());
    } else if (path.starts_with(segment_operator)) {
      regex += one;
      path.remove_prefix(segment_operator.size());
    } else {
      // The others of RE2's operators are in no path.
      if (std::string_view(".$()+").contains(path.front())) regex += '\\';
      regex += path.front();
      path.remove_prefix(1);
    }
  }
  return regex;
}

void translate_api_rules(Model& model, Diagnostics& diagnostics) {
  if (model.api_rules.empty()) return;
  Translator translator(model, diagnostics);
  for (ApiRule& rule : model.api_rules) translator.translate(rule);
  std::ranges::sort(model.virtual_services, {}, &Document::age);
}

}  // namespace sluice::config
