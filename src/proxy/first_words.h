// What the first bytes of a connection tell: of one that the firewall has redirected, what its client speaks; of a
// tunnel, whether its client means the host that it has asked for. Pure functions over hostile bytes.
#pragma once

#include "base/bytes.h"
#include "tls/client_hello.h"

#include <cstdint>
#include <string_view>

namespace sluice::proxy {

enum class FirstWords : uint8_t {
  need_more,
  client_hello,  // of TLS
  http,          // a request of HTTP/1, or the preface of HTTP/2
  other,
};

// `hello` is filled in exactly when they are a ClientHello.
[[nodiscard]] FirstWords first_words(ConstBytes bytes, tls::ClientHello& hello);

// Whether a tunnel goes where its client says in it: in the SNI of a ClientHello, or the Host of a request of HTTP/1.
enum class TunnelHost : uint8_t {
  need_more,
  same,   // or nothing is said: no SNI, another protocol
  other,  // or what is said cannot be understood
};
// `first` is what has come; `is_all`: no more will. `host` is the one of the CONNECT, as http::RequestHead has it. Only
// limits::client_hello_bytes_max are waited for.
[[nodiscard]] TunnelHost tunnel_host(ConstBytes first, bool is_all, std::string_view host);
// %RESPONSE_CODE_DETAILS% of a tunnel that goes elsewhere.
inline constexpr std::string_view host_mismatch = "host_mismatch";

}  // namespace sluice::proxy
