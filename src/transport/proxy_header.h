// The header of the PROXY protocol, versions 1 and 2
// (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt): what a proxy writes in front of all other bytes of a
// TCP connection to say whose it is. Reading and writing are pure functions over bytes; what is read is hostile.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "snapshot/proxy_protocol.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::transport {

// Of the connection of a client, as the proxy that it came to sees it.
struct ProxiedAddresses {
  SocketAddress source;       // the client's
  SocketAddress destination;  // the one that it has connected to
  friend bool operator==(const ProxiedAddresses&, const ProxiedAddresses&) = default;
};

struct ProxyHeader {
  enum class Status : uint8_t {
    complete,
    need_more,  // a prefix of a header; at most proxy_header_first_bytes are waited for
    malformed,  // the connection is to be ended (2.1, 2.2)
  };
  Status status = Status::need_more;
  // Complete: its length, at most limits::proxy_header_bytes_max. May be more than was given: the TLVs at the end of
  // version 2 are not looked at.
  size_t size = 0;
  // Complete; none: the proxy speaks for itself (LOCAL) or does not know (UNKNOWN), and the addresses are those of the
  // connection.
  std::optional<ProxiedAddresses> addresses;
  std::string_view fault;  // malformed: why
};

// All of version 1, with CRLF (2.1); of version 2, more than everything but the TLVs.
inline constexpr size_t proxy_header_first_bytes = 107;

// `bytes` is the connection's input from its first byte; more than proxy_header_first_bytes of it is of no use. As
// strict as the specification; beyond it, what Envoy refuses is malformed: PROXY (2.2) with addresses that are not of
// IP, and addresses that no client can have (unspecified, broadcast, multicast).
[[nodiscard]] ProxyHeader read_proxy_header(ConstBytes bytes) noexcept;

// Addresses of two families, which no connection has, are UNKNOWN or LOCAL. `version` is one of the two.
[[nodiscard]] std::string write_proxy_header(snapshot::ProxyProtocol version, const ProxiedAddresses& addresses);

}  // namespace sluice::transport
