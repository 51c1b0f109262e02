// How connections to a destination's endpoints are kept (connectionPool of a DestinationRule).
#pragma once

#include "base/durations.h"
#include "base/limits.h"

#include <cstdint>
#include <optional>

namespace sluice::snapshot {

// SO_KEEPALIVE (socket(7), tcp(7)); 0: as the kernel is set.
struct TcpKeepalive {
  uint32_t probes = 0;    // without an answer, until the connection is lost
  uint32_t idle = 0;      // seconds of silence, until the first one
  uint32_t interval = 0;  // seconds between two
  friend bool operator==(const TcpKeepalive&, const TcpKeepalive&) = default;
};

// PING frames on connections of HTTP/2 (RFC 9113 6.7).
struct Http2Keepalive {
  Duration interval{};  // between two
  Duration timeout{};   // until the answer has come, else the connection is lost
  friend bool operator==(const Http2Keepalive&, const Http2Keepalive&) = default;
};

struct ConnectionTerms {
  Duration idle_timeout = limits::upstream_idle_timeout;       // without requests; zero: for ever
  Duration tunnel_idle_timeout = limits::tunnel_idle_timeout;  // of one that is not HTTP; zero: for ever
  Duration lifetime{};                        // then it takes no more requests, and a tunnel ends; zero: for ever
  uint32_t requests_max = 0;                  // that one serves; 0: no bound
  std::optional<TcpKeepalive> tcp_keepalive;  // none: no probes
  std::optional<Http2Keepalive> http2_keepalive;
  friend bool operator==(const ConnectionTerms&, const ConnectionTerms&) = default;
};

}  // namespace sluice::snapshot
