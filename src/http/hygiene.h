// What a proxy does to heads on their way (RFC 9110 7.6.1; Envoy's connection manager as Istio sets it
// up): hop-by-hop fields end here, forwarding fields are added, fields that only the inside may set are
// removed from outside requests. Functions over heads: no I/O.
#pragma once

#include "base/address.h"
#include "base/durations.h"
#include "base/path_normalization.h"
#include "base/random.h"
#include "http/head.h"

#include <cstdint>
#include <string_view>

namespace sluice::http {

struct ForwardingFacts {
  SocketAddress peer;   // of the client's connection; with a Unix socket nothing is said of it
  bool is_tls = false;  // of the client's connection
  // 128 random bits, shaped into a version 4 UUID (RFC 9562 5.4); also the key of a WebSocket that has none.
  uint64_t request_id[2]{};
  // Our element of x-forwarded-client-cert; empty: none. Outlives the head.
  std::string_view client_certificate;
  bool keeps_client_certificates = false;  // the elements of x-forwarded-client-cert that came
  // Envoy's xff_num_trusted_hops: how many proxies in front are believed what they say in x-forwarded-for and
  // x-forwarded-proto. 0: none.
  uint32_t trusted_proxies = 0;
  PathNormalization path_normalization = PathNormalization::base;
};

enum class Prepared : uint8_t {
  ok,
  bad_path,   // 400: a path that normalisation refuses (http/path.h)
  too_large,  // 431: limits exceeded
};

// From the client to the upstream: removes connection, keep-alive, proxy-connection, te (but
// "trailers"), transfer-encoding, content-length, upgrade, expect, trailer, fields named by Connection
// (but not host) and every x-envoy-*; normalises the path (http/path.h) into path; appends the peer to
// x-forwarded-for, and our element to what is kept of x-forwarded-client-cert; sets x-forwarded-proto,
// x-request-id, x-envoy-external-address; x-envoy-attempt-count: 1; host when there is none (HTTP/1.0); of a WebSocket
// over HTTP/2, which has no key, sec-websocket-key for a destination of HTTP/1.
// A malformed x-forwarded-for is kept as text.
//
// With N trusted proxies the client is the Nth address from the right of the x-forwarded-for that came; when there
// are fewer, or it is no address, the client is the peer (Envoy's use_remote_address). An x-forwarded-proto that
// came stays when it is http or https.
[[nodiscard]] Prepared prepare_request(RequestHead& head, const ForwardingFacts& facts) noexcept;

// From a client inside to a destination outside, which is to learn nothing from us: removes what is about the
// connection, as prepare_request() does, and proxy-authorization; adds host when there is none. The path stays as it is
// (RFC 9110 7.7). `peer` is the client.
[[nodiscard]] Prepared prepare_outbound_request(RequestHead& head, const SocketAddress& peer, bool is_tls) noexcept;

// The target that goes upstream: path and query, "*", or the authority of a CONNECT. A view of
// head.target when the path was normal already, else in the arena; empty when the arena is full.
[[nodiscard]] std::string_view upstream_target(const RequestHead& head) noexcept;

// From the upstream to the client: removes hop-by-hop fields and fields named by Connection, sets
// server: istio-envoy, x-envoy-upstream-service-time, date when missing. `wall` gives the date. What the
// mesh says to itself (x-envoy-peer-metadata, x-envoy-decorator-operation) ends here. False: limits
// exceeded (502).
[[nodiscard]] bool prepare_response(ResponseHead& head, Duration upstream_time, WallTime wall) noexcept;

// From a destination outside to a client inside: removes hop-by-hop fields and fields named by Connection; sets date
// when missing. False: limits exceeded (502).
[[nodiscard]] bool prepare_outbound_response(ResponseHead& head, WallTime wall) noexcept;

// The value of x-request-id: what prepare_request has set; of outbound requests, what came; empty before.
[[nodiscard]] std::string_view request_id(const RequestHead& head) noexcept;

// "Wed, 25 Nov 2026 10:15:04 GMT" (RFC 9110 5.6.7), cached per second and per thread: valid until the
// thread's next call.
[[nodiscard]] std::string_view http_date(WallTime wall) noexcept;

// `https://` + Host as received + path and query, for the 301 of httpsRedirect; in the arena. Empty
// when the request has no usable Host (answer 400 or 404).
[[nodiscard]] std::string_view https_location(const RequestHead& head) noexcept;

}  // namespace sluice::http
