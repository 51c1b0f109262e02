#include "snapshot/requested_target.h"

#include <algorithm>

namespace sluice::snapshot {

bool may_reach(const AddressGuard& guard, AddressScope narrowest, const SocketAddress& address) noexcept {
  return scope_of(address) >= narrowest || std::ranges::any_of(guard.registered, [&address](const AddressRange& range) {
           return range.contains(address);
         });
}

}  // namespace sluice::snapshot
