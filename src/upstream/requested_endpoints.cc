#include "upstream/requested_endpoints.h"

#include "base/limits.h"
#include "base/name_lookup.h"
#include "http/authority.h"

#include <optional>
#include <utility>

namespace sluice::upstream {

RequestedEndpoints::RequestedEndpoints(snapshot::Resolution resolution, uint16_t port,
                                       const snapshot::AddressGuard& guard)
    : resolution_(resolution), port_(port), guard_(std::make_shared<const snapshot::AddressGuard>(guard)) {}

RequestedEndpoints::~RequestedEndpoints() {
  while (!by_use_.empty()) by_use_.pop_front();
}

std::optional<SocketAddress> named_address(const snapshot::RequestedTarget& target) noexcept {
  return SocketAddress::from_ip(http::without_brackets(target.host), target.port);
}

RequestedEndpoints::Found RequestedEndpoints::find(const snapshot::RequestedTarget& target, Instant now) {
  const bool is_original =
      target.original != nullptr && (resolution_ == snapshot::Resolution::original || target.host.empty());
  const std::optional<SocketAddress> literal = is_original ? std::optional(*target.original) : named_address(target);
  Key key{.name = {}, .address = literal.value_or(SocketAddress{.port = target.port})};
  if (port_ != 0) key.address.port = port_;
  if (key.address.port == 0) return {Status::unresolved};
  if (literal) {
    const AddressScope narrowest = is_original ? guard_->original : guard_->named;
    if (!snapshot::may_reach(*guard_, narrowest, key.address)) return {Status::forbidden};
  } else {
    key.name = target.host;
    if (!is_lookup_name(key.name)) return {Status::unresolved};
  }
  return find_or_add(key, now);
}

RequestedEndpoints::Found RequestedEndpoints::find_or_add(const Key& key, Instant now) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    found->second.requested_at = now;
    static_cast<ListNode<Entry>&>(found->second).unlink();
    by_use_.push_back(found->second);
    return {Status::found, found->second.endpoint.get()};
  }
  if (entries_.size() == limits::requested_endpoints_max) make_room();
  auto endpoint = key.name.empty() ? std::make_shared<Endpoint>(key.address)
                                   : std::make_shared<Endpoint>(key.name, key.address.port, guard_);
  endpoint->terms = terms_;
  endpoint->bound = bound_;
  endpoint->idle_max = limits::idle_upstreams_per_requested_endpoint_max;
  Entry& entry = entries_[key_of(*endpoint)];
  entry.requested_at = now;
  entry.endpoint = std::move(endpoint);
  by_use_.push_back(entry);
  return {Status::found, entry.endpoint.get()};
}

// Whoever uses one that goes keeps it.
void RequestedEndpoints::make_room() {
  Entry* entry = by_use_.find([](const Entry& each) { return each.endpoint->is_unused(); });
  if (entry == nullptr) entry = by_use_.find([](const Entry& each) { return each.endpoint->active_requests == 0; });
  forget(entry == nullptr ? by_use_.front() : *entry);
}

// The key's name is the endpoint's.
void RequestedEndpoints::forget(Entry& entry) {
  const std::shared_ptr<Endpoint> endpoint = entry.endpoint;
  static_cast<ListNode<Entry>&>(entry).unlink();
  entries_.erase(entries_.find(key_of(*endpoint)));
}

void RequestedEndpoints::set_terms(const snapshot::ConnectionTerms& terms, const snapshot::ConnectionBound& bound) {
  terms_ = terms;
  bound_ = bound;
  for (auto& [key, entry] : entries_) {
    entry.endpoint->terms = terms;
    entry.endpoint->bound = bound;
  }
}

void RequestedEndpoints::forget_unused(Instant now) {
  by_use_.for_each([&](Entry& entry) {
    if (entry.endpoint->is_unused() && now - entry.requested_at >= limits::requested_endpoint_lifetime) forget(entry);
  });
}

}  // namespace sluice::upstream
