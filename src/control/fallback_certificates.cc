#include "control/fallback_certificates.h"

#include "certs/self_signed.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace sluice::control {

std::string FallbackCertificates::name_of(const snapshot::TlsServer& server) {
  return fmt::format("self-signed for {}, until there is a managed certificate", fmt::join(server.hosts, ", "));
}

Result<std::shared_ptr<const snapshot::KeyPair>> FallbackCertificates::of(const snapshot::TlsServer& server,
                                                                          WallTime now) {
  if (const auto found = by_hosts_.find(server.hosts); found != by_hosts_.end()) return found->second;
  Result<certs::IssuedCertificate> certificate = certs::make_fallback(server.hosts, now);
  if (!certificate) return failure("server " + server.name + ": " + certificate.error().message);
  auto pair = std::make_shared<snapshot::KeyPair>();
  pair->chain_pem = std::move(certificate->chain_pem);
  pair->key_pem = certificate->key_pem;
  pair->secret_name = name_of(server);
  pair->place = server.place;
  pair->is_managed = true;
  by_hosts_.emplace(server.hosts, pair);
  return pair;
}

}  // namespace sluice::control
