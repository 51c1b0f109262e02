// What formats say of the TLS that a client and we speak (%DOWNSTREAM_TLS_*%, %DOWNSTREAM_PEER_*% and names of
// %DOWNSTREAM_LOCAL_*%), as their values are written. Made by proxy/client_tls.h for a connection that is asked for it.
#pragma once

#include "base/durations.h"

#include <optional>
#include <string>

namespace sluice::observe {

struct ClientTls {
  // Names of subjectAltName are joined with ",", as in Envoy.
  struct PeerCertificate {
    std::string subject;  // RFC 2253
    std::string issuer;
    std::string serial;  // hexadecimal, as the fingerprints
    std::string fingerprint_256;
    std::string fingerprint_1;
    std::string uri_sans;
    std::string dns_sans;
    std::string ip_sans;
    std::string email_sans;
    std::string url_encoded_pem;
    WallTime not_before;
    WallTime not_after;
  };

  std::string version;  // "TLSv1.3"
  std::string cipher;   // OpenSSL's name
  std::string local_subject;
  std::string local_uri_sans;
  std::string local_dns_sans;
  std::optional<PeerCertificate> peer;  // none: the client has shown none
};

}  // namespace sluice::observe
