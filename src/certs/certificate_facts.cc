#include "certs/certificate_facts.h"

#include "base/base64.h"
#include "certs/certificate_parts.h"
#include "tls/decoded_certificate.h"
#include "tls/parsed_certificate.h"
#include "tls/pem.h"

#include <utility>

namespace sluice::certs {
namespace {

// Empty too where the name is one that cannot be shown.
std::string common_name(ConstBytes name) { return read_common_name(name).value_or(std::string()); }

}  // namespace

Result<CertificateFacts> read_facts(std::string_view chain_pem) {
  const Result<std::vector<tls::Der>> chain = tls::decode_pem(chain_pem, tls::kCertificateLabel);
  if (!chain) return std::unexpected(chain.error());
  const tls::Der& first = chain->front();
  Result<tls::ParsedCertificate> parsed = tls::parse_certificate(first);
  if (!parsed) return std::unexpected(parsed.error());
  const auto certificate = tls::decode_certificate(first);
  const auto last = tls::decode_certificate(chain->back());
  if (!certificate || !last) return failure("holds a certificate that cannot be read");

  CertificateFacts facts;
  facts.serial = std::move(parsed->serial);
  if (const ConstBytes identifier = authority_key_identifier(first); !identifier.empty())
    facts.certificate_id = to_base64url(identifier) + "." + to_base64url(certificate->serial);
  facts.common_name = common_name(certificate->subject);
  facts.issuer_common_name = common_name(certificate->issuer);
  facts.root_common_name = common_name(last->issuer);
  facts.names = {std::move(parsed->dns_names), std::move(parsed->ip_addresses), std::move(parsed->emails),
                 std::move(parsed->uris)};
  facts.key_type = std::move(parsed->key_type);
  facts.not_before = parsed->not_before;
  facts.not_after = parsed->not_after;
  facts.fingerprint_sha256 = std::move(parsed->fingerprint_sha256);
  return facts;
}

}  // namespace sluice::certs
