#include "config/http_routes.h"

#include "base/limits.h"
#include "config/header_operations.h"
#include "config/route_actions.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::config {

namespace {

using snapshot::TextMatch;

// Whether a match takes every request of the paths that it fits.
bool looks_at_path_only(const CompiledMatch& match) noexcept {
  return match.server_specific == nullptr && match.match.conditions.empty() &&
         match.match.path.kind != TextMatch::Kind::regex;
}

// Whether `wide`, which fits the text of `narrow`, fits all that `narrow` does.
bool fits_all_of(const TextMatch& wide, const TextMatch& narrow) noexcept {
  if (wide.kind == TextMatch::Kind::exact && narrow.kind != TextMatch::Kind::exact) return false;
  return wide.ignores_case || !narrow.ignores_case;
}

bool ends_the_list(const CompiledMatch& match) noexcept {
  return match.server_specific == nullptr && match.match.takes_everything();
}

}  // namespace

HttpRouteCompiler::HttpRouteCompiler(const Model& model, snapshot::Snapshot& snapshot, ClusterBuilder& clusters,
                                     DocumentNames& names, Diagnostics& diagnostics)
    : snapshot_(snapshot),
      clusters_(clusters),
      diagnostics_(diagnostics),
      delegates_(model, diagnostics),
      names_(names),
      lint_steps_left_(limits::config_lint_steps_max) {
  size_t route_count = 0;
  for (const VirtualService& service : model.virtual_services) route_count += service.spec.http.size();
  snapshot.routes.reserve(route_count);
}

CompiledMatches HttpRouteCompiler::compile(const VirtualService& service) {
  warn_of_prefixes(service);
  CompiledMatches matches;
  matches.reserve(service.spec.http.size());
  for (const HttpRoute& written : service.spec.http) {
    if (written.delegate->node == nullptr) {
      compile(written, service, matches);
      continue;
    }
    const Delegates::Routes delegated = delegates_.routes_for(written, service);
    for (const HttpRoute* route : delegated.routes) compile(*route, *delegated.delegate, matches);
  }
  warn_of_hidden(matches);
  warn_of_loops(matches);
  return matches;
}

void HttpRouteCompiler::compile(const HttpRoute& written, const VirtualService& owner, CompiledMatches& matches) {
  if (matches.empty() || !ends_the_list(matches.back()))
    return add_matches(written, add_route(written, owner), matches);
  diagnostics_.warning(written.node->place(),
                       fmt::format("this route is never reached: the one in line {} takes every request",
                                   snapshot_.routes[matches.back().match.route].place.line));
}

uint32_t HttpRouteCompiler::add_route(const HttpRoute& written, const VirtualService& owner) {
  snapshot::Route route;
  route.name = written.name.value;
  route.virtual_service = names_.index_of(owner);
  route.place = written.node->place();
  route.timeout = written.timeout.value;
  route.redirect = compile_redirect(*written.redirect);
  route.direct_response = compile_direct_response(*written.direct_response);
  route.rewrite = compile_rewrite(*written.rewrite);
  route.retries = compile_retries(*written.retries);
  route.fault = compile_fault(*written.fault);
  route.cors = compile_cors_policy(*written.cors_policy);
  snapshot::HeaderOperations operations = compile_header_operations(*written.headers, diagnostics_);
  compile_host(written.rewrite->authority, operations, diagnostics_);  // wins over `headers`
  std::vector<Share> shares;
  for (const RouteDestination& to : written.route) {
    snapshot::HeaderOperations of_destination = compile_header_operations(*to.headers, diagnostics_);
    shares.push_back({to.destination, to.weight.value, {}});
    if (written.route.size() == 1) {
      append(operations, std::move(of_destination));
    } else {
      shares.back().header_operations = add_operations(std::move(of_destination));
    }
  }
  route.header_operations = add_operations(std::move(operations));
  if (!shares.empty()) {
    WeightedClusters clusters = clusters_.split(shares, owner.name_space(), Traffic::http, *written.node);
    route.destinations = std::move(clusters.destinations);
    route.total_weight = clusters.total_weight;
  }
  route.mirrors = compile_mirrors(written, owner);
  snapshot_.routes.push_back(std::move(route));
  return static_cast<uint32_t>(snapshot_.routes.size() - 1);
}

// Everything is copied unless a share is given, as in Istio.
std::vector<snapshot::Mirror> HttpRouteCompiler::compile_mirrors(const HttpRoute& written,
                                                                 const VirtualService& owner) {
  std::vector<snapshot::Mirror> mirrors;
  const auto add = [&](const Destination& to, uint32_t share) {
    const std::optional<uint32_t> cluster = clusters_.mirror(to, owner.name_space());
    if (cluster && share > 0) mirrors.push_back({*cluster, share});
  };
  const auto share_of = [](const Percent& percent, uint32_t otherwise) {
    return percent.node == nullptr ? otherwise : percent.value.millionths;
  };
  if (written.mirror->node != nullptr) {
    const Number& percent = written.mirror_percent;
    add(*written.mirror, share_of(*written.mirror_percentage,
                                  percent ? percent.value * (snapshot::every_request / 100) : snapshot::every_request));
  }
  for (const Mirror& mirror : written.mirrors)
    add(mirror.destination, share_of(mirror.percentage, snapshot::every_request));
  return mirrors;
}

