// Reads what routing needs from a ClientHello without a TLS session (RFC 8446 4.1.2, RFC 6066 3,
// RFC 7301): the server is chosen before any memory is spent. A pure function over hostile bytes.
#pragma once

#include "base/bytes.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace sluice::tls {

// The protocol of TLS-ALPN-01 (RFC 8737 6.2).
inline constexpr std::string_view acme_tls_alpn = "acme-tls/1";

enum class HelloStatus : uint8_t {
  complete,
  need_more,  // a prefix of a ClientHello; at most limits::client_hello_bytes_max are waited for
  not_tls,    // the first bytes are no TLS handshake record: plain HTTP on a TLS port, say
  malformed,  // TLS, but no well-formed ClientHello
};

// Sets of curves that certificates' keys are on.
inline constexpr uint8_t kCurveP256 = 1;
inline constexpr uint8_t kCurveP384 = 2;
inline constexpr uint8_t kCurveP521 = 4;
inline constexpr uint8_t kAllCurves = kCurveP256 | kCurveP384 | kCurveP521;

// The suites of TLS 1.2 that a server with an ECDSA key can speak (IANA's numbers); sets of them have bit i for
// the one at index i.
inline constexpr std::array<uint16_t, 7> kEcdsaSuites{0xc02b, 0xc02c, 0xcca9, 0xc009, 0xc00a, 0xc023, 0xc024};

struct ClientHello {
  HelloStatus status = HelloStatus::need_more;
  // The host_name of server_name in lower case without trailing dot; empty: none was sent. Points into
  // `name_storage`, so a ClientHello is not copied while it is used.
  std::string_view server_name;
  bool offers_http2 = false;     // ALPN lists "h2"
  bool offers_acme_tls = false;  // ALPN is exactly "acme-tls/1" (RFC 8737)
  uint16_t legacy_version = 0;   // 0x0303
  bool offers_tls_1_3 = false;   // supported_versions lists 0x0304

  // Whether a certificate with an ECDSA key is of use (RFC 8446 4.2.3, RFC 8422 5.1).
  uint8_t ecdsa_curves = 0;     // signature_algorithms has ecdsa_secp256r1_sha256 and so on
  uint8_t curves = kAllCurves;  // supported_groups; all of them when the client does not say
  uint8_t ecdsa_suites = 0;     // of kEcdsaSuites, those that are offered

  std::array<char, 256> name_storage{};

  ClientHello() = default;
  ClientHello(const ClientHello&) = delete;
  ClientHello& operator=(const ClientHello&) = delete;
};

// `bytes` is the connection's input from its first byte; the message may span several records. Fills
// `hello` and returns its status.
HelloStatus read_client_hello(ConstBytes bytes, ClientHello& hello) noexcept;

}  // namespace sluice::tls
