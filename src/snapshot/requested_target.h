// Destinations that are not listed but named by whoever connects: external services that a ServiceEntry registers
// with a wildcard or without resolution, and everything else that outbound traffic may reach.
#pragma once

#include "base/address.h"
#include "base/address_range.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice::snapshot {

// What the client wants to reach.
struct RequestedTarget {
  std::string_view host;  // a name in lower case or an IP literal without brackets; empty: it has named none
  uint16_t port = 0;
  const SocketAddress* original = nullptr;  // that a redirected client has connected to; null: it came by itself
};

// Where the addresses of a cluster come from.
enum class Resolution : uint8_t {
  configured,  // Cluster::endpoints: from documents, and from DNS where control/ has looked Cluster::dns_names up
  by_name,     // DNS_ROUND_ROBIN: the one name in Cluster::dns_names, looked up by whoever connects. Also DYNAMIC_DNS
               // where the documents say the name
  by_request,  // DYNAMIC_DNS: the name that was requested is looked up; or it is an address
  original,    // NONE: the address that the client has connected to; without one, as by_name where the documents say
               // a name (Cluster::dns_names), else as by_request
};

// Which addresses a destination that somebody names may turn out to have, so that nobody reaches through sluice what
// only sluice can reach (server-side request forgery). Looked at for the very address that is connected to.
struct AddressGuard {
  AddressScope named = AddressScope::host;     // the narrowest scope that a name, or an address in a request, may have
  AddressScope original = AddressScope::host;  // and the address that a redirected client has connected to
  std::vector<AddressRange> registered;        // these may be reached whatever their scope

  friend bool operator==(const AddressGuard&, const AddressGuard&) = default;
};

// `narrowest`: that of the guard for where the address comes from.
[[nodiscard]] bool may_reach(const AddressGuard& guard, AddressScope narrowest, const SocketAddress& address) noexcept;

}  // namespace sluice::snapshot
