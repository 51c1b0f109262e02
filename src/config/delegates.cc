#include "config/delegates.h"

#include "base/limits.h"
#include "config/service_host.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::config {

namespace {

// Whether the delegate's text asks for something that the root's excludes, or that cannot be compared, as Istio has it.
bool conflicts(const StringMatch* root, const StringMatch* delegate) noexcept {
  if (root == nullptr || delegate == nullptr || root->node == nullptr || delegate->node == nullptr) return false;
  if (root->regex || delegate->regex) return true;
  if (root->exact) return delegate->exact.value != root->exact.value || !delegate->exact;
  if (root->prefix) {
    const Text& text = delegate->exact ? delegate->exact : delegate->prefix;
    return !text.value.starts_with(root->prefix.value);
  }
  return true;
}

const StringMatch* find(const ObjectMap<StringMatch>& map, std::string_view name) noexcept {
  const auto found = std::ranges::find(map, name, &std::pair<std::string_view, StringMatch>::first);
  return found == map.end() ? nullptr : &found->second;
}

bool conflicts(const ObjectMap<StringMatch>& root, const ObjectMap<StringMatch>& delegate) noexcept {
  return std::ranges::any_of(delegate,
                             [&](const auto& each) { return conflicts(find(root, each.first), &each.second); });
}

bool conflicts(const HttpMatch& root, const HttpMatch& delegate) noexcept {
  return conflicts(&root.uri, &delegate.uri) || conflicts(root.scheme.get(), delegate.scheme.get()) ||
         conflicts(root.method.get(), delegate.method.get()) ||
         conflicts(root.authority.get(), delegate.authority.get()) || conflicts(root.headers, delegate.headers) ||
         conflicts(root.headers, delegate.without_headers) || conflicts(root.query_params, delegate.query_params) ||
         root.ignore_uri_case.value != delegate.ignore_uri_case.value ||
         (root.port && delegate.port && root.port.value != delegate.port.value);
}

template <typename Value>
void complete(Value& value, const Value& from_root) {
  if (value.node == nullptr) value = from_root;
}

template <typename Value>
void complete(Rare<Value>& value, const Rare<Value>& from_root) {
  if (value.get() == nullptr) value = from_root;
}

// What the root says beside; where both say something of a name, the delegate's counts.
void complete(ObjectMap<StringMatch>& value, const ObjectMap<StringMatch>& from_root) {
  for (const auto& each : from_root) {
    if (find(value, each.first) == nullptr) value.push_back(each);
  }
}

}  // namespace

bool is_delegate(const VirtualService& service) noexcept { return service.spec.hosts.empty(); }

Delegates::Delegates(const Model& model, Diagnostics& diagnostics)
    : diagnostics_(diagnostics), all_are_known_(model.is_complete), nodes_left_(limits::config_nodes_max) {
  for (const VirtualService& service : model.virtual_services) {
    if (service.is_broken) all_are_known_ = false;
    if (is_delegate(service) && !service.is_broken) delegates_.emplace(service.key(), &service);
  }
}

Delegates::Routes Delegates::routes_for(const HttpRoute& route, const VirtualService& root) {
  const VirtualService* delegate = find(route, root);
  if (delegate == nullptr) return {};
  used_.insert(delegate);
  Routes result{delegate, {}};
  for (const HttpRoute& written : delegate->spec.http) {
    if (!take_nodes(route, written)) return {};
    std::optional<HttpRoute> merged = merge(route, written, root.name_space());
    if (merged) {
      result.routes.push_back(&merged_.emplace_back(std::move(*merged)));
      continue;
    }
    diagnostics_.warning(
        written.node->place(),
        fmt::format("this route is left out of {}: it has a match that is not within those of the route "
                    "at {}, which delegates to it",
                    root.title(), route.node->place().to_string()));
  }
  return result;
}

const VirtualService* Delegates::find(const HttpRoute& route, const VirtualService& root) {
  const std::string_view name_space =
      route.delegate->name_space.value.empty() ? root.name_space() : route.delegate->name_space.value;
  const std::string key = fmt::format("{}/{}", name_space, route.delegate->name.value);
  const SourcePlace place = route.delegate->node->place();
  const auto found = delegates_.find(key);
  if (found == delegates_.end()) {
    if (all_are_known_)
      diagnostics_.warning(place,
                           fmt::format("this route has no effect: there is no VirtualService {} without hosts", key));
    return nullptr;
  }
  if (!is_exported(found->second->spec.export_to, found->second->name_space(), root.name_space())) {
    diagnostics_.warning(place, fmt::format("this route has no effect: {} is not exported to {}",
                                            found->second->title(), root.name_space()));
    return nullptr;
  }
  return found->second;
}

