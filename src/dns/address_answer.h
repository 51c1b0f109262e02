// The addresses in an answer of c-ares. One thread at a time.
#pragma once

#include "base/address.h"
#include "base/durations.h"

#include <ares.h>

#include <cstddef>
#include <vector>

namespace sluice::dns {

struct FoundAddresses {
  std::vector<SocketAddress> addresses;  // port 0, each once, in the order of the answer
  Duration ttl{};                        // the shortest of its records; zero for an entry of /etc/hosts
};

// At most that many; the rest is ignored.
[[nodiscard]] FoundAddresses read_addresses(const ares_addrinfo& found, size_t addresses_max);

}  // namespace sluice::dns
