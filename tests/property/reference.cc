#include "reference.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::property {

namespace {

constexpr std::string_view own_name_space = "istio-system";

std::string lower(std::string_view text) {
  std::string result;
  for (const char c : text) result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

template <typename Documents>
auto by_age(const Documents& documents) {
  std::vector<const typename Documents::value_type*> result;
  for (const auto& document : documents) result.push_back(&document);
  // Of the same age: as they are written, and lie in memory.
  std::ranges::sort(result, {}, [](const auto* document) { return std::pair(document->created, document); });
  return result;
}

// --- Hosts -----------------------------------------------------------------------------------------

std::string host_of(std::string_view written) {
  std::string host = lower(written);
  if (host.ends_with('.')) host.pop_back();
  return host;
}

// Whether everything that `narrow` stands for is among what `wide` stands for. A host is a pattern of itself only.
bool includes(std::string_view wide, std::string_view narrow) {
  if (wide == "*") return true;
  if (!wide.starts_with("*.")) return wide == narrow;
  if (narrow == "*") return false;
  if (wide == narrow) return true;
  const std::string_view suffix = wide.substr(1);
  const std::string_view name = narrow.starts_with("*") ? narrow.substr(1) : narrow;
  return name.size() > suffix.size() && name.ends_with(suffix);
}

// The narrower of two patterns of which one includes the other, or nothing.
std::string common_host(const std::string& a, const std::string& b) {
  if (includes(a, b)) return b;
  return includes(b, a) ? a : "";
}

// A name is more specific than a wildcard, a long wildcard more than a short one.
size_t specificity(std::string_view pattern) { return pattern.size() + (pattern.starts_with("*") ? 0 : 1000); }

struct HostOfServer {
  std::string name_space;  // "*": all
  std::string pattern;

  HostOfServer(std::string_view written, const Gateway& gateway) : name_space("*") {
    if (const size_t slash = written.find('/'); slash != std::string_view::npos) {
      name_space = written.substr(0, slash);
      if (name_space == ".") name_space = gateway.name_space;
      written.remove_prefix(slash + 1);
    }
    pattern = host_of(written);
  }
  [[nodiscard]] bool is_for(const VirtualService& service) const {
    return name_space == "*" || name_space == service.name_space;
  }
};

// --- Servers ---------------------------------------------------------------------------------------

struct Place {
  const Gateway* gateway;
  const Server* server;
};

std::vector<HostOfServer> hosts_of(const Place& place) {
  std::vector<HostOfServer> hosts;
  for (const std::string& written : place.server->hosts) hosts.emplace_back(written, *place.gateway);
  return hosts;
}

// The servers whose routes a request can have: all plain ones of the port together, or the one with the server name.
std::vector<Place> servers_for(const Installation& installation, const Request& request) {
  std::vector<Place> result;
  std::set<std::string> taken;
  const Place* chosen = nullptr;
  std::vector<Place> all;
  for (const Gateway* gateway : by_age(installation.gateways)) {
    for (const Server& server : gateway->servers) {
      if (server.port == request.port) all.push_back({gateway, &server});
    }
  }
  size_t best = 0;
  for (const Place& place : all) {
    if (!place.server->is_https) {
      result.push_back(place);
      continue;
    }
    // The first one has a host; one that wants it again is left out.
    const std::vector<HostOfServer> hosts = hosts_of(place);
    if (std::ranges::any_of(hosts, [&](const HostOfServer& host) { return taken.contains(host.pattern); })) continue;
    for (const HostOfServer& host : hosts) {
      taken.insert(host.pattern);
      if (!includes(host.pattern, request.server_name) || specificity(host.pattern) <= best) continue;
      best = specificity(host.pattern);
      chosen = &place;
    }
  }
  if (chosen != nullptr) result.push_back(*chosen);
  return result;
}

bool names(const std::vector<std::string>& references, const Gateway& gateway, const VirtualService& service) {
  return std::ranges::any_of(references, [&](const std::string& reference) {
    const std::string full = reference.contains('/') ? reference : service.name_space + "/" + reference;
    return reference != "mesh" && full == gateway.name_space + "/" + gateway.name;
  });
}

bool is_exported(const VirtualService& service) {
  return service.export_to.empty() || std::ranges::any_of(service.export_to, [&](const std::string& target) {
           return target == "*" || target == own_name_space || (target == "." && service.name_space == own_name_space);
         });
}

// --- Matches ---------------------------------------------------------------------------------------

bool fits(const TextRule& rule, std::string value, bool ignores_case = false) {
  const std::string text = ignores_case ? lower(rule.text) : rule.text;
  if (ignores_case) value = lower(value);
  switch (rule.kind) {
    case TextRule::Kind::any: return true;
    case TextRule::Kind::exact: return value == text;
    case TextRule::Kind::prefix: return value.substr(0, text.size()) == text;
    case TextRule::Kind::regex: return std::regex_match(value, std::regex(rule.text));
  }
  return false;
}

// Several lines of a field are one, with commas.
std::optional<std::string> field_of(const Request& request, const std::string& name) {
  std::optional<std::string> result;
  for (const auto& [field, value] : request.fields) {
    if (field == lower(name)) result = result ? *result + "," + value : value;
  }
  return result;
}

// The first one of that name.
std::optional<std::string> parameter_of(const Request& request, const std::string& name) {
  std::string query = request.query + "&";
  for (size_t end = query.find('&'); end != std::string::npos; query.erase(0, end + 1), end = query.find('&')) {
    const std::string pair = query.substr(0, end);
    const size_t equals = std::min(pair.find('='), pair.size());
    if (!pair.empty() && pair.substr(0, equals) == name) return pair.substr(std::min(equals + 1, pair.size()));
  }
  return std::nullopt;
}

bool holds(const Match& match, const Request& request) {
  const bool ignores_case = match.ignore_uri_case && match.uri && match.uri->kind != TextRule::Kind::regex;
  if (match.uri && !fits(*match.uri, request.path, ignores_case)) return false;
  if (match.scheme && !fits(*match.scheme, request.is_https ? "https" : "http")) return false;
  if (match.method && !fits(*match.method, request.method)) return false;
  if (match.authority && !fits(*match.authority, request.authority)) return false;
  for (const auto& [name, rule] : match.headers) {
    const auto value = field_of(request, name);
    if (!value || !fits(rule, *value)) return false;
  }
  for (const auto& [name, rule] : match.without_headers) {
    const auto value = field_of(request, name);
    // One that is not there counts as empty, unless all that is asked is whether it is there.
    if (rule.kind == TextRule::Kind::any ? value.has_value() : fits(rule, value.value_or(""))) return false;
  }
  for (const auto& [name, rule] : match.query_params) {
    const auto value = parameter_of(request, name);
    if (!value || !fits(rule, *value)) return false;
  }
  return true;
}

// What of a match says for which gateway it is.
bool is_for(const Match& match, const Place& place, const VirtualService& service) {
  if (match.port && *match.port != place.server->port) return false;
  // With gateways, the labels and the namespace of the source do not count.
  if (!match.gateways.empty()) return names(match.gateways, *place.gateway, service);
  if (match.source_namespace && *match.source_namespace != own_name_space) return false;
  return !match.source_label || *match.source_label == place.gateway->label;
}

bool takes_everything(const Match& match) {
  const bool any_path = !match.uri || (match.uri->kind == TextRule::Kind::prefix && match.uri->text == "/");
  return any_path && !match.scheme && !match.method && !match.authority && match.headers.empty() &&
         match.without_headers.empty() && match.query_params.empty();
}

// --- A request -------------------------------------------------------------------------------------

// What leads to a virtual host: a VirtualService through a server.
struct Entry {
  const VirtualService* service;
  Place place;
};

// Routes that take everything come after those of all VirtualServices, and end their own.
Expected first_route(const std::vector<Entry>& entries, const Request& request) {
  const Route* catch_all = nullptr;
  for (const auto& [service, place] : entries) {
    bool ended = false;
    for (const Route& route : service->routes) {
      std::vector<Match> matches = route.matches;
      if (matches.empty()) matches.emplace_back();
      for (const Match& match : matches) {
        if (ended || !is_for(match, place, *service)) continue;
        if (takes_everything(match)) {
          if (catch_all == nullptr) catch_all = &route;
          ended = true;
        } else if (holds(match, request)) {
          return {Expected::Kind::route, &route};
        }
      }
    }
  }
  if (catch_all != nullptr) return {Expected::Kind::route, catch_all};
  return {};
}

}  // namespace

Expected expected_decision(const Installation& installation, const Request& request) {
  const std::vector<Place> places = servers_for(installation, request);
  if (places.empty()) return {Expected::Kind::no_listener, nullptr};

  // The most specific virtual host of the request's host, then what leads to it.
  std::string best;
  std::vector<Entry> entries;
  bool redirects = false;
  const auto consider = [&](const std::string& pattern, const Place& place, const VirtualService* service) {
    if (pattern.empty() || !includes(pattern, request.host)) return;
    if (best.empty() || specificity(pattern) > specificity(best)) {
      best = pattern;
      entries.clear();
      redirects = false;
    }
    if (pattern != best) return;
    if (service != nullptr) entries.push_back({service, place});
    redirects = redirects || place.server->redirects;
  };
  for (const VirtualService* service : by_age(installation.virtual_services)) {
    if (!is_exported(*service)) continue;
    for (const Place& place : places) {
      if (!names(service->gateways, *place.gateway, *service)) continue;
      for (const HostOfServer& host : hosts_of(place)) {
        if (!host.is_for(*service)) continue;
        for (const std::string& of_service : service->hosts)
          consider(common_host(host.pattern, host_of(of_service)), place, service);
      }
    }
  }
  for (const Place& place : places) {
    if (!place.server->redirects) continue;
    for (const HostOfServer& host : hosts_of(place)) consider(host.pattern, place, nullptr);
  }
  if (redirects && !request.is_https) return {Expected::Kind::https_redirect, nullptr};
  return first_route(entries, request);
}

}  // namespace sluice::property