// The delegate's route and the root's once, and each pair of matches.
bool Delegates::take_nodes(const HttpRoute& root, const HttpRoute& delegate) {
  if (has_too_many_) return false;
  const auto nodes_of = [](const std::vector<HttpMatch>& matches) {
    size_t count = 0;
    for (const HttpMatch& match : matches) count += match.node->count();
    return count;
  };
  const size_t needed = delegate.node->count() + root.node->count() + nodes_of(root.match) * delegate.match.size() +
                        nodes_of(delegate.match) * root.match.size();
  if (needed <= nodes_left_) {
    nodes_left_ -= needed;
    return true;
  }
  has_too_many_ = true;
  diagnostics_.error(root.delegate->node->place(),
                     fmt::format("routes that delegate and their delegates make more than {} values together",
                                 limits::config_nodes_max));
  return false;
}

std::optional<HttpRoute> Delegates::merge(const HttpRoute& root, const HttpRoute& delegate,
                                          std::string_view name_space) {
  HttpRoute merged = delegate;
  if (merged.match.empty()) {
    merged.match = root.match;
  } else if (!root.match.empty()) {
    merged.match.clear();
    for (const HttpMatch& inner : delegate.match) {
      const size_t before = merged.match.size();
      for (const HttpMatch& outer : root.match) {
        if (!conflicts(outer, inner)) merged.match.push_back(merge(outer, inner));
      }
      if (merged.match.size() == before) return std::nullopt;
    }
  }
  merged.name = joined_name(root.name, delegate.name);
  complete(merged.rewrite, root.rewrite);
  complete(merged.timeout, root.timeout);
  complete(merged.retries, root.retries);
  complete(merged.fault, root.fault);
  complete(merged.cors_policy, root.cors_policy);
  if (merged.mirror.get() == nullptr && root.mirror.get() != nullptr)
    merged.mirror.emplace() = named_by_root(*root.mirror, name_space);
  complete(merged.mirror_percentage, root.mirror_percentage);
  complete(merged.mirror_percent, root.mirror_percent);
  if (merged.mirrors.empty()) {
    merged.mirrors = root.mirrors;
    for (Mirror& mirror : merged.mirrors) mirror.destination = named_by_root(mirror.destination, name_space);
  }
  complete(merged.headers, root.headers);
  return merged;
}

HttpMatch Delegates::merge(const HttpMatch& root, const HttpMatch& delegate) {
  HttpMatch merged = delegate;
  merged.name = joined_name(root.name, delegate.name);
  complete(merged.uri, root.uri);
  complete(merged.scheme, root.scheme);
  complete(merged.method, root.method);
  complete(merged.authority, root.authority);
  complete(merged.headers, root.headers);
  complete(merged.without_headers, root.without_headers);
  complete(merged.query_params, root.query_params);
  complete(merged.port, root.port);
  // A delegate cannot have these.
  merged.gateways = root.gateways;
  merged.source_labels = root.source_labels;
  merged.source_namespace = root.source_namespace;
  return merged;
}

// A short name means a service of the namespace in which it is written.
Destination Delegates::named_by_root(const Destination& written, std::string_view name_space) {
  Destination named = written;
  if (named.host) named.host.value = names_.emplace_back(full_host(named.host.value, name_space));
  return named;
}

Text Delegates::joined_name(const Text& root, const Text& delegate) {
  if (!root || root.value.empty()) return delegate;
  if (!delegate || delegate.value.empty()) return root;
  return {names_.emplace_back(fmt::format("{}-{}", root.value, delegate.value)), delegate.node};
}

void Delegates::warn_of_unused() const {
  if (!all_are_known_) return;
  for (const auto& [key, service] : delegates_) {
    if (used_.contains(service)) continue;
    diagnostics_.warning(service->place(), fmt::format("{} has no effect: it has no hosts, and no other VirtualService "
                                                       "delegates to it",
                                                       service->title()));
  }
}

}  // namespace sluice::config
