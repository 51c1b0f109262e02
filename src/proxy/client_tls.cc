#include "proxy/client_tls.h"

#include "tls/forwarded_certificate.h"

#include <string>
#include <vector>

namespace sluice::proxy {

namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ',';
    text += name;
  }
  return text;
}

observe::ClientTls::PeerCertificate describe(const tls::PeerCertificate& certificate,
                                             const tls::ParsedCertificate& parsed) {
  return {.subject = parsed.subject,
          .issuer = parsed.issuer,
          .serial = parsed.serial,
          .fingerprint_256 = parsed.fingerprint_sha256,
          .fingerprint_1 = parsed.fingerprint_sha1,
          .uri_sans = joined(parsed.uris),
          .dns_sans = joined(parsed.dns_names),
          .ip_sans = joined(parsed.ip_addresses),
          .email_sans = joined(parsed.emails),
          .url_encoded_pem = tls::url_encoded_pem(certificate),
          .not_before = parsed.not_before,
          .not_after = parsed.not_after};
}

}  // namespace

observe::ClientTls describe_client_tls(const tls::Session& session) {
  observe::ClientTls description{.version = std::string(session.protocol_version()),
                                 .cipher = std::string(session.cipher_suite()),
                                 .local_subject = {},
                                 .local_uri_sans = {},
                                 .local_dns_sans = {},
                                 .peer = {}};
  if (const tls::LocalCertificate* local = session.local_certificate(); local != nullptr) {
    description.local_subject = local->subject;
    description.local_uri_sans = joined(local->uris);
    description.local_dns_sans = joined(local->dns_names);
  }
  if (const tls::PeerCertificate* peer = session.peer_certificate(); peer != nullptr) {
    if (const auto parsed = peer->parsed()) description.peer = describe(*peer, *parsed);
  }
  return description;
}

}  // namespace sluice::proxy
