// Where a name server is, as documents say it.
#pragma once

#include "base/address.h"
#include "base/durations.h"
#include "base/result.h"

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::dns {

struct Nameserver {
  std::string host;  // a name or an IP address, without brackets
  uint16_t port = 53;
};

// "ns.example.com", "192.0.2.1:5353", "[2001:db8::1]:53", "2001:db8::1". Fails with what is wrong and what to write.
[[nodiscard]] Result<Nameserver> read_nameserver(std::string_view text);

// The same for people; port 53 is not said.
[[nodiscard]] std::string to_text(const Nameserver& server);

// Its addresses; a name is looked up by the system's resolvers. Not empty.
[[nodiscard]] Result<std::vector<SocketAddress>> addresses_of(const Nameserver& server, Duration time_max,
                                                              const std::stop_token& stop);

}  // namespace sluice::dns
