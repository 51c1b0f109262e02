#include "upstream/address_choice.h"

#include <utility>

namespace sluice::upstream {

AddressChoice::AddressChoice(std::span<const SocketAddress> addresses, uint16_t port,
                             const snapshot::AddressGuard& guard) noexcept {
  using Family = SocketAddress::Family;
  // The next one of the family from `at` on that may be reached.
  const auto next = [&](size_t& at, Family family) -> const SocketAddress* {
    while (at < addresses.size()) {
      const SocketAddress& address = addresses[at++];
      if (address.family == family && snapshot::may_reach(guard, guard.named, address)) return &address;
    }
    return nullptr;
  };
  size_t at_ipv6 = 0;
  size_t at_ipv4 = 0;
  while (count_ < addresses_.size()) {
    const bool wants_ipv6 = count_ % 2 == 0;
    const SocketAddress* address = wants_ipv6 ? next(at_ipv6, Family::ipv6) : next(at_ipv4, Family::ipv4);
    if (address == nullptr) address = wants_ipv6 ? next(at_ipv4, Family::ipv4) : next(at_ipv6, Family::ipv6);
    if (address == nullptr) return;
    addresses_[count_] = *address;
    addresses_[count_++].port = port;
  }
}

}  // namespace sluice::upstream
