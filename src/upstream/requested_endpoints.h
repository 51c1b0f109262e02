// The endpoints of a cluster whose destinations clients name: one for each name or address with its port, made when it
// is first requested. At most limits::requested_endpoints_max; beyond it, the one that was requested longest ago makes
// room, rather one without requests, rather one without connections; who uses it keeps it. One without either is
// forgotten after limits::requested_endpoint_lifetime. Shared by the tables of successive snapshots. One thread.
#pragma once

#include "base/address.h"
#include "base/durations.h"
#include "base/list.h"
#include "snapshot/connection_terms.h"
#include "snapshot/requested_target.h"
#include "upstream/endpoint.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sluice::upstream {

// Where the client names an address; nothing: it names a host, which has none before it is looked up.
[[nodiscard]] std::optional<SocketAddress> named_address(const snapshot::RequestedTarget& target) noexcept;

class RequestedEndpoints {
 public:
  // As in snapshot::Cluster.
  RequestedEndpoints(snapshot::Resolution resolution, uint16_t port, const snapshot::AddressGuard& guard);
  RequestedEndpoints(const RequestedEndpoints&) = delete;
  RequestedEndpoints& operator=(const RequestedEndpoints&) = delete;
  ~RequestedEndpoints();

  enum class Status : uint8_t {
    found,
    unresolved,  // what was requested is neither an address nor a name that can be looked up
    forbidden,   // it is an address that the guard refuses
  };
  struct Found {
    Status status;
    Endpoint* endpoint = nullptr;  // found. Shared: who uses it keeps it
  };
  [[nodiscard]] Found find(const snapshot::RequestedTarget& target, Instant now);

  // Of the newest configuration.
  void set_terms(const snapshot::ConnectionTerms& terms, const snapshot::ConnectionBound& bound);
  // Now and then.
  void forget_unused(Instant now);

  [[nodiscard]] snapshot::Resolution resolution() const noexcept { return resolution_; }
  [[nodiscard]] uint16_t port() const noexcept { return port_; }
  [[nodiscard]] const snapshot::AddressGuard& guard() const noexcept { return *guard_; }
  [[nodiscard]] size_t count() const noexcept { return entries_.size(); }

 private:
  struct Key {
    std::string_view name;  // empty: an address. Of an entry, the endpoint's own
    SocketAddress address;  // of a name, only its port
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    [[nodiscard]] size_t operator()(const Key& key) const noexcept {
      return std::hash<std::string_view>{}(key.name) ^ SocketAddressHash {}(key.address);
    }
  };
  struct Entry : ListNode<Entry> {
    std::shared_ptr<Endpoint> endpoint;
    Instant requested_at{};
  };

  [[nodiscard]] static Key key_of(const Endpoint& endpoint) noexcept { return {endpoint.name(), endpoint.address()}; }
  [[nodiscard]] Found find_or_add(const Key& key, Instant now);
  void make_room();
  void forget(Entry& entry);

  const snapshot::Resolution resolution_;
  const uint16_t port_;  // 0: the one that is requested
  const std::shared_ptr<const snapshot::AddressGuard> guard_;
  snapshot::ConnectionTerms terms_;
  snapshot::ConnectionBound bound_;
  std::unordered_map<Key, Entry, KeyHash> entries_;
  List<Entry> by_use_;  // all, the one that was requested last at the end
};

}  // namespace sluice::upstream
