#include "dns/address_answer.h"

#include "base/limits.h"
#include "io/socket.h"

#include <algorithm>
#include <cstring>

namespace sluice::dns {

FoundAddresses read_addresses(const ares_addrinfo& found, size_t addresses_max) {
  FoundAddresses answer;
  answer.ttl = limits::dns_ttl_max;
  for (const ares_addrinfo_node* node = found.nodes; node != nullptr; node = node->ai_next) {
    if (answer.addresses.size() == addresses_max) break;
    sockaddr_storage storage{};
    std::memcpy(&storage, node->ai_addr, std::min<size_t>(node->ai_addrlen, sizeof storage));
    SocketAddress address = io::from_sockaddr(storage);
    address.port = 0;
    answer.ttl = std::min<Duration>(answer.ttl, std::chrono::seconds(std::max(0, node->ai_ttl)));
    if (std::ranges::find(answer.addresses, address) == answer.addresses.end()) answer.addresses.push_back(address);
  }
  return answer;
}

}  // namespace sluice::dns