std::optional<uint32_t> HttpRouteCompiler::add_operations(snapshot::HeaderOperations operations) {
  if (operations.empty()) return std::nullopt;
  snapshot_.header_operations.push_back(std::move(operations));
  return static_cast<uint32_t>(snapshot_.header_operations.size() - 1);
}

void HttpRouteCompiler::add_matches(const HttpRoute& written, uint32_t route, CompiledMatches& matches) {
  if (written.match.empty()) {
    matches.push_back({{.route = route}, nullptr, written.node});
    return;
  }
  const size_t first = matches.size();
  for (const HttpMatch& match : written.match) {
    if (matches.size() > first && ends_the_list(matches.back())) {
      diagnostics_.warning(match.node->place(), "this match is never reached: the one before takes every request");
      break;
    }
    snapshot::RequestMatch compiled = compile_match(match);
    compiled.route = route;
    if (match.node->file == written.node->file) compiled.line = match.node->line;  // else it is of who delegates
    if (!match.name.value.empty()) compiled.name = fmt::format("{}.{}", written.name.value, match.name.value);
    matches.push_back({std::move(compiled), is_server_specific(match) ? &match : nullptr, match.node});
  }
}

// False: there are none left, and what is looked for is not found any more.
bool HttpRouteCompiler::take_lint_steps(size_t count) noexcept {
  lint_steps_left_ -= std::min(lint_steps_left_, count);
  return lint_steps_left_ > 0;
}

// Paths that an earlier match takes whole; what else a later one asks for makes no difference.
void HttpRouteCompiler::warn_of_hidden(const CompiledMatches& matches) {
  std::vector<snapshot::RequestMatch> wide;
  std::vector<size_t> places;  // of each of `wide`, in `matches`
  for (size_t i = 0; i < matches.size(); ++i) {
    if (!looks_at_path_only(matches[i])) continue;
    wide.push_back(matches[i].match);
    places.push_back(i);
  }
  const snapshot::RouteList list(std::move(wide));
  const auto place_of = [&](const snapshot::RequestMatch& match) {
    return places[static_cast<size_t>(&match - list.matches().data())];
  };
  for (size_t i = 0; i < matches.size(); ++i) {
    const TextMatch& path = matches[i].match.path;
    if (path.kind != TextMatch::Kind::exact && path.kind != TextMatch::Kind::prefix) continue;
    const snapshot::RequestMatch* hiding = list.find(path.text, [&](const snapshot::RequestMatch& match) {
      return !take_lint_steps(1) || (place_of(match) < i && fits_all_of(match.path, path));
    });
    if (lint_steps_left_ == 0) return;
    if (hiding == nullptr) continue;
    diagnostics_.warning(matches[i].node->place(),
                         fmt::format("this match is never reached: the one in line {} takes every request that it fits",
                                     matches[place_of(*hiding)].node->line));
  }
}

// Redirects to another path that the same route takes again, on the same host.
void HttpRouteCompiler::warn_of_loops(const CompiledMatches& matches) {
  const auto path_of = [&](const CompiledMatch& match) -> std::string_view {
    const snapshot::Redirect* redirect = snapshot_.routes[match.match.route].redirect.get();
    if (redirect == nullptr || !redirect->changes_path_only()) return {};
    return std::string_view(redirect->path).substr(0, redirect->path.find('?'));
  };
  if (std::ranges::all_of(matches, [&](const CompiledMatch& match) { return path_of(match).empty(); })) return;
  std::vector<snapshot::RequestMatch> copies;
  for (const CompiledMatch& match : matches) copies.push_back(match.match);
  const auto is_regex = [](const CompiledMatch& match) { return match.match.path.kind == TextMatch::Kind::regex; };
  const auto regex_count = static_cast<size_t>(std::ranges::count_if(matches, is_regex));
  const snapshot::RouteList list(std::move(copies));
  for (size_t i = 0; i < matches.size(); ++i) {
    const std::string_view path = path_of(matches[i]);
    if (path.empty()) continue;
    if (!take_lint_steps(1 + regex_count * path.size())) return;  // each expression looks at each byte
    const snapshot::RequestMatch* own = &list.matches()[i];
    const snapshot::RequestMatch* taking = list.find(path, [&](const snapshot::RequestMatch& match) {
      return !take_lint_steps(1) || match.conditions.empty() || &match == own;
    });
    if (lint_steps_left_ == 0) return;
    if (taking != own) continue;
    diagnostics_.warning(snapshot_.routes[own->route].place,
                         fmt::format("this redirect leads to itself: {} is taken by the same match", in_quotes(path)));
  }
}

// Once for each VirtualService: prefixes are not of whole segments, which surprises.
void HttpRouteCompiler::warn_of_prefixes(const VirtualService& service) {
  for (const HttpRoute& route : service.spec.http) {
    for (const HttpMatch& match : route.match) {
      const Text& prefix = match.uri.prefix;
      if (prefix.value.empty() || prefix.value.ends_with('/')) continue;
      return diagnostics_.warning(prefix.node->place(),
                                  fmt::format("prefix {} also matches {}: a prefix is not of whole segments",
                                              in_quotes(prefix.value), in_quotes(std::string(prefix.value) + "bar")));
    }
  }
}

}  // namespace sluice::config
