// What sluice answers while an ACME server validates that it is who it says: HTTP-01 (RFC 8555 8.3) and TLS-ALPN-01
// (RFC 8737). They come from the certificate manager, not from documents, and stay while an order needs them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::tls {
class ServerContext;
}

namespace sluice::snapshot {

// The path of HTTP-01, before the token.
inline constexpr std::string_view acme_challenge_path = "/.well-known/acme-challenge/";

// Immutable once it is in a snapshot.
struct AcmeChallenges {
  std::map<std::string, std::string, std::less<>> key_authorizations;  // by token
  // By SNI, in lower case without trailing dot; of an IP address its name in in-addr.arpa or ip6.arpa (RFC 8738 6).
  std::map<std::string, std::shared_ptr<tls::ServerContext>, std::less<>> certificates;

  [[nodiscard]] bool empty() const noexcept { return key_authorizations.empty() && certificates.empty(); }
};

}  // namespace sluice::snapshot
